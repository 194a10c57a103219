//! The response, built in the window from which the kernel sends it: nothing is copied.

use core::fmt;

use mayfly_abi::call::Reason;
use mayfly_abi::domain::RESPONSE_HEADERS_MAX;

use crate::window::{self, Area};
use crate::{call, line};

/// An HTTP response. It implements [`fmt::Write`], so that `write!` adds to its body.
///
/// A domain has one response window: making a second response starts over in it, and leaves the first one worthless.
///
/// What did not fit is remembered: [`Response::check`] tells, and a response that lacks something is never sent. The
/// client then gets 502, and the machine's console the [`ResponseError`]'s sentence.
#[derive(Debug)]
pub struct Response {
    status: u16,
    headers: Area,
    body: Area,
    /// The header line that is sent unless a header has set another content type.
    content_type: Option<&'static str>,
    error: Option<ResponseError>,
}

impl Response {
    /// A response with this status and an empty body.
    pub fn status(status: u16) -> Self {
        let (headers, body) = window::response();
        Self::over(status, headers, body)
    }

    /// Status 200 and text: a string, `format_args!(…)`, or whatever else can be displayed.
    pub fn text(text: impl fmt::Display) -> Self {
        Self::status(200).with_text(text)
    }

    /// Status 200 and bytes of no particular type.
    pub fn bytes(bytes: &[u8]) -> Self {
        Self::status(200).with_bytes(bytes)
    }

    fn over(status: u16, headers: Area, body: Area) -> Self {
        Self { status, headers, body, content_type: None, error: None }
    }

    fn with_text(mut self, text: impl fmt::Display) -> Self {
        self.content_type = Some("content-type: text/plain; charset=utf-8\r\n");
        if fmt::write(&mut self, format_args!("{text}")).is_err() {
            self.error.get_or_insert(ResponseError::Format);
        }
        self
    }

    fn with_bytes(mut self, bytes: &[u8]) -> Self {
        self.content_type = Some("content-type: application/octet-stream\r\n");
        // The response remembers what went wrong.
        let _ = self.write_bytes(bytes);
        self
    }

    /// The same response with another status, 200 to 599.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same response with this content type.
    #[must_use]
    pub fn with_type(self, content_type: impl fmt::Display) -> Self {
        self.with_header("content-type", content_type)
    }

    /// The same response with one more header.
    ///
    /// The kernel sets `Content-Length`, `Date` and all that concern the connection itself, and refuses them here.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl fmt::Display) -> Self {
        let start = self.headers.len();
        if let Err(error) = self.push_header(name, value) {
            self.headers.truncate(start);
            self.error.get_or_insert(error);
        } else if name.eq_ignore_ascii_case("content-type") {
            self.content_type = None;
        }
        self
    }

    fn push_header(&mut self, name: &str, value: impl fmt::Display) -> Result<(), ResponseError> {
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(ResponseError::BadHeader);
        }
        if !(self.headers.push(name.as_bytes()) && self.headers.push(b": ")) {
            return Err(ResponseError::HeadersTooLong);
        }
        let mut field = FieldValue { headers: &mut self.headers, error: None };
        let written = fmt::write(&mut field, format_args!("{value}"));
        match field.error {
            Some(error) => Err(error),
            None if written.is_err() => Err(ResponseError::Format),
            None if !self.headers.push(b"\r\n") => Err(ResponseError::HeadersTooLong),
            None => Ok(()),
        }
    }

    /// Adds to the body: all of `bytes`, or nothing and an error if they do not fit.
    pub fn write_bytes(&mut self, bytes: &[u8]) -> Result<(), ResponseError> {
        if self.body.push(bytes) {
            return Ok(());
        }
        Err(self.body_too_long())
    }

    // Kept apart: a write that fits, as almost all do, is to be short.
    #[cold]
    fn body_too_long(&mut self) -> ResponseError {
        let error = ResponseError::BodyTooLong { limit: self.body.capacity() };
        self.error.get_or_insert(error);
        error
    }

    /// The response, if all that was added to it is in it.
    pub fn check(self) -> Result<Self, ResponseError> {
        match self.error {
            None => Ok(self),
            Some(error) => Err(error),
        }
    }

    /// The response with its content type in place, ready to go.
    fn finish(mut self) -> Result<Self, ResponseError> {
        if let Some(line) = self.content_type
            && !self.headers.push(line.as_bytes())
        {
            return Err(self.error.unwrap_or(ResponseError::HeadersTooLong));
        }
        self.check()
    }

    /// Hands the response to the kernel.
    pub(crate) fn send(self) -> ! {
        match self.finish() {
            Ok(Self { status, headers, body, .. }) => {
                let code = call::respond(status, headers.len(), body.len());
                line::fail(Reason::Panic, format_args!("the kernel refused the response, status {status}: {code:?}"))
            }
            Err(error) => line::fail(Reason::Panic, error),
        }
    }
}

impl fmt::Write for Response {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write_bytes(text.as_bytes()).map_err(|_| fmt::Error)
    }
}

/// The value of a header in the making.
struct FieldValue<'a> {
    headers: &'a mut Area,
    error: Option<ResponseError>,
}

impl fmt::Write for FieldValue<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.bytes().any(|byte| (byte < b' ' && byte != b'\t') || byte == 0x7f) {
            self.error = Some(ResponseError::BadHeader);
        } else if !self.headers.push(text.as_bytes()) {
            self.error = Some(ResponseError::HeadersTooLong);
        }
        if self.error.is_none() { Ok(()) } else { Err(fmt::Error) }
    }
}

