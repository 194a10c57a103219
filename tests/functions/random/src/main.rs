//! Answers with 32 random bytes, in hexadecimal.
#![no_std]
#![no_main]

use core::fmt;

use mayfly_sdk::{Request, Response, random};

mayfly_sdk::function!(answer);

fn answer(_: &Request) -> Response {
    let mut bytes = [0; 32];
    random::fill(&mut bytes);
    let digits = fmt::from_fn(|out| bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}")));
    Response::text(format_args!("{digits}\n"))
}
