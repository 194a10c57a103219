//! Answers with the square of the number in the body, from a table that was made when the image was built, and with how
//! often it has been asked: once, always.
#![no_std]
#![no_main]
extern crate alloc;

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};

use mayfly_sdk::{Prepared, Request, Response};

mayfly_sdk::function!(square, init = prepare);

static SQUARES: Prepared<Vec<u64>> = Prepared::new();
/// The initialisation leaves 100.
static ASKED: AtomicU32 = AtomicU32::new(0);

fn prepare() {
    SQUARES.set((0..10_000).map(|number| number * number).collect());
    ASKED.store(100, Ordering::Relaxed);
}

fn square(request: &Request) -> Response {
    let number = request.text().and_then(|text| text.parse::<usize>().ok());
    let Some(square) = number.and_then(|number| SQUARES.get(number)) else {
        return Response::text("the body is a number below 10000\n").with_status(400);
    };
    // The heap still works, behind what was frozen.
    let asked = Vec::from([ASKED.fetch_add(1, Ordering::Relaxed)]);
    Response::text(format_args!("{square}, asked {} times\n", asked[0] + 1 - 100))
}
