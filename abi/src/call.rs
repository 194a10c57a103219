//! The calls a function can make, and the codes with which one is refused. docs/abi.md has a page for each.
//!
//! Convention: `syscall` with the number in `rax` and arguments in `rdi`, `rsi`, `rdx`. It returns a [`Code`] in
//! `rax` and a value in `rdx`. `rcx` and `r11` are clobbered (the CPU does that), every SSE and x87 register is
//! cleared, and all other registers are kept.

use crate::wire::numbers;

numbers! {
    /// What a function asks of the kernel.
    pub enum Call {
        /// `(status, headers_len, body_len)`: answers the request from the response window. Returns only if refused.
        Respond = 1,
        /// `(text, len)`: writes one line, at most [`LOG_MAX`] bytes, to the machine's console.
        Log = 2,
        /// `(bytes)`: adds zeroed memory to the end of the heap; the value is the address where it starts.
        Grow = 3,
        /// `()`: the value is the time since boot, in nanoseconds.
        Clock = 4,
        /// `(out, len)`: fills at most [`RANDOM_MAX`] bytes of the function's memory with random bytes.
        Random = 5,
        /// `(reason, text, len)`: gives up with a [`Reason`] and a text of at most [`LOG_MAX`] bytes. Returns only if refused.
        Fail = 6,
        /// `()`: the initialisation is over, and what it left in data and heap is what every invocation starts with.
        /// Never returns; refused outside an initialisation.
        Ready = 7,
    }
}

numbers! {
    /// How a call ended. Anything but `Ok` means that nothing was done.
    pub enum Code {
        /// The call was carried out.
        Ok = 0,
        /// There is no call with this number.
        UnknownCall = 1,
        /// A pointer and length that do not lie wholly in memory the function may read (or write, for `Random`).
        BadPointer = 2,
        /// A length above the call's or the manifest's limit.
        TooLong = 3,
        /// The function's memory limit does not allow it.
        OutOfMemory = 4,
        /// A response status outside 200–599.
        BadStatus = 5,
        /// Response headers that are not `name: value\r\n` lines, or that name a field only the kernel may set.
        BadHeaders = 6,
        /// A reason that is none.
        BadReason = 7,
        /// Not at this time: `Ready` outside an initialisation; `Respond`, `Clock` and `Random` in one, for what they
        /// gave would be the same in every invocation.
        NotNow = 8,
    }
}

numbers! {
    /// Why a function gave up.
    pub enum Reason {
        /// It panicked, or found that it cannot go on. The client gets 502.
        Panic = 1,
        /// Its allocator found no memory. The client gets 507.
        OutOfMemory = 2,
    }
}

/// Most bytes of one log line or of a failure's text.
pub const LOG_MAX: u64 = 1024;

/// Most bytes that one `Random` call fills.
pub const RANDOM_MAX: u64 = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_pinned() {
        // A released number never changes its meaning; this list only grows.
        let calls: [(Call, u32); 7] = [
            (Call::Respond, 1),
            (Call::Log, 2),
            (Call::Grow, 3),
            (Call::Clock, 4),
            (Call::Random, 5),
            (Call::Fail, 6),
            (Call::Ready, 7),
        ];
        assert_eq!(calls.len(), Call::ALL.len());
        for (call, number) in calls {
            assert_eq!(call as u32, number);
            assert_eq!(Call::try_from(u64::from(number)), Ok(call));
        }
        assert_eq!(Call::try_from(0), Err(0));
        assert_eq!(Call::try_from(8), Err(8));
        assert_eq!(Call::try_from((1 << 32) | 1), Err((1 << 32) | 1), "the upper half counts");
        assert_eq!(Code::ALL.len(), 9);
        assert_eq!(Code::NotNow as u32, 8);
        assert_eq!(Reason::OutOfMemory as u32, 2);
    }
}
