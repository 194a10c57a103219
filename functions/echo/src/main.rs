//! Sends back what it got. The body comes back as the body; method, path and query come back as headers.
#![no_std]
#![no_main]

use mayfly_sdk::{Request, Response};

mayfly_sdk::function!(echo);

/// Answers with the request's body and content type, and tells the rest in `x-mayfly-…` headers.
fn echo(request: &Request) -> Response {
    Response::bytes(request.body())
        .with_type(request.header("content-type").unwrap_or("application/octet-stream"))
        .with_header("x-mayfly-method", request.method())
        .with_header("x-mayfly-path", request.path())
        .with_header("x-mayfly-query", request.query())
        .with_header("x-mayfly-headers", request.headers().count())
}
