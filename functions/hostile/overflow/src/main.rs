//! Recurses until the stack ends. The guard page below it faults: 502.
#![no_std]
#![no_main]

use core::hint::black_box;

use mayfly_sdk::{Request, Response};

mayfly_sdk::function!(overflow);

fn overflow(request: &Request) -> Response {
    Response::text(descend(request.invocation()))
}

/// Calls itself with a little more each time; the black box keeps the compiler from making a loop of it.
#[expect(unconditional_recursion, reason = "using up the stack is what it is for")]
fn descend(depth: u64) -> u64 {
    black_box(descend(black_box(depth) + 1)) + 1
}
