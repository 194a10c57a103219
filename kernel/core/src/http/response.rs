//! The head of a response, and the check of what a function wants in it.

use super::bytes::{is_token, value_len};
use crate::writer::Writer;

/// Most bytes that [`write_head`] adds to the function's own headers.
pub const HEAD_ROOM: usize = 128;

/// The interim answer to `Expect: 100-continue`.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Fields that only the kernel may set: they frame the message or manage the connection, or need a clock.
const RESERVED: [&[u8]; 7] =
    [b"content-length", b"transfer-encoding", b"connection", b"keep-alive", b"upgrade", b"trailer", b"date"];

/// Writes a response head to the start of `out`, and says how many bytes it has. `None` if it does not fit.
///
/// `headers` are the function's own lines, for which [`check_headers`] holds. `body_len` is the length of the body,
/// also where it is not sent in answer to HEAD. There is no Date: this server has no clock (RFC 9110, 6.6.1).
pub fn write_head(out: &mut [u8], status: u16, headers: &[u8], body_len: u64, keep_alive: bool) -> Option<usize> {
    let mut head = Writer::new(out);
    if status == 200 {
        // By far the most common line, in one piece.
        head.bytes(b"HTTP/1.1 200 OK\r\n");
    } else {
        head.bytes(b"HTTP/1.1 ");
        head.decimal(u64::from(status));
        head.bytes(b" ");
        head.bytes(reason(status).as_bytes());
        head.bytes(b"\r\n");
    }
    head.bytes(headers);
    if !matches!(status, 204 | 304) {
        head.bytes(b"Content-Length: ");
        head.decimal(body_len);
        head.bytes(b"\r\n");
    }
    head.bytes(if keep_alive { b"Connection: keep-alive\r\n\r\n" } else { b"Connection: close\r\n\r\n" });
    (!head.truncated()).then_some(head.written())
}

/// Whether a response with this status may have a body. One that may not ends with its head, whatever it says.
pub fn may_have_body(status: u16) -> bool {
    !matches!(status, 204 | 205 | 304)
}

/// Whether `headers` may stand in a response as they are: lines of `name: value` that end in CR LF, without controls
/// and folded lines, and without a field that only the kernel may set.
pub fn check_headers(mut headers: &[u8]) -> bool {
    while !headers.is_empty() {
        let Some(colon) = headers.iter().position(|byte| !is_token(*byte)) else {
            return false;
        };
        let (name, rest) = headers.split_at(colon);
        let Some(value) = rest.strip_prefix(b":") else {
            return false;
        };
        let rest = &value[value_len(value)..];
        if name.is_empty() || !rest.starts_with(b"\r\n") {
            return false;
        }
        if RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) {
            return false;
        }
        headers = &rest[2..];
    }
    true
}

/// The reason phrase of a status; empty if it has no usual one.
pub fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        418 => "I'm a teapot",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        423 => "Locked",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        511 => "Network Authentication Required",
        _ => "",
    }
}
