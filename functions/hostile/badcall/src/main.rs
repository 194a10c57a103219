//! Makes every call with unknown numbers, wild pointers and wrong lengths, and checks the code of each refusal.
//!
//! Answers 200 and a list of `call, what is wrong: code`, or 500 and the first case that came out otherwise.
#![no_std]
#![no_main]

mod cases;
mod machine;

use core::fmt::Write;

use mayfly_abi::call::Code;
use mayfly_sdk::{Request, Response};

use crate::cases::Case;

mayfly_sdk::function!(badcall);

fn badcall(_request: &Request) -> Response {
    for case in cases::all() {
        let code = perform(&case);
        if code != Ok(case.expected) {
            return Response::text(format_args!("{case}, but came out as {code:?}\n")).with_status(500);
        }
    }
    for (what, holds) in machine::STATES {
        if !holds() {
            return Response::text(format_args!("{what}: no\n")).with_status(500);
        }
    }
    list()
}

/// Makes the call; the error is a code that is none.
fn perform(case: &Case) -> Result<Code, u64> {
    if let Some(headers) = case.headers {
        machine::write_headers(headers);
    }
    Code::try_from(machine::call(case.number, case.arguments).code)
}

/// What was found, all as expected.
fn list() -> Response {
    let mut list = Response::text("");
    let written = cases::all()
        .try_for_each(|case| writeln!(list, "{case}"))
        .and_then(|()| machine::STATES.iter().try_for_each(|(what, _)| writeln!(list, "{what}: yes")));
    match written {
        Ok(()) => list,
        Err(_) => Response::text("the list is over the response limit\n").with_status(500),
    }
}
