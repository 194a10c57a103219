//! Looks for memory that its last invocation gave back: through a translation that the CPU may still hold.
//!
//! With the path `/leave` it grows its heap and writes to the last page alone, so that the pages before it are never
//! made. With any other it reads that page without having a heap: 502, unless a stale translation leads to a frame that
//! belongs to somebody else by now.
#![no_std]
#![no_main]
extern crate alloc;

use alloc::vec::Vec;
use core::hint::black_box;
use core::ptr::with_exposed_provenance;

use mayfly_abi::domain::HEAP_BASE;
use mayfly_sdk::{Request, Response};

mayfly_sdk::function!(stale);

/// Bytes of heap; the byte that is touched is far from its start, where the allocator keeps its books.
const HEAP: usize = 256 << 10;
const TOUCHED: usize = 200 << 10;

fn stale(request: &Request) -> Response {
    if request.path() == "/leave" {
        let mut heap = Vec::<u8>::with_capacity(HEAP);
        heap.spare_capacity_mut()[TOUCHED].write(0x5a);
        let offset = black_box(&heap).as_ptr().addr() + TOUCHED - HEAP_BASE as usize;
        return Response::text(format_args!("left a mark {offset} bytes into the heap\n"));
    }
    let place = with_exposed_provenance::<u8>(HEAP_BASE as usize + TOUCHED);
    // SAFETY: none, on purpose: the heap was given back.
    let found = unsafe { place.read_volatile() };
    Response::text(format_args!("found {found:#x}\n"))
}
