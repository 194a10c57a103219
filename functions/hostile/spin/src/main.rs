//! Never returns. The kernel ends it at its time limit, with 504, while other functions go on answering.
#![no_std]
#![no_main]

use mayfly_sdk::{Request, Response};

mayfly_sdk::function!(spin);

fn spin(_request: &Request) -> Response {
    #[expect(clippy::empty_loop, reason = "wasting the processor is what it is for")]
    loop {}
}
