//! The request, read from its window: nothing is copied.

use core::fmt;

use mayfly_abi::domain::{RequestHead, Span};
use mayfly_abi::wire::Wire;

/// An HTTP request, whole and checked by the kernel.
pub struct Request {
    /// The window starts with it. It is read as far as it is asked for.
    head: &'static [u8; RequestHead::SIZE],
    window: &'static [u8],
}

impl Request {
    /// `head` describes `window`, which starts with it.
    pub(crate) fn new(head: &'static [u8; RequestHead::SIZE], window: &'static [u8]) -> Self {
        Self { head, window }
    }

    fn head(&self) -> RequestHead {
        RequestHead::get(self.head)
    }

    /// The method: `GET`, `POST`, …
    pub fn method(&self) -> &str {
        self.head_text(self.head().method)
    }

    /// The path behind the function's route: empty, or `/` and the rest. It is not percent-decoded.
    pub fn path(&self) -> &str {
        self.head_text(self.head().path)
    }

    /// What follows `?` in the request's target, without it; empty if there is none. It is not percent-decoded.
    pub fn query(&self) -> &str {
        self.head_text(self.head().query)
    }

    /// The value of the first header with this name, in whatever case, if it is UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers().find(|(other, _)| other.eq_ignore_ascii_case(name))?;
        core::str::from_utf8(value).ok()
    }

    /// All headers, in their order, each with its name as the client wrote it and its value without outer blanks.
    pub fn headers(&self) -> Headers<'_> {
        Headers { lines: self.bytes(self.head().headers) }
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        self.bytes(self.head().body)
    }

    /// The body as text; none if it is empty or not UTF-8.
    pub fn text(&self) -> Option<&str> {
        core::str::from_utf8(self.body()).ok().filter(|text| !text.is_empty())
    }

    /// The number of this invocation since the machine booted.
    pub fn invocation(&self) -> u64 {
        self.head().invocation
    }

    fn bytes(&self, span: Span) -> &[u8] {
        let start = span.offset as usize;
        self.window.get(start..start + span.len as usize).unwrap_or_default()
    }

    /// Part of the request line. The kernel answers a request whose first line is not UTF-8 itself.
    fn head_text(&self, span: Span) -> &str {
        core::str::from_utf8(self.bytes(span)).unwrap_or_default()
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let (path, query, body) = (self.path(), self.query(), self.body().len());
        write!(out, "{} {path}?{query} ({body} bytes of body)", self.method())
    }
}

/// The headers of a request: name and value of each.
#[derive(Clone, Debug)]
pub struct Headers<'a> {
    /// Lines of `name: value`, each with its CR LF.
    lines: &'a [u8],
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a str, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let end = self.lines.iter().position(|&byte| byte == b'\n')?;
        let (line, rest) = self.lines.split_at(end + 1);
        self.lines = rest;
        let colon = line.iter().position(|&byte| byte == b':')?;
        let name = core::str::from_utf8(&line[..colon]).ok()?;
        Some((name, line[colon + 1..].trim_ascii()))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use mayfly_abi::domain::REQUEST_BYTES;
    use std::vec::Vec;

    fn request(parts: [&[u8]; 5]) -> Request {
        let mut window = std::vec![0; REQUEST_BYTES as usize];
        let [method, path, query, headers, body] = parts.map(|part| {
            let span = Span { offset: window.len() as u32, len: part.len() as u32 };
            window.extend_from_slice(part);
            span
        });
        let (abi_version, response_limit, invocation, reserved) = (1, 0, 77, 0);
        let head =
            RequestHead { abi_version, response_limit, invocation, method, path, query, headers, body, reserved };
        head.put(&mut window);
        let window = window.leak();
        Request::new(window.first_chunk().expect("longer than the head"), window)
    }

    #[test]
    fn a_request_gives_each_part_as_it_came() {
        let request = request([b"PUT", b"/a%20b", b"x=1&y", b"A: b\r\n", b"\xffbody"]);
        assert_eq!((request.method(), request.path(), request.query()), ("PUT", "/a%20b", "x=1&y"));
        assert_eq!((request.body(), request.text(), request.invocation()), (&b"\xffbody"[..], None, 77));
    }

    #[test]
    fn an_empty_body_is_no_text() {
        assert_eq!(request([b"GET", b"", b"", b"", b""]).text(), None);
        assert_eq!(request([b"GET", b"", b"", b"", b"w\xc3\xb6rld"]).text(), Some("wörld"));
    }

    #[test]
    fn headers_are_found_in_whatever_case_and_the_first_one_counts() {
        let lines = b"Host: a:80\r\nX-Blank: \t padded \t\r\nx-twice: 1\r\nX-TWICE: 2\r\nX-Empty:\r\nX-Raw: \xff\r\n";
        let request = request([b"GET", b"", b"", lines, b""]);
        assert_eq!(request.header("HOST"), Some("a:80"));
        assert_eq!(request.header("x-blank"), Some("padded"));
        assert_eq!(request.header("X-Twice"), Some("1"));
        assert_eq!(request.header("x-empty"), Some(""));
        assert_eq!(request.header("x-raw"), None, "not text");
        assert_eq!(request.header("x-twic"), None);
        assert_eq!(request.header(""), None);
        let names: Vec<_> = request.headers().map(|(name, _)| name).collect();
        assert_eq!(names, ["Host", "X-Blank", "x-twice", "X-TWICE", "X-Empty", "X-Raw"]);
        assert_eq!(request.headers().last(), Some(("X-Raw", &b"\xff"[..])));
    }

    #[test]
    fn no_headers_are_an_empty_iterator() {
        assert_eq!(request([b"GET", b"", b"", b"", b""]).headers().next(), None);
    }
}
