//! What a function sees: the memory map of its protection domain, and the layout of its request and response.
//!
//! ```text
//! 0x0000_0000            never mapped
//! 0x0020_0000            guard page
//! 0x0020_1000  RW-       stack, grows down from STACK_TOP
//! 0x0024_0000  R-X       way back: a guard page too, for it cannot be written
//! 0x0024_1000  R-X R-- RW-  the program: text, constants, data
//! 0x1000_0000  R--       request window: RequestHead, then the bytes it points to
//! 0x1800_0000  RW-       response window: headers at +0, body at +RESPONSE_BODY
//! 0x2000_0000  RW-       heap, made by the Grow call
//! ```

use crate::wire::{Wire, layout};

/// Lowest address of the stack; the page below it is never mapped.
pub const STACK_BASE: u64 = 0x0020_1000;
/// First address above the stack.
pub const STACK_TOP: u64 = 0x0024_0000;
/// A page of the kernel's through which an interrupted function goes on: three instructions, and the words that they
/// load. No use to a function, and none of its memory.
pub const WAY_BACK: u64 = STACK_TOP;
/// Where a program's first segment may start, and where the function linker script puts it.
pub const PROGRAM_BASE: u64 = 0x0024_1000;
/// First address that no program segment may reach.
pub const PROGRAM_END: u64 = 0x1000_0000;
/// Where the request window starts.
pub const REQUEST_BASE: u64 = 0x1000_0000;
/// Where the response window starts: first the header block, then the body.
pub const RESPONSE_BASE: u64 = 0x1800_0000;
/// Most bytes of response headers.
pub const RESPONSE_HEADERS_MAX: u64 = 1024;
/// Offset of the response's body in its window. Between the headers and it lies room for what the kernel adds to them, so
/// that head and body are sent in one piece.
pub const RESPONSE_BODY: u64 = RESPONSE_HEADERS_MAX + 128;
/// Where the heap starts.
pub const HEAP_BASE: u64 = 0x2000_0000;
/// First address above everything a domain can map.
pub const USER_END: u64 = 0x4000_0000;
/// Most bytes that a manifest may allow for a request or response body.
pub const BODY_MAX: u64 = 64 << 20;
/// Most bytes of a request's line and headers.
pub const HEAD_MAX: u64 = 8 << 10;
/// Most bytes of private memory (data and heap; the stack is beside it) that a manifest may allow.
pub const MEMORY_MAX: u64 = USER_END - HEAP_BASE;

layout! {
    /// A run of bytes in the request window, `offset` from [`REQUEST_BASE`].
    pub struct Span {
        /// Bytes from the start of the window.
        pub offset: u32,
        /// Length in bytes.
        pub len: u32,
    }
}

layout! {
    /// What lies at [`REQUEST_BASE`]. The function's entry point gets its address in `rdi`.
    ///
    /// The kernel has checked all of it: the method is a known one, the path starts with `/`, each header is a
    /// `name: value` line ending in CR LF, and all spans lie in the window, the body behind the others.
    pub struct RequestHead {
        /// [`crate::ABI_VERSION`] of the kernel.
        pub abi_version: u32,
        /// Most bytes of body that a response may have.
        pub response_limit: u32,
        /// Number of this invocation since boot.
        pub invocation: u64,
        /// `GET`, `POST`, …
        pub method: Span,
        /// What follows the function's route in the path: empty, or `/` and the rest.
        pub path: Span,
        /// What follows `?` in the request target, without it.
        pub query: Span,
        /// The header lines, each with its CR LF.
        pub headers: Span,
        /// The body, already whole and no longer chunked.
        pub body: Span,
        /// Zero.
        pub reserved: u64,
    }
}

/// Offset of the request's bytes in the request window: right behind the [`RequestHead`].
pub const REQUEST_BYTES: u64 = RequestHead::SIZE as u64;

#[cfg(test)]
mod tests {
    use super::*;
    use core::mem::offset_of;

    #[test]
    fn the_request_head_is_pinned() {
        assert_eq!(RequestHead::SIZE, 64);
        assert_eq!(offset_of!(RequestHead, invocation), 8);
        assert_eq!(offset_of!(RequestHead, method), 16);
        assert_eq!(offset_of!(RequestHead, path), 24);
        assert_eq!(offset_of!(RequestHead, query), 32);
        assert_eq!(offset_of!(RequestHead, headers), 40);
        assert_eq!(offset_of!(RequestHead, body), 48);
        // All ones in, all ones out: notices a narrowed field that padding would hide.
        let ones = RequestHead::get(&[0xff; RequestHead::SIZE]);
        assert_eq!(ones.abi_version, u32::MAX);
        assert_eq!(ones.response_limit, u32::MAX);
        assert_eq!(ones.invocation, u64::MAX);
        assert_eq!(ones.body, Span { offset: u32::MAX, len: u32::MAX });
        let mut out = [0; RequestHead::SIZE];
        ones.put(&mut out);
        assert_eq!(out, [0xff; RequestHead::SIZE]);
    }

    #[test]
    fn regions_are_apart_and_in_order() {
        let edges = [STACK_BASE, STACK_TOP, PROGRAM_BASE, PROGRAM_END, RESPONSE_BASE, HEAP_BASE, USER_END];
        assert!(edges.is_sorted_by(|a, b| a < b));
        const { assert!(REQUEST_BASE + REQUEST_BYTES + HEAD_MAX + BODY_MAX < RESPONSE_BASE) };
        const { assert!(RESPONSE_BASE + RESPONSE_BODY + BODY_MAX < HEAP_BASE) };
    }
}
