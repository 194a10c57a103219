//! The SHA-256 digest of the request body, in hexadecimal.
#![no_std]
#![no_main]

use core::fmt;

use mayfly_sdk::{Request, Response};
use sha2::{Digest, Sha256};

mayfly_sdk::function!(sha256);

/// Answers with 64 digits and a line feed.
fn sha256(request: &Request) -> Response {
    let digest = Sha256::digest(request.body());
    let digits = fmt::from_fn(|out| digest.iter().try_for_each(|byte| write!(out, "{byte:02x}")));
    Response::text(format_args!("{digits}\n"))
}
