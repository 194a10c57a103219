//! How an invocation ends.

use mayfly_abi::call::Reason;

use crate::fault::Fault;

/// What became of an event that was given to a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It answered: the response lies in its window.
    Done {
        /// 200 to 599.
        status: u16,
        /// Bytes of checked header lines at the start of the window.
        headers_len: u32,
        /// Bytes of body, from `RESPONSE_BODY` on.
        body_len: u32,
    },
    /// It broke something, or gave up.
    Killed(Fault),
    /// It ran past its time limit.
    Deadline,
    /// It asked for more memory than its limit allows.
    OutOfMemory,
    /// The machine had no memory left for it. Not the function's fault.
    Exhausted,
}

impl Outcome {
    /// The name of what went wrong, as fault records have it; empty if nothing did.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Done { .. } => "",
            Self::Killed(fault) => fault.name(),
            Self::Deadline => "deadline",
            Self::OutOfMemory => "out-of-memory",
            Self::Exhausted => "no-memory",
        }
    }

    /// What a function's own `Fail` call means.
    pub fn of_failure(reason: Reason, rip: u64) -> Self {
        match reason {
            Reason::Panic => Self::Killed(Fault::new(crate::fault::Kind::Panic, rip)),
            Reason::OutOfMemory => Self::OutOfMemory,
        }
    }
}
