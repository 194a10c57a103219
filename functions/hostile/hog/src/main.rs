//! Takes memory until it is refused: 507. With the path `/touch` it also writes to all that it gets.
#![no_std]
#![no_main]
extern crate alloc;

use alloc::vec::Vec;
use core::hint::black_box;

use mayfly_sdk::{Request, Response};

mayfly_sdk::function!(hog);

/// Bytes taken at a time. No power of two, so that the memory limit is not met exactly.
const BITE: usize = 100_000;

fn hog(request: &Request) -> Response {
    let mut taken = Vec::new();
    loop {
        let mut bite = Vec::<u8>::with_capacity(BITE);
        if request.path() == "/touch" {
            bite.resize(BITE, 0xaa);
        }
        // Hidden from the compiler, which would leave out memory that nobody uses.
        taken.push(black_box(bite));
    }
}
