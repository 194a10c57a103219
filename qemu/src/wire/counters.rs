//! What became of a wire's frames, in numbers.

use std::fmt;

/// What became of the frames of both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Those to the machine's card.
    pub to_machine: LaneCounters,
    /// Those from the machine's card.
    pub to_peer: LaneCounters,
    /// Host connections that the peer carries now.
    pub connections: usize,
}

/// What became of the frames of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneCounters {
    /// Frames that were sent.
    pub frames: u64,
    /// Frames that arrived, the second ones of duplicates counted too.
    pub delivered: u64,
    /// Frames that never arrived.
    pub lost: u64,
    /// Frames that arrived twice.
    pub duplicated: u64,
    /// Frames that were held back for others to overtake.
    pub reordered: u64,
    /// Frames with a flipped bit.
    pub corrupted: u64,
    /// Frames that were cut off.
    pub truncated: u64,
}

impl fmt::Display for Counters {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "to the machine {}; from it {}", self.to_machine, self.to_peer)
    }
}

impl fmt::Display for LaneCounters {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} frames", self.frames)?;
        for (count, what) in [
            (self.lost, "lost"),
            (self.duplicated, "duplicated"),
            (self.reordered, "reordered"),
            (self.corrupted, "corrupted"),
            (self.truncated, "truncated"),
        ] {
            if count > 0 {
                write!(out, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_happened_is_printed() {
        let to_machine = LaneCounters { frames: 1200, lost: 12, reordered: 3, ..LaneCounters::default() };
        let counters = Counters { to_machine, ..Counters::default() };
        assert_eq!(counters.to_string(), "to the machine 1200 frames, 12 lost, 3 reordered; from it 0 frames");
    }
}
