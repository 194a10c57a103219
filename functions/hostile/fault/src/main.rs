//! Breaks in the way that the path names. Each ends in 502 with the fault's name; other functions notice nothing.
#![no_std]
#![no_main]
extern crate alloc;

mod arithmetic;
mod flags;
mod memory;

use core::arch::asm;
use core::hint::black_box;

use attacks::{List, Table};
use mayfly_sdk::{Request, Response};

mayfly_sdk::function!(fault);

/// The path of each way to break, and the way.
const WAYS: Table<fn()> = &[
    ("/null", memory::read_null),
    ("/wild-jump", memory::jump_astray),
    ("/write-text", memory::write_text),
    ("/write-constants", memory::write_constants),
    ("/execute-stack", memory::execute_stack),
    ("/execute-data", memory::execute_data),
    ("/execute-heap", memory::execute_heap),
    ("/execute-constants", memory::execute_constants),
    ("/recursion", memory::recurse),
    ("/big-frame", memory::take_a_big_frame),
    ("/stack-in-kernel", memory::push_into_kernel),
    ("/stack-at-null", memory::push_at_null),
    ("/stack-noncanonical", memory::push_at_noncanonical),
    ("/divide", arithmetic::divide_by_zero),
    ("/divide-overflow", arithmetic::divide_too_much),
    ("/x87", arithmetic::divide_in_x87),
    ("/sse", arithmetic::divide_in_sse),
    ("/misaligned-sse", arithmetic::misalign_sse),
    ("/misaligned", flags::misalign),
    ("/single-step", flags::single_step),
    ("/step-into-call", flags::step_into_call),
    ("/step-behind-stack-switch", flags::step_behind_stack_switch),
    ("/step-behind-page-fault", flags::step_behind_page_fault),
    ("/illegal", illegal),
    ("/breakpoint", breakpoint),
    ("/panic", panic),
];

fn fault(request: &Request) -> Response {
    match attacks::choose(request, WAYS) {
        Some(break_down) => {
            break_down();
            attacks::survived(request.path())
        }
        None => List::new().with(WAYS).respond(),
    }
}

fn illegal() {
    // SAFETY: an instruction that is none faults.
    unsafe { asm!("ud2") };
}

fn breakpoint() {
    // SAFETY: nobody debugs us, so a breakpoint is a fault.
    unsafe { asm!("int3") };
}

fn panic() {
    let days: &[&str] = black_box(&["Monday", "Tuesday"]);
    black_box(days[2]);
}
