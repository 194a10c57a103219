//! Writes to every page of as many mebibytes of heap as the body says, and answers when it has.
#![no_std]
#![no_main]
extern crate alloc;

use alloc::vec::Vec;

use mayfly_sdk::{Request, Response};

mayfly_sdk::function!(touch);

fn touch(request: &Request) -> Response {
    let Some(mebibytes) = request.text().and_then(|text| text.parse::<usize>().ok()) else {
        return Response::text("the body is a number of mebibytes\n").with_status(400);
    };
    let mut memory = Vec::<u8>::with_capacity(mebibytes << 20);
    for page in memory.spare_capacity_mut().chunks_mut(4096) {
        page[0].write(1);
    }
    Response::text(format_args!("wrote to {mebibytes} MiB\n"))
}