/// Whether a header's name may hold `byte` (RFC 9110, 5.6.2).
fn is_token(byte: u8) -> bool {
    // A `match`, because the compiler makes a few instructions of it.
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

/// Why a response lacks something that was added to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseError {
    /// The body is longer than the manifest's `response` allows.
    BodyTooLong {
        /// Most bytes of body.
        limit: usize,
    },
    /// The headers are longer than 1024 bytes.
    HeadersTooLong,
    /// A header's name is no token, or its value holds a control character.
    BadHeader,
    /// A value that was formatted into the response returned an error.
    Format,
}

impl fmt::Display for ResponseError {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::BodyTooLong { limit } => {
                write!(out, "the response's body is over its limit of {limit} bytes (`response` in mayfly.toml)")
            }
            Self::HeadersTooLong => write!(out, "the response's headers are over {RESPONSE_HEADERS_MAX} bytes"),
            Self::BadHeader => write!(out, "a response header has a bad name, or a control character in its value"),
            Self::Format => write!(out, "a value in the response could not be formatted"),
        }
    }
}

impl core::error::Error for ResponseError {}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use core::fmt::Write;
    use std::vec::Vec;

    /// Builds a response over windows of these sizes and gives its headers and body back.
    fn sent(
        headers_len: usize,
        body_len: usize,
        build: impl FnOnce(Response) -> Response,
    ) -> Result<(Vec<u8>, Vec<u8>), ResponseError> {
        let (mut headers, mut body) = (std::vec![0xee; headers_len], std::vec![0xee; body_len]);
        // SAFETY: the vectors outlive the response, and are not looked at while it is built.
        #[expect(unsafe_code, reason = "stands in for the window")]
        let areas = unsafe { (Area::new(headers.as_mut_ptr(), headers_len), Area::new(body.as_mut_ptr(), body_len)) };
        let response = build(Response::over(200, areas.0, areas.1)).finish()?;
        headers.truncate(response.headers.len());
        body.truncate(response.body.len());
        Ok((headers, body))
    }

    #[test]
    fn text_and_bytes_bring_their_content_type() {
        let (headers, body) = sent(100, 100, |response| response.with_text(format_args!("{}!", 42))).expect("fits");
        assert_eq!((&headers[..], &body[..]), (&b"content-type: text/plain; charset=utf-8\r\n"[..], &b"42!"[..]));
        let (headers, body) = sent(100, 100, |response| response.with_bytes(b"\0\xff")).expect("fits");
        assert_eq!((&headers[..], &body[..]), (&b"content-type: application/octet-stream\r\n"[..], &b"\0\xff"[..]));
    }

    #[test]
    fn a_content_type_of_ones_own_replaces_it() {
        let built = sent(100, 0, |response| response.with_text("").with_type("image/svg+xml").with_header("x-a", 1));
        assert_eq!(built.expect("fits").0, b"content-type: image/svg+xml\r\nx-a: 1\r\n");
        let built = sent(100, 0, |response| response.with_text("").with_header("Content-Type", "text/css"));
        assert_eq!(built.expect("fits").0, b"Content-Type: text/css\r\n");
    }

    #[test]
    fn a_status_alone_has_no_content_type() {
        assert_eq!(sent(0, 0, |response| response.with_status(204)), Ok((Vec::new(), Vec::new())));
    }

    #[test]
    fn a_body_fills_its_limit_to_the_last_byte_and_no_further() {
        assert_eq!(sent(100, 4, |response| response.with_bytes(b"1234")).expect("fits").1, b"1234");
        let too_long = Err(ResponseError::BodyTooLong { limit: 4 });
        assert_eq!(sent(100, 4, |response| response.with_bytes(b"12345")), too_long);
        assert_eq!(sent(100, 4, |response| response.with_text(12345)), too_long);
    }

    #[test]
    fn a_write_that_does_not_fit_is_told_at_once_and_at_the_end() {
        let built = sent(0, 4, |mut response| {
            assert_eq!(write!(response, "ab"), Ok(()));
            assert_eq!(response.write_bytes(b"cde"), Err(ResponseError::BodyTooLong { limit: 4 }));
            assert_eq!(response.write_bytes(b"cd"), Ok(()));
            response
        });
        assert_eq!(built, Err(ResponseError::BodyTooLong { limit: 4 }));
    }

    #[test]
    fn headers_fill_their_limit_and_no_further() {
        let build = |response: Response| response.with_header("a", "b");
        assert_eq!(sent(6, 0, build).expect("fits").0, b"a: b\r\n");
        for too_short in 0..6 {
            assert_eq!(sent(too_short, 0, build), Err(ResponseError::HeadersTooLong), "{too_short} bytes");
        }
    }

    #[test]
    fn a_header_cannot_smuggle_another_line() {
        for (name, value) in [("a", "b\r\nc: d"), ("a", "b\n"), ("a", "\0"), ("a: b\r\nc", "d"), ("a ", "b"), ("", "b")]
        {
            let built = sent(100, 0, |response| response.with_header(name, value));
            assert_eq!(built, Err(ResponseError::BadHeader), "{name:?}: {value:?}");
        }
    }

    #[test]
    fn a_value_that_cannot_be_displayed_is_an_error_of_its_own() {
        struct Broken;
        impl fmt::Display for Broken {
            fn fmt(&self, _: &mut fmt::Formatter) -> fmt::Result {
                Err(fmt::Error)
            }
        }
        assert_eq!(sent(100, 100, |response| response.with_text(Broken)), Err(ResponseError::Format));
        assert_eq!(sent(100, 100, |response| response.with_header("a", Broken)), Err(ResponseError::Format));
    }
}
