//! The head of a request: where it ends, and what its line and headers mean for the connection and the body.

use core::mem::MaybeUninit;

use mayfly_abi::domain::HEAD_MAX;

use super::{Method, Reject, bytes};
use crate::digits::decimal;

/// Most header lines in a head.
pub const HEADERS_MAX: usize = 64;
/// Most bytes in a request target.
pub const TARGET_MAX: usize = 4096;

/// A run of bytes of the input that a [`Head`] was parsed from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Offset of its first byte in the input.
    pub start: u16,
    /// Length in bytes.
    pub len: u16,
}

impl Span {
    /// Both ends are offsets below [`HEAD_MAX`].
    fn new(start: usize, end: usize) -> Self {
        Self { start: start as u16, len: (end - start) as u16 }
    }

    /// The bytes themselves. `input` is what the head was parsed from.
    pub fn of(self, input: &[u8]) -> &[u8] {
        &input[usize::from(self.start)..][..usize::from(self.len)]
    }
}

/// How the end of the body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// The body has this many bytes.
    Length(u64),
    /// The body comes in chunks: see [`super::chunked`].
    Chunked,
}

/// The protocol version of a request. Answers are always HTTP/1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

/// A checked request head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The method.
    pub method: Method,
    /// The method's name.
    pub method_name: Span,
    /// The target's path without query: starts with `/`, or is `*` for `OPTIONS *`. UTF-8, not percent-decoded.
    pub path: Span,
    /// What follows `?` in the target, without it. UTF-8, not percent-decoded.
    pub query: Span,
    /// The header lines, each with its CR LF, without the empty line at the end.
    pub headers: Span,
    /// How the end of the body is told.
    pub framing: Framing,
    /// The client's version.
    pub version: Version,
    /// Whether the client wants to send another request on this connection.
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub expect_continue: bool,
}

const BARE_LF: Reject = Reject::bad("a line of the request's head does not end in CR LF");
const REQUEST_LINE: Reject = Reject::bad("the request line is not `method target HTTP/1.1`");
const TARGET: Reject = Reject::bad("the request target is neither a path nor an http URL without fragment");
const HEADER_NAME: Reject =
    Reject::bad("a header line starts with white space, has a space before its colon, or an invalid name");
const HEADER_VALUE: Reject = Reject::bad("a header value holds a control character");
const LINE_END: Reject = Reject::bad("a carriage return is not followed by a line feed");
const NO_HOST: Reject = Reject::bad("an HTTP/1.1 request needs a Host header");
const MANY_HOSTS: Reject = Reject::bad("the request has more than one Host header");
const BAD_HOST: Reject = Reject::bad("the Host header is not a host and port");
const BAD_LENGTH: Reject = Reject::bad("the Content-Length header is not a number");
const MANY_LENGTHS: Reject = Reject::bad("the request has more than one Content-Length header");
const MANY_CODINGS: Reject = Reject::bad("the request has more than one Transfer-Encoding header");
const TWO_FRAMINGS: Reject = Reject::bad("the request has both Content-Length and Transfer-Encoding");
const OLD_CODING: Reject = Reject::bad("an HTTP/1.0 request cannot have a Transfer-Encoding");
const CODING: Reject = Reject { status: 501, reason: "the only known Transfer-Encoding is `chunked`" };
const METHOD: Reject = Reject { status: 405, reason: "functions cannot be asked with this method" };
const VERSION: Reject = Reject { status: 505, reason: "the request's version is not HTTP/1.0 or HTTP/1.1" };
const TARGET_TOO_LONG: Reject = Reject { status: 414, reason: "the request target has more than 4096 bytes" };
const HEAD_TOO_LONG: Reject = Reject { status: 431, reason: "the request's line and headers exceed 8192 bytes" };
const MANY_HEADERS: Reject = Reject { status: 431, reason: "the request has more than 64 header lines" };

