//! Greets the name in the request body: the smallest whole function.
#![no_std]
#![no_main]

use mayfly_sdk::{Request, Response};

mayfly_sdk::function!(hello);

/// Answers with a greeting for the name in the request body.
fn hello(request: &Request) -> Response {
    Response::text(format_args!("hello, {}\n", request.text().unwrap_or("world")))
}
