//! What is called, how, and with which code it must be refused.

use core::fmt;

use mayfly_abi::boot::{DIRECT_MAP, KERNEL, KERNEL_MAP, LEDGER};
use mayfly_abi::call::{Call, Code, LOG_MAX, RANDOM_MAX, Reason};
use mayfly_abi::domain::{
    HEAP_BASE, PROGRAM_BASE, PROGRAM_END, REQUEST_BASE, RESPONSE_BASE, RESPONSE_BODY, RESPONSE_HEADERS_MAX, STACK_BASE,
    STACK_TOP, USER_END,
};
use mayfly_abi::fault::FAULT_RING;
use mayfly_abi::{PAGE, page_up};

/// Most bytes of a response's body, as in mayfly.toml.
pub(crate) const RESPONSE_LIMIT: u64 = 16 << 10;
/// First address above the response window.
const RESPONSE_END: u64 = RESPONSE_BASE + page_up(RESPONSE_BODY + RESPONSE_LIMIT);
/// A number whose lower half is in order: only the upper half is wrong.
const UPPER_HALF: u64 = 1 << 32;

/// One call and the code it must end with.
pub(crate) struct Case {
    /// Name of the call.
    call: &'static str,
    /// What is special about it.
    what: &'static str,
    /// What to put in `rax`.
    pub(crate) number: u64,
    /// What to put in `rdi`, `rsi`, `rdx`.
    pub(crate) arguments: [u64; 3],
    /// What to write to the start of the response window first.
    pub(crate) headers: Option<&'static [u8]>,
    /// How it must end.
    pub(crate) expected: Code,
}

impl fmt::Display for Case {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        write!(out, "{}, {}: {:?}", self.call, self.what, self.expected)
    }
}

/// Calls with wrong arguments, in an order in which none disturbs another.
pub(crate) fn arguments() -> impl Iterator<Item = Case> {
    PLAIN.iter().map(|&(call, what, arguments, expected)| case(call, what, arguments, expected))
}

/// Each call that takes a pointer, with each wild one.
pub(crate) fn pointers() -> impl Iterator<Item = Case> {
    WILD.iter().flat_map(|&(what, address, len)| {
        let panic = u64::from(Reason::Panic as u32);
        [(Call::Log, [address, len, 0]), (Call::Random, [address, len, 0]), (Call::Fail, [panic, address, len])]
            .map(|(call, arguments)| case(call, what, arguments, Code::BadPointer))
    })
}

/// Responses with each wrong header block.
pub(crate) fn headers() -> impl Iterator<Item = Case> {
    HEADERS.iter().map(|&(what, headers)| Case {
        headers: Some(headers),
        ..case(Call::Respond, what, [200, headers.len() as u64, 0], Code::BadHeaders)
    })
}

fn case(call: Call, what: &'static str, arguments: [u64; 3], expected: Code) -> Case {
    Case { call: name(call), what, number: u64::from(call as u32), arguments, headers: None, expected }
}

fn name(call: Call) -> &'static str {
    match call {
        Call::Respond => "Respond",
        Call::Log => "Log",
        Call::Grow => "Grow",
        Call::Clock => "Clock",
        Call::Random => "Random",
        Call::Fail => "Fail",
        Call::Ready => "Ready",
    }
}

/// Calls whose numbers are wrong, and a few that are right, so that it is not all refused for another reason.
const PLAIN: &[(Call, &str, [u64; 3], Code)] = &[
    (Call::Clock, "arguments that do not matter", [u64::MAX; 3], Code::Ok),
    (Call::Log, "no bytes at address 0", [0, 0, 0], Code::Ok),
    (Call::Log, "one byte too many", [PROGRAM_BASE, LOG_MAX + 1, 0], Code::TooLong),
    (Call::Log, "length with something in the upper half", [PROGRAM_BASE, UPPER_HALF | 4, 0], Code::TooLong),
    (Call::Log, "length -1", [PROGRAM_BASE, u64::MAX, 0], Code::TooLong),
    (Call::Random, "response window", [RESPONSE_BASE, 16, 0], Code::Ok),
    (Call::Random, "over the response that is being written", [RESPONSE_BASE + RESPONSE_BODY - 8, 16, 0], Code::Ok),
    (Call::Random, "end of the response window", [RESPONSE_BASE + RESPONSE_BODY + RESPONSE_LIMIT - 8, 8, 0], Code::Ok),
    (
        Call::Random,
        "end of the response limit and beyond",
        [RESPONSE_BASE + RESPONSE_BODY + RESPONSE_LIMIT - 8, 9, 0],
        Code::BadPointer,
    ),
    (Call::Random, "as many bytes as allowed", [RESPONSE_BASE, RANDOM_MAX, 0], Code::Ok),
    (Call::Random, "one byte too many", [RESPONSE_BASE, RANDOM_MAX + 1, 0], Code::TooLong),
    (Call::Random, "length -1", [RESPONSE_BASE, u64::MAX, 0], Code::TooLong),
    (Call::Random, "own text", [PROGRAM_BASE, 16, 0], Code::BadPointer),
    (Call::Random, "request window", [REQUEST_BASE, 16, 0], Code::BadPointer),
    (Call::Random, "heap that is not there yet", [HEAP_BASE, 16, 0], Code::BadPointer),
    (Call::Grow, "more than the limit", [1 << 20, 0, 0], Code::OutOfMemory),
    (Call::Grow, "something in the upper half", [UPPER_HALF | PAGE, 0, 0], Code::OutOfMemory),
    (Call::Grow, "so much that rounding up wraps to 0", [u64::MAX, 0, 0], Code::OutOfMemory),
    (Call::Grow, "half of what there is to address", [1 << 63, 0, 0], Code::OutOfMemory),
    (Call::Grow, "two pages", [PAGE + 1, 0, 0], Code::Ok),
    (Call::Random, "both pages of heap", [HEAP_BASE + PAGE - 8, 16, 0], Code::Ok),
    (Call::Random, "end of the heap and beyond", [HEAP_BASE + 2 * PAGE - 8, 16, 0], Code::BadPointer),
    (Call::Respond, "status 0", [0, 0, 0], Code::BadStatus),
    (Call::Respond, "status 199", [199, 0, 0], Code::BadStatus),
    (Call::Respond, "status 600", [600, 0, 0], Code::BadStatus),
    (Call::Respond, "status 200 with something in the upper half", [UPPER_HALF | 200, 0, 0], Code::BadStatus),
    (Call::Respond, "status 200 beyond 16 bits", [(1 << 16) | 200, 0, 0], Code::BadStatus),
    (Call::Respond, "one byte of headers too many", [200, RESPONSE_HEADERS_MAX + 1, 0], Code::TooLong),
    (Call::Respond, "length of headers -1", [200, u64::MAX, 0], Code::TooLong),
    (Call::Respond, "one byte of body too many", [200, 0, RESPONSE_LIMIT + 1], Code::TooLong),
    (Call::Respond, "length of body with something in the upper half", [200, 0, UPPER_HALF | 1], Code::TooLong),
    (Call::Respond, "length of body -1", [200, 0, u64::MAX], Code::TooLong),
    (Call::Ready, "outside an initialisation", [0; 3], Code::NotNow),
    (Call::Ready, "arguments that do not matter", [u64::MAX; 3], Code::NotNow),
    (Call::Fail, "reason 0", [0, PROGRAM_BASE, 4], Code::BadReason),
    (Call::Fail, "reason 3", [3, PROGRAM_BASE, 4], Code::BadReason),
    (Call::Fail, "reason with something in the upper half", [UPPER_HALF | 1, PROGRAM_BASE, 4], Code::BadReason),
    (Call::Fail, "one byte too many", [Reason::Panic as u64, PROGRAM_BASE, LOG_MAX + 1], Code::TooLong),
    (Call::Fail, "length -1", [Reason::Panic as u64, PROGRAM_BASE, u64::MAX], Code::TooLong),
];

