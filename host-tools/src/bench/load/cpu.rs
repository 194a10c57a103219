//! How long threads have run, by the Linux scheduler's own account: nanoseconds, where `stat` has hundredths of a second.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

/// How long all threads of the process have run.
pub(super) fn of_process(pid: u32) -> io::Result<Duration> {
    let mut sum = Duration::ZERO;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end between the two.
        sum += of(&thread?.path().join("schedstat")).unwrap_or_default();
    }
    Ok(sum)
}

/// How long this thread has run.
pub(super) fn of_this_thread() -> io::Result<Duration> {
    of(Path::new("/proc/thread-self/schedstat"))
}

/// The first number of a `schedstat`.
fn of(path: &Path) -> io::Result<Duration> {
    let text = fs::read_to_string(path)?;
    let nanoseconds = text.split(' ').next().and_then(|number| number.parse().ok());
    nanoseconds.map(Duration::from_nanos).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn a_thread_that_computes_is_seen_to() {
        let before = of_this_thread().expect("Linux tells");
        let process = of_process(std::process::id()).expect("Linux tells");
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(60) {
            std::hint::spin_loop();
        }
        let ran = of_this_thread().expect("Linux tells") - before;
        // The machine may be busy with something else meanwhile.
        assert!(ran > Duration::from_millis(2) && ran < Duration::from_secs(2), "{ran:?}");
        assert!(of_process(std::process::id()).expect("Linux tells") >= process + Duration::from_millis(2));
    }
}
