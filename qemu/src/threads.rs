//! Whether any thread of a process has work: one that waits for a core looks idle to everybody else.

use std::fs;

/// Whether a thread of this process runs or would run if it had a core (proc(5), the third field of `stat`).
///
/// A process that is gone, or one that cannot be looked at, has none.
pub(crate) fn any_runnable(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    threads
        .filter_map(|thread| fs::read_to_string(thread.path().join("stat")).ok())
        .any(|stat| state(&stat) == Some('R'))
}

/// The name before it is in parentheses and may hold anything, parentheses too.
fn state(stat: &str) -> Option<char> {
    stat.rsplit_once(") ")?.1.chars().next()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::mpsc::{self, Receiver, TryRecvError};
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_state_follows_the_name_whatever_that_is() {
        assert_eq!(state("7 (CPU 0/TCG) S 1 7 7"), Some('S'));
        assert_eq!(state("7 (a) S 1) (b) R 1 7 7"), Some('R'));
        assert_eq!(state("7 (cut"), None);
    }

    #[test]
    fn a_thread_that_computes_is_runnable_and_one_that_waits_is_not() {
        // What `look` sees of a thread that does this until it is told to stop.
        let seen = |work: fn(&Receiver<()>), look: fn(&dyn Fn() -> Option<char>) -> bool| {
            let (stop, until) = mpsc::channel();
            let (tell, told) = mpsc::channel();
            let thread = thread::spawn(move || {
                tell.send(fs::read_link("/proc/thread-self").expect("there is /proc")).expect("somebody waits");
                work(&until);
            });
            let stat = Path::new("/proc").join(told.recv().expect("it tells")).join("stat");
            let seen = look(&|| state(&fs::read_to_string(&stat).expect("it is there")));
            drop(stop);
            thread.join().expect("it ends");
            seen
        };
        let computes = |until: &Receiver<()>| while until.try_recv() == Err(TryRecvError::Empty) {};
        assert!(seen(computes, |state| (0..100).all(|_| state() == Some('R'))));
        // It runs until it has begun to wait.
        let waits = |until: &Receiver<()>| assert!(until.recv().is_err());
        assert!(seen(waits, |state| (0..10_000).any(|_| {
            thread::sleep(Duration::from_millis(1));
            state() == Some('S')
        })));
        assert!(any_runnable(std::process::id()), "this test runs");
        assert!(!any_runnable(0), "nobody has this number");
    }
}