/// Parses the head at the start of `input`, and says how many bytes it has.
///
/// `Ok(None)` means that its end has not arrived: ask again with more bytes, and the length of this `input` as
/// `searched` so that they are not searched again. Empty lines before the request are skipped (RFC 9112, 2.2).
pub fn parse(input: &[u8], searched: usize) -> Result<Option<(Head, usize)>, Reject> {
    let input = &input[..input.len().min(HEAD_MAX as usize)];
    let Some(end) = find_end(input, searched) else {
        return if input.len() < HEAD_MAX as usize { Ok(None) } else { Err(too_long(input)) };
    };
    let input = &input[..end];
    if !input.ends_with(b"\r\n\r\n") {
        return Err(BARE_LF);
    }

    let mut headers = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut []);
    let parsed = request.parse_with_uninit_headers(input, &mut headers);
    let start = first_line(input);
    let target_start = start + request.method.map_or(0, str::len) + 1;
    let target_end = target_start + request.path.map_or(0, str::len);
    match parsed {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(REQUEST_LINE),
        Err(error) => return Err(explain(error, &input[(target_end + 1).min(end)..])),
    }
    let (Some(name), Some(target), Some(minor)) = (request.method, request.path, request.version) else {
        return Err(REQUEST_LINE);
    };

    if target.len() > TARGET_MAX {
        return Err(TARGET_TOO_LONG);
    }
    let method = Method::from_name(name.as_bytes()).ok_or(METHOD)?;
    let (path, query) = split_target(method, target.as_bytes(), target_start)?;
    let version = if minor == 0 { Version::Http10 } else { Version::Http11 };
    let fields = Fields::read(request.headers)?;
    // Exact, since the line has single spaces and ends in CR LF: ` HTTP/1.1` and the line end have 11 bytes.
    let headers = Span::new(target_end + 11, end - 2);
    Ok(Some((
        Head {
            method,
            method_name: Span::new(start, target_start - 1),
            path,
            query,
            headers,
            framing: fields.framing(version)?,
            version,
            keep_alive: !fields.close && (version == Version::Http11 || fields.keep_alive),
            expect_continue: fields.expect_continue && version == Version::Http11,
        },
        end,
    )))
}

/// Where the head at the start of `input` ends: behind the first empty line, or behind the first line feed without a
/// carriage return, so that a malformed head is refused at once. The first `searched` bytes are known not to hold it.
pub fn find_end(input: &[u8], searched: usize) -> Option<usize> {
    let start = first_line(input);
    let ends_at = |at: usize| {
        let bare = at == 0 || input[at - 1] != b'\r';
        let empty = at >= start + 2 && input[at - 2] == b'\n';
        bare || empty
    };
    let from = searched.max(start);
    let (words, tail) = input.get(from..)?.as_chunks();
    let mut at = from;
    for word in words {
        let mut found = line_feeds(*word);
        while found != 0 {
            let feed = at + found.trailing_zeros() as usize / 8;
            if ends_at(feed) {
                return Some(feed + 1);
            }
            found &= found - 1;
        }
        at += 8;
    }
    for byte in tail {
        if *byte == b'\n' && ends_at(at) {
            return Some(at + 1);
        }
        at += 1;
    }
    None
}

/// Splits a path into its first segment, without slashes, and what follows: nothing, or `/` and the rest. The segment
/// of a path that does not start with `/` is empty.
pub fn route(path: &[u8]) -> (&[u8], &[u8]) {
    let Some(path) = path.strip_prefix(b"/") else {
        return (b"", b"");
    };
    path.split_at(path.iter().position(|byte| *byte == b'/').unwrap_or(path.len()))
}

/// Offset of the first line that is not empty.
fn first_line(input: &[u8]) -> usize {
    let mut start = 0;
    while input[start..].starts_with(b"\r\n") {
        start += 2;
    }
    start
}

/// The top bit of each byte that is a line feed. Eight bytes a step, because every byte of a head passes here.
fn line_feeds(word: [u8; 8]) -> u64 {
    const LOW_BITS: u64 = u64::from_le_bytes([0x7f; 8]);
    let difference = u64::from_le_bytes(word) ^ u64::from_le_bytes([b'\n'; 8]);
    // The sum's top bit is clear only where the low bits are all zero; no byte carries into the next.
    !(((difference & LOW_BITS) + LOW_BITS) | difference | LOW_BITS)
}

/// Which limit a head without an end within [`HEAD_MAX`] breaks.
fn too_long(input: &[u8]) -> Reject {
    let mut lines = input[first_line(input)..].split(|byte| *byte == b'\n');
    let target = lines.next().and_then(|line| line.split(|byte| *byte == b' ').nth(1)).unwrap_or_default();
    if target.len() > TARGET_MAX { TARGET_TOO_LONG } else { HEAD_TOO_LONG }
}

