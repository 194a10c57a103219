//! The head of a request: where it ends, and what its line and headers mean for the connection and the body.

use mayfly_abi::domain::HEAD_MAX;

use super::bytes::{PATH, SEGMENT, TOKEN, VISIBLE, run};
use super::fields::{Fields, is_host};
use super::{Method, Reject};
use crate::at_once::at_once;

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
    /// The path's first segment, without slashes: see [`route`].
    pub route: Span,
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
pub(super) const LINE_END: Reject = Reject::bad("a carriage return is not followed by a line feed");
const METHOD: Reject = Reject { status: 405, reason: "functions cannot be asked with this method" };
const VERSION: Reject = Reject { status: 505, reason: "the request's version is not HTTP/1.0 or HTTP/1.1" };
const TARGET_TOO_LONG: Reject = Reject { status: 414, reason: "the request target has more than 4096 bytes" };
const HEAD_TOO_LONG: Reject = Reject { status: 431, reason: "the request's line and headers exceed 8192 bytes" };

/// Parses the head at the start of `input`, and says how many bytes it has.
///
/// `Ok(None)` means that its end has not arrived: ask again with more bytes, and the length of this `input` as
/// `searched` so that they are not searched again. Empty lines before the request are skipped (RFC 9112, 2.2).
pub fn parse(input: &[u8], searched: usize) -> Result<Option<(Head, usize)>, Reject> {
    let input = &input[..input.len().min(HEAD_MAX as usize)];
    // Most heads come whole and sound: they are read once. For any other it matters first where it ends.
    if searched == 0
        && let Ok(sound) = read(input)
    {
        return Ok(Some(sound));
    }
    let Some(end) = find_end(input, searched) else {
        return if input.len() < HEAD_MAX as usize { Ok(None) } else { Err(too_long(input)) };
    };
    let input = &input[..end];
    if !input.ends_with(b"\r\n\r\n") {
        return Err(BARE_LF);
    }
    read(input).map(Some)
}

/// Reads the head at the start of `input`, and says how many bytes it has. If its end is not there, it is refused.
#[inline(never)]
fn read(input: &[u8]) -> Result<(Head, usize), Reject> {
    let start = first_line(input);
    let (method_end, space) = run(input, start, TOKEN);
    if at_once((space != b' ') | (method_end == start)) {
        return Err(if space == b'\r' && method_end == start { LINE_END } else { REQUEST_LINE });
    }
    let target_start = method_end + 1;
    let (target_end, is_path) = target_end(input, target_start)?;
    let version = version(&input[target_end..])?;
    let headers_start = target_end + VERSION_LEN;
    let mut fields = Fields::default();
    let headers_end = fields.read(input, headers_start)?;

    // What is no request was told before what is one that cannot be served.
    if target_end - target_start > TARGET_MAX {
        return Err(TARGET_TOO_LONG);
    }
    let method = Method::from_name(&input[start..method_end]).ok_or(METHOD)?;
    let (path, query) = if is_path {
        (Span::new(target_start, target_end), Span::new(target_end, target_end))
    } else {
        split_target(method, &input[target_start..target_end], target_start)?
    };
    let route_len = route(path.of(input)).0.len();
    let framing = fields.framing(version)?;
    let head = Head {
        method,
        method_name: Span::new(start, method_end),
        path,
        // Empty where there is no slash in front of it.
        route: Span { start: path.start + u16::from(route_len > 0), len: route_len as u16 },
        query,
        headers: Span::new(headers_start, headers_end),
        framing,
        version,
        keep_alive: !fields.close & ((version == Version::Http11) | fields.keep_alive),
        expect_continue: fields.expect_continue & (version == Version::Http11),
    };
    Ok((head, headers_end + 2))
}

/// Where the target that starts at `start` ends, and whether it is a path in ASCII and nothing else, as most are.
fn target_end(input: &[u8], start: usize) -> Result<(usize, bool), Reject> {
    let (end, space) = run(input, start, PATH);
    if space == b' ' && input[start] == b'/' {
        return Ok((end, true));
    }
    let (end, space) = run(input, end, VISIBLE);
    let sound = space == b' ' && end > start && str::from_utf8(&input[start..end]).is_ok();
    if sound { Ok((end, false)) } else { Err(REQUEST_LINE) }
}

/// Bytes of ` HTTP/1.1` and the line's end.
const VERSION_LEN: usize = 11;

/// The version in what follows the target, up to the line's end.
fn version(rest: &[u8]) -> Result<Version, Reject> {
    if rest.starts_with(b" HTTP/1.1\r\n") {
        Ok(Version::Http11)
    } else if rest.starts_with(b" HTTP/1.0\r\n") {
        Ok(Version::Http10)
    } else {
        Err(match rest {
            [b' ', b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0' | b'1', ..] => LINE_END,
            [b' ', b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9', b'\r', ..] => VERSION,
            _ => REQUEST_LINE,
        })
    }
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
    path.split_at(run(path, 0, SEGMENT).0)
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
    if host_len == 0 || authority[0] == b':' || !is_host(&authority[..host_len]) {
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
