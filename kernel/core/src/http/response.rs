//! The head of a response, and the check of what a function wants in it.

use super::bytes;

/// Most bytes that [`write_head`] adds to the function's own headers.
pub const HEAD_ROOM: usize = 128;

/// The interim answer to `Expect: 100-continue`.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Fields that only the kernel may set: they frame the message or manage the connection, or need a clock.
const RESERVED: [&[u8]; 7] =
    [b"content-length", b"transfer-encoding", b"connection", b"keep-alive", b"upgrade", b"trailer", b"date"];

/// The header lines of most responses: the SDK writes them for text.
const USUAL: &[u8; 41] = b"content-type: text/plain; charset=utf-8\r\n";

/// Writes a response head that ends where `room` ends, and says where in `room` it begins.
///
/// The function's own header lines, for which [`check_headers`] holds, are the first `headers_len` bytes of `room`, which has
/// at least [`HEAD_ROOM`] more; they are moved to where they belong. `body_len` is the length of the body, also where it is
/// not sent in answer to HEAD. There is no Date: this server has no clock (RFC 9110, 6.6.1).
pub fn write_head(room: &mut [u8], headers_len: usize, status: u16, body_len: u64, keep_alive: bool) -> usize {
    // From its end to its start, so that no length has to be known before.
    let mut at = room.len();
    let end: &[u8] = if keep_alive { b"\r\nConnection: keep-alive\r\n\r\n" } else { b"\r\nConnection: close\r\n\r\n" };
    if matches!(status, 204 | 304) {
        prepend(room, &mut at, &end[2..]);
    } else {
        prepend(room, &mut at, end);
        prepend_decimal(room, &mut at, body_len);
        prepend(room, &mut at, b"Content-Length: ");
    }
    at -= headers_len;
    room.copy_within(..headers_len, at);
    if status == 200 {
        // By far the most common line, in one piece.
        prepend(room, &mut at, b"HTTP/1.1 200 OK\r\n");
    } else {
        prepend(room, &mut at, b"\r\n");
        prepend(room, &mut at, reason(status).as_bytes());
        prepend(room, &mut at, b" ");
        prepend_decimal(room, &mut at, u64::from(status));
        prepend(room, &mut at, b"HTTP/1.1 ");
    }
    at
}

/// Writes `bytes` so that they end at `at`, and moves it to where they begin.
fn prepend(room: &mut [u8], at: &mut usize, bytes: &[u8]) {
    let end = *at;
    *at -= bytes.len();
    room[*at..end].copy_from_slice(bytes);
}

fn prepend_decimal(room: &mut [u8], at: &mut usize, mut value: u64) {
    loop {
        *at -= 1;
        room[*at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            return;
        }
    }
}

/// Whether a response with this status may have a body. One that may not ends with its head, whatever it says.
pub fn may_have_body(status: u16) -> bool {
    !matches!(status, 204 | 205 | 304)
}

/// Whether `headers` may stand in a response as they are: lines of `name: value` that end in CR LF, without controls
/// and folded lines, and without a field that only the kernel may set.
#[inline]
pub fn check_headers(headers: &[u8]) -> bool {
    are_usual(headers) || are_allowed(headers)
}

#[inline(never)]
fn are_allowed(headers: &[u8]) -> bool {
    let mut at = 0;
    while at < headers.len() {
        let Ok(line) = bytes::line(headers, at) else {
            return false;
        };
        if RESERVED.iter().any(|reserved| line.name.eq_ignore_ascii_case(reserved)) {
            return false;
        }
        at = line.next;
    }
    true
}

/// Whether header lines are the usual ones. All words are compared before one question is asked, not one for each.
fn are_usual(headers: &[u8]) -> bool {
    let Some(headers) = headers.as_array::<{ USUAL.len() }>() else { return false };
    let (words, last) = headers.as_chunks::<8>();
    let (usual_words, usual_last) = USUAL.as_chunks::<8>();
    let differs = words
        .iter()
        .zip(usual_words)
        .fold(0, |differs, (word, usual)| differs | (u64::from_ne_bytes(*word) ^ u64::from_ne_bytes(*usual)));
    (differs == 0) & (last == usual_last)
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
