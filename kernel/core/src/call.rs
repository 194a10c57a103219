//! What a function asks for in its registers, as a typed request: every number checked, every pointer still a claim.

use mayfly_abi::PAGE;
use mayfly_abi::call::{Call, Code, LOG_MAX, RANDOM_MAX, Reason};
use mayfly_abi::domain::{MEMORY_MAX, RESPONSE_HEADERS_MAX};

use crate::claim::Claimed;

/// The registers of a call: its number and its arguments, as the function left them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registers {
    /// Number of the call.
    pub rax: u64,
    /// First argument.
    pub rdi: u64,
    /// Second argument.
    pub rsi: u64,
    /// Third argument.
    pub rdx: u64,
}

/// A call whose numbers are within its limits. Pointers are claims: check them against the domain before use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Answer from the response window.
    Respond {
        /// 200 to 599.
        status: u16,
        /// Bytes of header lines, at most [`RESPONSE_HEADERS_MAX`]. Their form is yet to be checked.
        headers_len: u32,
        /// Bytes of body, at most the function's limit.
        body_len: u32,
    },
    /// Write a line to the console.
    Log {
        /// At most [`LOG_MAX`] bytes.
        text: Claimed,
    },
    /// Add memory to the end of the heap.
    Grow {
        /// Whole pages, at most what the heap's address range holds. Whether the function's limit allows them is not
        /// known here.
        pages: u32,
    },
    /// Tell the time since boot.
    Clock,
    /// Fill memory with random bytes.
    Random {
        /// At most [`RANDOM_MAX`] bytes.
        out: Claimed,
    },
    /// Give up.
    Fail {
        /// Why.
        reason: Reason,
        /// At most [`LOG_MAX`] bytes.
        text: Claimed,
    },
    /// Freeze what the initialisation has made.
    Ready,
}

/// What a domain runs for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A request.
    Serve,
    /// To initialise the function.
    Init,
}

impl Request {
    /// Refuses what does not go with the purpose: an initialisation answers nobody, and what it learnt of time and
    /// chance would be the same in every invocation.
    pub fn allowed(self, purpose: Purpose) -> Result<Self, Code> {
        let wrong = match purpose {
            Purpose::Serve => matches!(self, Self::Ready),
            Purpose::Init => matches!(self, Self::Respond { .. } | Self::Clock | Self::Random { .. }),
        };
        if wrong { Err(Code::NotNow) } else { Ok(self) }
    }
}

impl Registers {
    /// The request that these registers make of a function whose responses have at most `response_limit` bytes of
    /// body, or the code with which it is refused.
    pub fn decode(self, response_limit: u32) -> Result<Request, Code> {
        let Self { rax, rdi, rsi, rdx } = self;
        match Call::try_from(rax).map_err(|_| Code::UnknownCall)? {
            Call::Respond => {
                if !(200..=599).contains(&rdi) {
                    return Err(Code::BadStatus);
                }
                let headers_len = limited(rsi, RESPONSE_HEADERS_MAX)?;
                let body_len = limited(rdx, u64::from(response_limit))?;
                Ok(Request::Respond { status: rdi as u16, headers_len: headers_len as u32, body_len: body_len as u32 })
            }
            Call::Log => Ok(Request::Log { text: Claimed { address: rdi, len: limited(rsi, LOG_MAX)? } }),
            Call::Grow if rdi > MEMORY_MAX => Err(Code::OutOfMemory),
            Call::Grow => Ok(Request::Grow { pages: rdi.div_ceil(PAGE) as u32 }),
            Call::Clock => Ok(Request::Clock),
            Call::Random => Ok(Request::Random { out: Claimed { address: rdi, len: limited(rsi, RANDOM_MAX)? } }),
            Call::Ready => Ok(Request::Ready),
            Call::Fail => {
                let reason = Reason::try_from(rdi).map_err(|_| Code::BadReason)?;
                Ok(Request::Fail { reason, text: Claimed { address: rsi, len: limited(rdx, LOG_MAX)? } })
            }
        }
    }
}

fn limited(len: u64, limit: u64) -> Result<u64, Code> {
    if len > limit { Err(Code::TooLong) } else { Ok(len) }
}
