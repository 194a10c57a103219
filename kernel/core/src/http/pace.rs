//! How long a client may take for many bytes: a while for the next of them, and a kilobyte a second on the average.

/// Nanoseconds for each byte.
const BYTE: u64 = 1_000_000_000 / 1024;

/// The time that a client has for a body, or for an answer. All in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    patience: u64,
    until: u64,
}

impl Pace {
    /// From `now` on, with so much `patience` for the next bytes.
    pub fn new(patience: u64, now: u64) -> Self {
        Self { patience, until: now + patience }
    }

    /// Counts `bytes` that have come on, and says when the time for the next of them ends.
    pub fn deadline(&mut self, bytes: u64, now: u64) -> u64 {
        self.until += bytes * BYTE;
        self.until.min(now + self.patience)
    }
}
