//! Decoding calls: each number at its limit and one beyond, and no registers that make it panic.

use mayfly_abi::PAGE;
use mayfly_abi::call::{Call, Code, LOG_MAX, RANDOM_MAX, Reason};
use mayfly_abi::domain::{MEMORY_MAX, RESPONSE_HEADERS_MAX};
use mayfly_core::call::{Purpose, Registers, Request};
use mayfly_core::claim::Claimed;
use proptest::prelude::*;

const LIMIT: u32 = 1000;

fn decode(call: Call, rdi: u64, rsi: u64, rdx: u64) -> Result<Request, Code> {
    Registers { rax: call as u64, rdi, rsi, rdx }.decode(LIMIT)
}

#[test]
fn numbers_that_are_no_call_are_refused() {
    for rax in [0, 8, 9, u64::MAX, (1 << 32) | Call::Clock as u64] {
        assert_eq!(Registers { rax, rdi: 0, rsi: 0, rdx: 0 }.decode(LIMIT), Err(Code::UnknownCall), "{rax}");
    }
}

#[test]
fn respond_takes_final_statuses_and_lengths_within_limits() {
    let respond = |status, headers_len, body_len| decode(Call::Respond, status, headers_len, body_len);
    assert_eq!(respond(200, 0, 0), Ok(Request::Respond { status: 200, headers_len: 0, body_len: 0 }));
    assert_eq!(
        respond(599, RESPONSE_HEADERS_MAX, 1000),
        Ok(Request::Respond { status: 599, headers_len: RESPONSE_HEADERS_MAX as u32, body_len: LIMIT })
    );
    for status in [0, 99, 100, 199, 600, 65_736, u64::MAX] {
        assert_eq!(respond(status, 0, 0), Err(Code::BadStatus), "{status}");
    }
    for (headers_len, body_len) in [(RESPONSE_HEADERS_MAX + 1, 0), (0, 1001), (1 << 32, 0), (0, 1 << 32), (u64::MAX, 0)]
    {
        assert_eq!(respond(200, headers_len, body_len), Err(Code::TooLong), "{headers_len} {body_len}");
    }
}

#[test]
fn log_and_random_bound_their_lengths_and_leave_pointers_as_claims() {
    let address = u64::MAX;
    assert_eq!(
        decode(Call::Log, address, LOG_MAX, 9),
        Ok(Request::Log { text: Claimed { address, len: LOG_MAX } }),
        "arguments that a call does not have are ignored"
    );
    assert_eq!(decode(Call::Log, address, LOG_MAX + 1, 0), Err(Code::TooLong));
    assert_eq!(
        decode(Call::Random, address, RANDOM_MAX, 0),
        Ok(Request::Random { out: Claimed { address, len: RANDOM_MAX } })
    );
    assert_eq!(decode(Call::Random, address, RANDOM_MAX + 1, 0), Err(Code::TooLong));
}

#[test]
fn grow_counts_whole_pages() {
    for (bytes, pages) in [(0, 0), (1, 1), (PAGE, 1), (PAGE + 1, 2), (MEMORY_MAX, (MEMORY_MAX / PAGE) as u32)] {
        assert_eq!(decode(Call::Grow, bytes, 0, 0), Ok(Request::Grow { pages }), "{bytes}");
    }
    for bytes in [MEMORY_MAX + 1, u64::MAX - PAGE, u64::MAX] {
        assert_eq!(decode(Call::Grow, bytes, 0, 0), Err(Code::OutOfMemory), "{bytes}");
    }
}

#[test]
fn fail_needs_a_reason_and_a_short_text() {
    let text = Claimed { address: 5, len: 7 };
    assert_eq!(decode(Call::Fail, 1, 5, 7), Ok(Request::Fail { reason: Reason::Panic, text }));
    assert_eq!(decode(Call::Fail, 2, 5, 7), Ok(Request::Fail { reason: Reason::OutOfMemory, text }));
    for reason in [0, 3, (1 << 32) | 1, u64::MAX] {
        assert_eq!(decode(Call::Fail, reason, 5, 7), Err(Code::BadReason), "{reason}");
    }
    assert_eq!(decode(Call::Fail, 1, 5, LOG_MAX + 1), Err(Code::TooLong));
}

#[test]
fn an_initialisation_answers_nobody_and_learns_nothing_of_time_and_chance() {
    let claimed = Claimed { address: 0, len: 0 };
    let fail = Request::Fail { reason: Reason::Panic, text: claimed };
    for request in [
        Request::Respond { status: 200, headers_len: 0, body_len: 0 },
        Request::Clock,
        Request::Random { out: claimed },
    ] {
        assert_eq!(request.allowed(Purpose::Init), Err(Code::NotNow));
        assert_eq!(request.allowed(Purpose::Serve), Ok(request));
    }
    for request in [Request::Log { text: claimed }, Request::Grow { pages: 1 }, fail] {
        assert_eq!(request.allowed(Purpose::Init), Ok(request));
        assert_eq!(request.allowed(Purpose::Serve), Ok(request));
    }
    assert_eq!(Request::Ready.allowed(Purpose::Init), Ok(Request::Ready));
    assert_eq!(Request::Ready.allowed(Purpose::Serve), Err(Code::NotNow));
}

#[test]
fn clock_takes_no_arguments() {
    assert_eq!(decode(Call::Clock, u64::MAX, u64::MAX, u64::MAX), Ok(Request::Clock));
}

proptest! {
    #[test]
    fn whatever_is_decoded_is_within_its_limits(rax in 0u64..10, args in any::<[u64; 3]>(), shift in 0u32..64) {
        let [rdi, rsi, rdx] = args.map(|arg| arg >> shift);
        match (Registers { rax, rdi, rsi, rdx }).decode(LIMIT) {
            Ok(Request::Respond { status, headers_len, body_len }) => {
                prop_assert!((200..600).contains(&status));
                prop_assert!(u64::from(headers_len) <= RESPONSE_HEADERS_MAX && body_len <= LIMIT);
            }
            Ok(Request::Log { text } | Request::Fail { text, .. }) => prop_assert!(text.len <= LOG_MAX),
            Ok(Request::Random { out }) => prop_assert!(out.len <= RANDOM_MAX),
            Ok(Request::Grow { pages }) => {
                prop_assert!(u64::from(pages) * PAGE >= rdi && u64::from(pages) * PAGE <= MEMORY_MAX);
            }
            Ok(Request::Ready) => prop_assert_eq!(rax, Call::Ready as u64),
            Ok(Request::Clock) => prop_assert_eq!(rax, Call::Clock as u64),
            Err(code) => prop_assert_ne!(code, Code::Ok),
        }
    }
}
