//! What a machine prints: read by a thread, kept, and waited for.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes that are kept at least; of a machine that prints more, the beginning is forgotten.
const KEPT: usize = 1 << 20;

/// A stream of text from QEMU. Clones see the same stream.
#[derive(Clone, Debug, Default)]
pub struct Console {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    /// Bytes that came before `bytes` and are forgotten.
    forgotten: u64,
    closed: bool,
}

impl Console {
    /// Reads `source` to its end, in a thread of its own.
    pub(crate) fn read(mut source: impl Read + Send + 'static) -> Self {
        let console = Self::default();
        let writer = console.clone();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // A read error ends the stream as its end does.
            while let Ok(len @ 1..) = source.read(&mut buffer) {
                writer.append(&buffer[..len]);
            }
            writer.lock().closed = true;
            writer.shared.changed.notify_all();
        });
        console
    }

    /// Everything printed so far that is still kept.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.lock().bytes).into_owned()
    }

    /// Waits until `needle` has been printed. False if it was not in time, or never can be.
    pub fn wait_for(&self, needle: &str, timeout: Duration) -> bool {
        let found = |state: &State| String::from_utf8_lossy(&state.bytes).contains(needle);
        let state = self.wait_until(timeout, |state| state.closed || found(state));
        found(&state)
    }

    /// What was printed since `*position`, which it moves on; waits for it, and gives nothing if `timeout` passes.
    /// `None` once everything was given and the stream has ended. Start with position 0.
    pub fn follow(&self, position: &mut u64, timeout: Duration) -> Option<Vec<u8>> {
        let state = self.wait_until(timeout, |state| state.closed || state.end() > *position);
        if state.closed && state.end() <= *position {
            return None;
        }
        let start = position.saturating_sub(state.forgotten) as usize;
        *position = state.end();
        Some(state.bytes[start..].to_vec())
    }

    /// Waits for the end of the stream, which is QEMU's end. False if it did not come in time.
    pub(crate) fn wait_closed(&self, timeout: Duration) -> bool {
        self.wait_until(timeout, |state| state.closed).closed
    }

    fn append(&self, bytes: &[u8]) {
        let mut state = self.lock();
        state.bytes.extend(bytes);
        if state.bytes.len() > 2 * KEPT {
            let surplus = state.bytes.len() - KEPT;
            state.bytes.drain(..surplus);
            state.forgotten += surplus as u64;
        }
        drop(state);
        self.shared.changed.notify_all();
    }

    fn wait_until(&self, timeout: Duration, done: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let deadline = Instant::now() + timeout;
        let mut state = self.lock();
        while !done(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Bytes are appended whole, so even a panic in another thread leaves a usable state.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Position behind the last byte, counted from the first one ever printed.
    fn end(&self) -> u64 {
        self.forgotten + self.bytes.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    const SOON: Duration = Duration::from_secs(5);

    #[test]
    fn text_is_followed_piece_by_piece_and_then_the_stream_ends() {
        let console = Console::default();
        let mut position = 0;
        console.append(b"one ");
        assert_eq!(console.follow(&mut position, SOON), Some(b"one ".to_vec()));
        assert_eq!(console.follow(&mut position, Duration::ZERO), Some(vec![]));
        console.append(b"two");
        console.lock().closed = true;
        assert_eq!(console.follow(&mut position, SOON), Some(b"two".to_vec()));
        assert_eq!(console.follow(&mut position, SOON), None);
        assert_eq!(console.text(), "one two");
    }

    #[test]
    fn a_line_is_found_when_it_comes_and_missed_when_the_stream_ends_without_it() {
        let (source, mut sink) = io::pipe().expect("a pipe can be made");
        let console = Console::read(source);
        assert!(!console.wait_for("late", Duration::from_millis(1)));
        io::Write::write_all(&mut sink, b"not too late\n").expect("the reader is there");
        assert!(console.wait_for("late", SOON));
        drop(sink);
        assert!(console.wait_closed(SOON));
        assert!(!console.wait_for("never", SOON));
    }

    #[test]
    fn of_endless_output_the_last_part_is_kept() {
        let console = Console::default();
        let mut position = 0;
        for _ in 0..40 {
            console.append(&[b'x'; KEPT / 10]);
        }
        console.append(b"end");
        assert!(console.text().len() <= 2 * KEPT);
        let tail = console.follow(&mut position, SOON).expect("the stream is open");
        assert!(tail.len() >= KEPT && tail.ends_with(b"end"));
        assert_eq!(position, 40 * (KEPT as u64 / 10) + 3);
    }
}
