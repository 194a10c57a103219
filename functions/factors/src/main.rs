//! The prime factors of the number in the body, from a table that is made once, before the first request.
#![no_std]
#![no_main]
extern crate alloc;

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use mayfly_sdk::{Prepared, Request, Response};

mayfly_sdk::function!(factors, init = prepare);

/// Numbers from here on are too large.
const END: usize = 100_000;

/// The smallest prime factor of each number; of 0 and 1, themselves.
static SMALLEST: Prepared<Vec<u32>> = Prepared::new();

/// Sieves. Every invocation starts with what this leaves, as if it had just been made.
fn prepare() {
    let mut smallest = vec![0; END];
    for number in 0..END {
        if smallest[number] == 0 {
            let multiples = smallest.iter_mut().skip(number).step_by(number.max(1));
            multiples.filter(|factor| **factor == 0).take(if number < 2 { 1 } else { END }).for_each(|factor| {
                *factor = number as u32;
            });
        }
    }
    SMALLEST.set(smallest);
}

/// Answers with lines such as `60 = 2 * 2 * 3 * 5`, or with 400.
fn factors(request: &Request) -> Response {
    let number = request.text().and_then(|text| text.trim().parse::<usize>().ok());
    match number.filter(|number| (1..END).contains(number)) {
        Some(number) => Response::text(format_args!("{number} = {}\n", fmt::from_fn(|out| product(number, out)))),
        None => Response::text(format_args!("the body is a number from 1 to {}\n", END - 1)).with_status(400),
    }
}

/// Writes a number as the product of its prime factors.
fn product(mut number: usize, out: &mut fmt::Formatter) -> fmt::Result {
    loop {
        let smallest = SMALLEST[number] as usize;
        if smallest == number {
            return write!(out, "{number}");
        }
        write!(out, "{smallest} * ")?;
        number /= smallest;
    }
}
