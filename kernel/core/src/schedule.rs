//! Whose turn it is: how the core is shared between invocations that have just come and those that go on for long.
//!
//! There are two lines, each in order of arrival. What is new waits in the first. An invocation that has used up a slice
//! goes to the end of the second, and from then on takes turns with its like. While both lines wait, each gets half of
//! the time: so a short request waits for no long one but the slice that it owes, and no flood of short ones can
//! keep a long one from going on.

/// The two lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Invocations that have not used up a slice.
    New,
    /// Invocations that have.
    Long,
}

/// How far the new ones are ahead of the long ones, in ticks.
#[derive(Clone, Debug)]
pub struct Share {
    lead: i64,
    /// Most that either line can owe the other.
    slice: i64,
}

impl Share {
    /// Nobody owes anybody. `slice` is the longest turn, in ticks.
    pub fn new(slice: u64) -> Self {
        Self { lead: 0, slice: slice.min(i64::MAX as u64) as i64 }
    }

    /// The line whose first invocation runs next, given which of them have one.
    pub fn next(&self, new: bool, long: bool) -> Option<Line> {
        match (new, long) {
            (true, true) if self.lead > 0 => Some(Line::Long),
            (true, _) => Some(Line::New),
            (false, true) => Some(Line::Long),
            (false, false) => None,
        }
    }

    /// Notes that a line had the core for so many ticks. What it had while the other was empty is soon forgotten: no debt
    /// is more than a slice.
    pub fn book(&mut self, line: Line, ticks: u64) {
        let ticks = ticks.min(i64::MAX as u64) as i64;
        let lead = match line {
            Line::New => self.lead.saturating_add(ticks),
            Line::Long => self.lead.saturating_sub(ticks),
        };
        self.lead = lead.clamp(-self.slice, self.slice);
    }
}
