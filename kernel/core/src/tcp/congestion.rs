//! How much may be on its way: slow start, congestion avoidance, and recovery from loss (RFC 5681, RFC 6582).

use super::seq::Seq;

/// Segments that may be sent before anything is acknowledged (RFC 6928).
const INITIAL: u32 = 10;
/// Repeated acknowledgements that mean a loss.
const REPEATS: u8 = 3;
/// Beyond this no window grows: what a peer may have from us at once.
const MOST: u32 = 4 << 20;

/// What the network is believed to carry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Congestion {
    window: u32,
    threshold: u32,
    /// Acknowledgements in a row that said nothing new.
    repeats: u8,
    /// While a loss is being repaired: what was sent before it was noticed ends here.
    recovering: bool,
    recover: Seq,
}

/// What an acknowledgement asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    /// Nothing beside sending what is allowed.
    Nothing,
    /// The first segment that is not acknowledged is lost: send it again.
    Resend,
}

impl Congestion {
    /// Of a connection whose first byte has place `start`.
    pub(super) fn new(mss: u32, start: Seq) -> Self {
        Self { window: INITIAL * mss, threshold: MOST, repeats: 0, recovering: false, recover: start }
    }

    /// Bytes that may be on their way. One and two repeated acknowledgements let a segment more go each (RFC 3042).
    pub(super) fn window(&self, mss: u32) -> u32 {
        self.window + if self.recovering { 0 } else { u32::from(self.repeats) * mss }
    }

    /// `bytes` more are acknowledged, up to `una`; `flight` are still on their way.
    pub(super) fn acknowledged(&mut self, bytes: u32, una: Seq, flight: u32, mss: u32) -> Reaction {
        self.repeats = 0;
        if self.recovering {
            if una.is_after(self.recover) || una == self.recover {
                self.recovering = false;
                self.window = self.threshold.min(flight.max(mss) + mss);
                return Reaction::Nothing;
            }
            // Another hole (RFC 6582, 3.2 step 3, partial acknowledgement).
            self.window = self.window.saturating_sub(bytes).max(mss) + if bytes >= mss { mss } else { 0 };
            return Reaction::Resend;
        }
        // It keeps near: places cannot be compared across half of all.
        self.recover = self.recover.max(una);
        // A window that is not used says nothing about what the network carries (RFC 7661).
        if bytes + flight < self.window / 2 {
            return Reaction::Nothing;
        }
        let more = if self.window < self.threshold { bytes.min(mss) } else { (mss * mss / self.window).max(1) };
        self.window = (self.window + more).min(MOST);
        Reaction::Nothing
    }

    /// An acknowledgement said nothing new while `flight` bytes up to `max` are on their way from `una` on.
    pub(super) fn repeated(&mut self, una: Seq, max: Seq, flight: u32, mss: u32) -> Reaction {
        if self.recovering {
            self.window = (self.window + mss).min(MOST);
            return Reaction::Nothing;
        }
        self.repeats += 1;
        // What was sent again already is not a new loss (RFC 6582, 3.2 step 2).
        if self.repeats < REPEATS || self.recover.is_after(una) {
            self.repeats = self.repeats.min(REPEATS - 1);
            return Reaction::Nothing;
        }
        self.repeats = 0;
        self.threshold = (flight / 2).max(2 * mss);
        self.window = self.threshold + u32::from(REPEATS) * mss;
        self.recovering = true;
        self.recover = max;
        Reaction::Resend
    }

    /// Nothing was acknowledged in time: begin anew with one segment (RFC 5681, 3.1).
    pub(super) fn timed_out(&mut self, max: Seq, flight: u32, mss: u32, again: bool) {
        if !again {
            self.threshold = (flight / 2).max(2 * mss);
        }
        self.window = mss;
        self.repeats = 0;
        self.recovering = false;
        self.recover = max;
    }
}
