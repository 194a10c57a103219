//! How long to wait for an acknowledgement: the retransmission timeout (RFC 6298). All times in nanoseconds.

/// Before anything was measured (2.1).
const INITIAL: u64 = 1_000_000_000;
/// The RFC would have a second (2.4). A fifth of one, as Linux has it, is still longer than any client delays its
/// acknowledgement, and a lost answer is missed five times as soon.
const LEAST: u64 = 200_000_000;
/// And most (2.5).
const MOST: u64 = 60_000_000_000;
/// Below this a variation means nothing.
const GRANULARITY: u64 = 1_000_000;

/// What is known about a connection's round trips.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rtt {
    smoothed: u64,
    variation: u64,
    timeout: u64,
}

impl Rtt {
    /// Nothing yet.
    pub(super) const fn new() -> Self {
        Self { smoothed: 0, variation: 0, timeout: INITIAL }
    }

    /// Takes a round trip into account (2.2, 2.3). Never of a segment that was sent twice (Karn).
    pub(super) fn sample(&mut self, rtt: u64) {
        if self.smoothed == 0 {
            self.smoothed = rtt.max(1);
            self.variation = rtt / 2;
        } else {
            self.variation -= self.variation / 4;
            self.variation += self.smoothed.abs_diff(rtt) / 4;
            self.smoothed = self.smoothed - self.smoothed / 8 + rtt / 8;
        }
        self.recover();
    }

    /// The peer answers again: back to what the measurements say.
    pub(super) fn recover(&mut self) {
        if self.smoothed > 0 {
            self.timeout = (self.smoothed + (4 * self.variation).max(GRANULARITY)).clamp(LEAST, MOST);
        }
    }

    /// The timeout has passed: the next one is twice as long (5.5).
    pub(super) fn back_off(&mut self) {
        self.timeout = (2 * self.timeout).min(MOST);
    }

    /// How long to wait.
    pub(super) fn timeout(&self) -> u64 {
        self.timeout
    }
}