/// What the parser's error means for the client. `version` is what follows the target if it got that far.
fn explain(error: httparse::Error, version: &[u8]) -> Reject {
    match error {
        httparse::Error::HeaderName => HEADER_NAME,
        httparse::Error::HeaderValue => HEADER_VALUE,
        httparse::Error::NewLine => LINE_END,
        httparse::Error::TooManyHeaders => MANY_HEADERS,
        httparse::Error::Version => match version {
            [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9', b'\r', ..] => VERSION,
            _ => REQUEST_LINE,
        },
        httparse::Error::Token | httparse::Error::Status => REQUEST_LINE,
    }
}

/// Path and query of a request target that starts at offset `start` (RFC 9112, 3.2).
fn split_target(method: Method, target: &[u8], start: usize) -> Result<(Span, Span), Reject> {
    let mut query_at = target.len();
    for (at, byte) in target.iter().enumerate() {
        match byte {
            b'#' => return Err(TARGET),
            b'?' if query_at == target.len() => query_at = at,
            _ => {}
        }
    }
    let query = Span::new(start + (query_at + 1).min(target.len()), start + target.len());
    let path = &target[..query_at];
    if path.starts_with(b"/") || (path == b"*" && target.len() == 1 && method == Method::Options) {
        return Ok((Span::new(start, start + query_at), query));
    }

    // Absolute form, as clients send it to a proxy: `http://host/path`. Its host counts, not the header's, but all
    // hosts are one here.
    const SCHEME: &[u8] = b"http://";
    let (scheme, authority) = path.split_at_checked(SCHEME.len()).ok_or(TARGET)?;
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return Err(TARGET);
    }
    let host_len = authority.iter().position(|byte| *byte == b'/').unwrap_or(authority.len());
    if host_len == 0 || !is_host(&authority[..host_len]) {
        return Err(TARGET);
    }
    let path_at = SCHEME.len() + host_len;
    let path = if path_at < query_at {
        Span::new(start + path_at, start + query_at)
    } else {
        // An empty path means `/`; the scheme's last slash is one.
        Span::new(start + SCHEME.len() - 1, start + SCHEME.len())
    };
    Ok((path, query))
}

/// A host with an optional port, by its characters.
fn is_host(value: &[u8]) -> bool {
    value.iter().all(|byte| bytes::is_host(*byte))
}

/// What the headers say that the kernel itself acts on.
#[derive(Default)]
struct Fields {
    host: bool,
    length: Option<u64>,
    coding: Option<bool>,
    close: bool,
    keep_alive: bool,
    expect_continue: bool,
}

impl Fields {
    fn read(headers: &[httparse::Header<'_>]) -> Result<Self, Reject> {
        let mut fields = Self::default();
        for header in headers {
            // Few headers have one of these lengths, so few names are compared at all.
            match header.name.len() {
                4 if header.name.eq_ignore_ascii_case("host") => {
                    if fields.host {
                        return Err(MANY_HOSTS);
                    }
                    if !is_host(header.value) {
                        return Err(BAD_HOST);
                    }
                    fields.host = true;
                }
                6 if header.name.eq_ignore_ascii_case("expect") => {
                    fields.expect_continue |= header.value.eq_ignore_ascii_case(b"100-continue");
                }
                10 if header.name.eq_ignore_ascii_case("connection") => fields.connection(header.value),
                14 if header.name.eq_ignore_ascii_case("content-length") => {
                    if fields.length.is_some() {
                        return Err(MANY_LENGTHS);
                    }
                    fields.length = Some(decimal(header.value).ok_or(BAD_LENGTH)?);
                }
                17 if header.name.eq_ignore_ascii_case("transfer-encoding") => {
                    if fields.coding.is_some() {
                        return Err(MANY_CODINGS);
                    }
                    fields.coding = Some(header.value.eq_ignore_ascii_case(b"chunked"));
                }
                _ => {}
            }
        }
        Ok(fields)
    }

    fn connection(&mut self, value: &[u8]) {
        for option in value.split(|byte| *byte == b',') {
            let option = option.trim_ascii();
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// How the body's end is told (RFC 9112, 6.3), and whether the head is complete for its version.
    fn framing(&self, version: Version) -> Result<Framing, Reject> {
        if version == Version::Http11 && !self.host {
            return Err(NO_HOST);
        }
        match (self.coding, self.length) {
            (None, None) => Ok(Framing::None),
            (None, Some(length)) => Ok(Framing::Length(length)),
            (Some(_), Some(_)) => Err(TWO_FRAMINGS),
            (Some(_), None) if version == Version::Http10 => Err(OLD_CODING),
            (Some(false), None) => Err(CODING),
            (Some(true), None) => Ok(Framing::Chunked),
        }
    }
}
