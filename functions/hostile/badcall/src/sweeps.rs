//! Many cases at a time: each sweep answers with their number, or with the first that came out wrong.

use core::fmt::Display;

use mayfly_abi::PAGE;
use mayfly_abi::call::{Call, Code};
use mayfly_abi::domain::RESPONSE_BASE;
use mayfly_sdk::Response;

use crate::cases::{self, Case};
use crate::machine::{call, read_response, write_response};

/// Calls made by the flood.
const FLOOD: u32 = 100_000;

/// Every number up to 4095 that is no call, and every call and 0 with one further bit set.
pub(crate) fn numbers() -> Response {
    const SMALL: u64 = 1 << 12;
    let known = Call::ALL.len() as u64;
    let small = (0..SMALL).filter(|number| !(1..=known).contains(number));
    let large = (12..64).flat_map(|bit| (0..=known).map(move |number| 1 << bit | number));
    let mut refused = 0;
    for number in small.chain(large) {
        let answer = call(number, [0; 3]);
        if answer.code != Code::UnknownCall as u64 || answer.value != 0 {
            return wrong(format_args!("number {number:#x} came out as {}, {:#x}", answer.code, answer.value));
        }
        refused += 1;
    }
    Response::text(format_args!("{refused} numbers refused\n"))
}

pub(crate) fn arguments() -> Response {
    check(cases::arguments())
}

pub(crate) fn pointers() -> Response {
    check(cases::pointers())
}

pub(crate) fn headers() -> Response {
    check(cases::headers())
}

/// Makes each call. One that is refused must have no value.
fn check(cases: impl Iterator<Item = Case>) -> Response {
    let mut checked = 0;
    for case in cases {
        if let Some(headers) = case.headers {
            write_response(0, headers);
        }
        let answer = call(case.number, case.arguments);
        let code = Code::try_from(answer.code);
        if code != Ok(case.expected) || (case.expected != Code::Ok && answer.value != 0) {
            return wrong(format_args!("{case}, but came out as {code:?}, {:#x}", answer.value));
        }
        checked += 1;
    }
    Response::text(format_args!("{checked} calls checked\n"))
}

/// Random bytes at every alignment and of every small length, over the border of two pages: no byte beside them changes.
pub(crate) fn unaligned() -> Response {
    const LENGTHS: u64 = 40;
    const AROUND: u64 = 64;
    let mut filled = 0;
    for before in 0..16 {
        for len in 0..LENGTHS {
            let start = PAGE - AROUND / 2 - before;
            write_response(start - AROUND, &[0; 256]);
            let answer = call(Call::Random as u64, [RESPONSE_BASE + start, len, 0]);
            let mut found = [0; 256];
            read_response(start - AROUND, &mut found);
            let outside = found[..AROUND as usize].iter().chain(&found[(AROUND + len) as usize..]);
            if answer.code != Code::Ok as u64 || outside.into_iter().any(|&byte| byte != 0) {
                return wrong(format_args!("{len} bytes at {start:#x} came out as {}", answer.code));
            }
            filled += 1;
        }
    }
    Response::text(format_args!("{filled} runs filled\n"))
}

pub(crate) fn flood() -> Response {
    let carried_out = (0..FLOOD).filter(|_| call(Call::Clock as u64, [0; 3]).code == Code::Ok as u64).count();
    Response::text(format_args!("{carried_out} calls carried out\n"))
}

fn wrong(what: impl Display) -> Response {
    Response::text(format_args!("{what}\n")).with_status(500)
}
