//! Takes memory until it is refused, in the way that the path names.
#![no_std]
#![no_main]
extern crate alloc;

use alloc::vec::Vec;
use core::arch::asm;
use core::hint::black_box;
use core::ptr::with_exposed_provenance_mut;

use attacks::{List, Table};
use mayfly_abi::PAGE;
use mayfly_abi::call::{Call, Code};
use mayfly_abi::domain::{HEAP_BASE, STACK_BASE, STACK_TOP};
use mayfly_sdk::{Request, Response};

mayfly_sdk::function!(hog);

/// Bytes taken at a time. No power of two, so that the memory limit is not met exactly.
const BITE: usize = 100_000;

/// The path of each way, and the way.
const WAYS: Table<fn() -> Response> = &[
    ("", || take(false)),
    ("/touch", || take(true)),
    ("/pages", take_pages),
    ("/behind-heap", step_over_the_end),
    ("/stack", fill_the_stack),
];

fn hog(request: &Request) -> Response {
    match attacks::choose(request, WAYS) {
        Some(way) => way(),
        None => List::new().with(WAYS).respond(),
    }
}

/// Allocates without end.
fn take(touch: bool) -> Response {
    let mut taken = Vec::new();
    loop {
        let mut bite = Vec::<u8>::with_capacity(BITE);
        if touch {
            bite.resize(BITE, 0xaa);
        }
        // Hidden from the compiler, which would leave out memory that nobody uses.
        taken.push(black_box(bite));
    }
}

/// Takes page after page by hand until none is left, writes to each, and finds in each only what it wrote.
fn take_pages() -> Response {
    let mut pages = 0;
    while grow() == Code::Ok as u64 {
        pages += 1;
    }
    for page in 0..pages {
        if page_of_heap(page, page + 1) != 0 {
            return Response::text("a page was not zero\n").with_status(500);
        }
    }
    for page in 0..pages {
        if page_of_heap(page, 0) != page + 1 {
            return Response::text("a page has changed\n").with_status(500);
        }
    }
    Response::text(format_args!("{pages} pages\n"))
}

/// Writes behind the last page that it got.
fn step_over_the_end() -> Response {
    grow();
    page_of_heap(0, 1);
    page_of_heap(1, 1);
    attacks::survived("a page behind the heap")
}

/// Writes to all of the stack that is not in use.
fn fill_the_stack() -> Response {
    let mut pages = 0;
    for address in (STACK_BASE..STACK_TOP - PAGE).step_by(PAGE as usize) {
        // SAFETY: this part of the stack is ours, and not in use.
        unsafe { with_exposed_provenance_mut::<u64>(address as usize).write_volatile(1) };
        pages += 1;
    }
    Response::text(format_args!("{pages} pages of stack\n"))
}

/// One more page of heap; the code of the answer.
fn grow() -> u64 {
    let code;
    // SAFETY: adds memory that nobody refers to yet; nothing here allocates.
    unsafe {
        asm!("syscall", inlateout("rax") Call::Grow as u64 => code, in("rdi") PAGE, clobber_abi("sysv64"), options(nostack));
    }
    code
}

/// Puts a number into a page of the heap; the number that was there.
fn page_of_heap(page: u64, number: u64) -> u64 {
    let place = with_exposed_provenance_mut::<u64>((HEAP_BASE + page * PAGE) as usize);
    // SAFETY: the heap was grown by hand, so that no allocator knows of it. Behind its end: none, on purpose.
    unsafe { place.replace(number) }
}
