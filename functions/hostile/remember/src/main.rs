//! Leaves a mark wherever it can write, and looks for the mark of an invocation before. There must never be one.
//!
//! Send the mark itself, [`MARK`] over and over, as a long body first, and a short body after it, to see whether what a
//! request leaves in its window shows up in the next one.
#![no_std]
#![no_main]
extern crate alloc;

use alloc::vec::Vec;
use core::hint::black_box;
use core::ptr::{with_exposed_provenance, with_exposed_provenance_mut};
use core::sync::atomic::{AtomicU64, Ordering};

use mayfly_abi::domain::{HEAP_BASE, REQUEST_BASE, RESPONSE_BASE, STACK_BASE, STACK_TOP};
use mayfly_abi::{PAGE, page_up};
use mayfly_sdk::{Request, Response};

mayfly_sdk::function!(remember);

/// The mark.
const MARK: u64 = u64::from_le_bytes(*b"REMEMBER");
/// Bytes of heap that are marked.
const HEAP: usize = 64 << 10;
/// What [`DATA`] is built with.
const FIRST: u64 = 1;

static ZEROED: AtomicU64 = AtomicU64::new(0);
static DATA: AtomicU64 = AtomicU64::new(FIRST);

fn remember(request: &Request) -> Response {
    // The allocator keeps its own notes in the first page, so that one is left out.
    let heap = black_box(Vec::<u8>::with_capacity(HEAP));
    let stack_in_use = PAGE;
    let request_end = request.body().as_ptr_range().end as u64;
    let places = [
        ("stack", STACK_BASE, STACK_TOP - stack_in_use, true),
        ("heap", HEAP_BASE + PAGE, HEAP_BASE + HEAP as u64, true),
        ("response window", RESPONSE_BASE, RESPONSE_BASE + 4 * PAGE, true),
        ("request window", request_end.next_multiple_of(8), page_up(request_end.max(REQUEST_BASE + 1)), false),
    ];
    for (name, start, end, writable) in places {
        for address in (start..end).step_by(8) {
            // SAFETY: all of it is mapped for us, and nothing of ours lies there: the stack in use is left out, the
            // vector is empty, no response is begun.
            let found = unsafe { with_exposed_provenance::<u64>(address as usize).read_volatile() };
            if found == MARK {
                return Response::text(format_args!("{name}: found a mark at {address:#x}\n")).with_status(500);
            }
            if writable {
                // SAFETY: as above.
                unsafe { with_exposed_provenance_mut::<u64>(address as usize).write_volatile(MARK) };
            }
        }
    }
    drop(heap);
    if ZEROED.swap(MARK, Ordering::Relaxed) != 0 || DATA.swap(MARK, Ordering::Relaxed) != FIRST {
        return Response::text("static: not at its first value\n").with_status(500);
    }
    Response::text("nothing\n")
}
