//! The fields of a request's head that the kernel itself acts on: where the body ends, and what becomes of the connection.

use super::Reject;
use super::bytes::{self, Bad, HOST, MEMBER, run, trim};
use super::head::{Framing, HEADERS_MAX, LINE_END, Version};
use crate::at_once::at_once;
use crate::digits::decimal;

const HEADER_NAME: Reject =
    Reject::bad("a header line starts with white space, has a space before its colon, or an invalid name");
const HEADER_VALUE: Reject = Reject::bad("a header value holds a control character");
const NO_HOST: Reject = Reject::bad("an HTTP/1.1 request needs a Host header");
const MANY_HOSTS: Reject = Reject::bad("the request has more than one Host header");
const BAD_HOST: Reject = Reject::bad("the Host header is not a host and port");
const BAD_LENGTH: Reject = Reject::bad("the Content-Length header is not a number");
const MANY_LENGTHS: Reject = Reject::bad("the request has more than one Content-Length header");
const BAD_CODING: Reject = Reject::bad("the Transfer-Encoding does not end in its only `chunked`");
const TWO_FRAMINGS: Reject = Reject::bad("the request has both Content-Length and Transfer-Encoding");
const OLD_CODING: Reject = Reject::bad("an HTTP/1.0 request cannot have a Transfer-Encoding");
const CODING: Reject = Reject { status: 501, reason: "the only known Transfer-Encoding is `chunked`" };
const MANY_HEADERS: Reject = Reject { status: 431, reason: "the request has more than 64 header lines" };

/// What the Transfer-Encoding lines, which are one list, have come to (RFC 9112, 6.1 and 6.3).
#[derive(Clone, Copy, Default)]
enum Coding {
    #[default]
    Empty,
    Others,
    Chunked,
    OthersThenChunked,
    /// Something follows `chunked`: the body's end cannot be told.
    Endless,
}

impl Coding {
    fn then(self, name: &[u8]) -> Self {
        match (self, is(name, b"chunked")) {
            // Lists may have empty elements (RFC 9110, 5.6.1).
            _ if name.is_empty() => self,
            (Self::Empty, true) => Self::Chunked,
            (Self::Others, true) => Self::OthersThenChunked,
            (Self::Empty | Self::Others, false) => Self::Others,
            _ => Self::Endless,
        }
    }
}

/// What the fields say that the kernel acts on.
#[derive(Default)]
pub(super) struct Fields {
    host: bool,
    length: Option<u64>,
    coding: Option<Coding>,
    pub(super) close: bool,
    pub(super) keep_alive: bool,
    pub(super) expect_continue: bool,
    /// The first of them that says what it must not.
    wrong: Option<Reject>,
}

impl Fields {
    /// Reads the field lines from `at` on, and says where the empty line is that ends them. Fails if they are not field
    /// lines; what they say is told by [`Fields::framing`].
    pub(super) fn read(&mut self, input: &[u8], mut at: usize) -> Result<usize, Reject> {
        let mut count = 0;
        while !input[at..].starts_with(b"\r\n") {
            let line = match bytes::line(input, at) {
                Ok(line) => line,
                Err(Bad::Value) => return Err(HEADER_VALUE),
                Err(Bad::Name) if input[at..].starts_with(b"\r") => return Err(LINE_END),
                Err(Bad::Name) => return Err(HEADER_NAME),
            };
            count += 1;
            if count > HEADERS_MAX {
                return Err(MANY_HEADERS);
            }
            // Few fields have a name of one of these lengths, so few are looked at.
            if let 4 | 6 | 10 | 14 | 17 = line.name.len()
                && let Err(reject) = self.take(line.name, trim(line.value))
            {
                self.wrong.get_or_insert(reject);
            }
            at = line.next;
        }
        Ok(at)
    }

    fn take(&mut self, name: &[u8], value: &[u8]) -> Result<(), Reject> {
        if is(name, b"host") {
            if core::mem::replace(&mut self.host, true) {
                return Err(MANY_HOSTS);
            }
            if !is_host(value) {
                return Err(BAD_HOST);
            }
        } else if is(name, b"expect") {
            self.expect_continue |= is(value, b"100-continue");
        } else if is(name, b"connection") {
            let mut at = 0;
            loop {
                let (end, comma) = run(value, at, MEMBER);
                let option = trim(&value[at..end]);
                self.close |= is(option, b"close");
                self.keep_alive |= is(option, b"keep-alive");
                if comma != b',' {
                    break;
                }
                at = end + 1;
            }
        } else if is(name, b"content-length") {
            if self.length.is_some() {
                return Err(MANY_LENGTHS);
            }
            self.length = Some(decimal(value).ok_or(BAD_LENGTH)?);
        } else if is(name, b"transfer-encoding") {
            let codings = value.split(|byte| *byte == b',').map(trim);
            self.coding = Some(codings.fold(self.coding.unwrap_or_default(), Coding::then));
        }
        Ok(())
    }

    /// How the body's end is told (RFC 9112, 6.3), if the fields are those of a request of this version.
    pub(super) fn framing(&self, version: Version) -> Result<Framing, Reject> {
        if let Some(reject) = self.wrong {
            return Err(reject);
        }
        if at_once((version == Version::Http11) & !self.host) {
            return Err(NO_HOST);
        }
        match (self.coding, self.length) {
            (None, None) => Ok(Framing::None),
            (None, Some(length)) => Ok(Framing::Length(length)),
            (Some(_), Some(_)) => Err(TWO_FRAMINGS),
            (Some(_), None) if version == Version::Http10 => Err(OLD_CODING),
            (Some(Coding::Chunked), None) => Ok(Framing::Chunked),
            (Some(Coding::OthersThenChunked), None) => Err(CODING),
            (Some(_), None) => Err(BAD_CODING),
        }
    }
}

/// Whether a text without controls is this word, whose letters are small, in whatever case. Kept apart: inlined, it would
/// be new code to the CPU for each word.
#[inline(never)]
fn is(text: &[u8], word: &[u8]) -> bool {
    const CASE: u8 = b'a' - b'A';
    // With that bit set, only a capital or a control becomes a byte that a word has.
    text.len() == word.len() && text.iter().zip(word).all(|(byte, letter)| byte | CASE == *letter)
}

/// A host, by its characters, with an optional port. Empty where a URL has none (RFC 9110, 7.2).
pub(super) fn is_host(value: &[u8]) -> bool {
    let (end, _) = run(value, 0, HOST);
    if end == value.len() {
        return true;
    }
    let port = match value.iter().position(|byte| *byte == b']').filter(|_| value[0] == b'[') {
        Some(close) if value[1..close].split(|byte| *byte == b':').all(is_host_name) => &value[close + 1..],
        _ => &value[end..],
    };
    port.is_empty() || (port[0] == b':' && port[1..].iter().all(u8::is_ascii_digit))
}

fn is_host_name(part: &[u8]) -> bool {
    run(part, 0, HOST).0 == part.len()
}
