//! Makes every call with unknown numbers, wild pointers and wrong lengths, in every odd state of the CPU, and checks the
//! code of each refusal.
//!
//! Answers 200 and how many cases it has checked, or 500 and the first that came out otherwise.
#![no_std]
#![no_main]

mod cases;
mod flags;
mod machine;
mod states;
mod sweeps;

use attacks::{List, Table};
use mayfly_sdk::{Request, Response};

mayfly_sdk::function!(badcall);

/// The sweeps; all other paths are states of the CPU.
const SWEEPS: Table<fn() -> Response> = &[
    ("/numbers", sweeps::numbers),
    ("/arguments", sweeps::arguments),
    ("/pointers", sweeps::pointers),
    ("/headers", sweeps::headers),
    ("/unaligned", sweeps::unaligned),
    ("/flood", sweeps::flood),
    ("/flags", flags::across_a_call),
];

fn badcall(request: &Request) -> Response {
    if let Some(sweep) = attacks::choose(request, SWEEPS) {
        return sweep();
    }
    match attacks::choose(request, states::STATES) {
        Some(holds) if holds() => Response::text("as promised\n"),
        Some(_) => Response::text("not as promised\n").with_status(500),
        None => List::new().with(SWEEPS).with(states::STATES).respond(),
    }
}