/// Addresses and lengths that are not ours, for each call that takes a pointer.
const WILD: &[(&str, u64, u64)] = &[
    ("null", 0, 1),
    ("first page", 8, 8),
    ("guard below the stack", STACK_BASE - 8, 8),
    ("guard and stack", STACK_BASE - 8, 16),
    ("stack and guard", STACK_TOP - 8, 16),
    ("before the program", PROGRAM_BASE - 8, 16),
    ("behind the program", PROGRAM_END - 16, 16),
    ("before the request window", REQUEST_BASE - 8, 16),
    ("before the response window", RESPONSE_BASE - 8, 16),
    ("end of the response window and beyond", RESPONSE_END - 8, 16),
    ("behind the response window", RESPONSE_END, 1),
    ("before the heap", HEAP_BASE - 1, 2),
    ("end of what a domain can map", USER_END - 8, 16),
    ("last byte of the lower half", 0x7fff_ffff_ffff, 2),
    ("non-canonical", 0x8000_0000_0000, 8),
    ("direct map", DIRECT_MAP, 8),
    ("local APIC", DIRECT_MAP + 0xfee0_0000, 8),
    ("kernel", KERNEL_MAP + KERNEL, 8),
    ("ledger", DIRECT_MAP + LEDGER, 8),
    ("fault ring", DIRECT_MAP + FAULT_RING, 64),
    ("network card", DIRECT_MAP + 0xfeb0_0e00, 4),
    ("unaligned, over the border of direct map and nothing", DIRECT_MAP - 3, 7),
    ("start of the direct map, as much as is allowed", DIRECT_MAP, 256),
    ("guard above the stack", STACK_TOP, 1),
    ("our own text in the upper half", (1 << 63) | PROGRAM_BASE, 8),
    ("last byte there is", u64::MAX, 1),
    ("end of all addresses and around to 0", u64::MAX - 7, 16),
];

/// Header blocks that are not lines of `name: value`, or that name what only the kernel may set.
const HEADERS: &[(&str, &[u8])] = &[
    ("header without a colon", b"no colon\r\n"),
    ("header without an end", b"a: b"),
    ("header that ends in LF alone", b"a: b\n"),
    ("header that ends in CR alone", b"a: b\r"),
    ("header without a name", b": b\r\n"),
    ("blank before the colon", b"a : b\r\n"),
    ("blank before the name", b" a: b\r\n"),
    ("folded header", b"a: b\r\n c\r\n"),
    ("empty line", b"\r\n"),
    ("second response behind an empty line", b"a: b\r\n\r\nHTTP/1.1 200 OK\r\n"),
    ("CR within a value", b"a: b\rc\r\n"),
    ("LF within a value", b"a: b\nc: d\r\n"),
    ("NUL within a value", b"a: b\0\r\n"),
    ("name that is not ASCII", b"\xc3\xbc: b\r\n"),
    ("name with a separator", b"a(b): c\r\n"),
    ("Content-Length", b"Content-Length: 1\r\n"),
    ("content-length behind another header", b"a: b\r\ncontent-length: 1\r\n"),
    ("TRANSFER-ENCODING", b"TRANSFER-ENCODING: chunked\r\n"),
    ("Connection", b"Connection: close\r\n"),
    ("keep-alive", b"keep-alive: timeout=5\r\n"),
    ("Upgrade", b"Upgrade: h2c\r\n"),
    ("Trailer", b"Trailer: a\r\n"),
    ("Date", b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"),
];
