//! The kernel's own answers: plain text, one sentence, and whose fault it is in the status.

use core::fmt::{self, Write};
use core::ops::Range;

use super::response::{HEAD_ROOM, write_head};
use super::{Method, Reject};
use crate::image::Image;
use crate::writer::Writer;

/// Bytes that hold every answer whole.
pub const ANSWER_MAX: usize = 8 << 10;
/// Bytes that hold every answer but for a list of functions.
pub const ANSWER_SHORT: usize = HEAD_MAX + 128;
/// Most functions that a 404 names.
const LISTED: usize = 100;
/// Bytes at the start of the buffer where the head finds room in front of the body.
const HEAD_MAX: usize = HEAD_ROOM + 128;

/// The answer for which no memory is needed: 503, and the end of the connection.
pub const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Why the kernel answers itself.
#[derive(Clone, Copy, Debug)]
pub enum Answer<'a> {
    /// The request is refused: 400, 405, 414, 431, 501 or 505.
    Rejected(Reject),
    /// 404: no function has this route. Names those there are.
    NotFound(&'a Image<'a>),
    /// 408: the request did not arrive whole in time.
    TooSlow,
    /// 413: the body is larger than the function takes.
    TooLarge {
        /// Most bytes that it takes.
        limit: u32,
    },
    /// 502: the function broke.
    Broke {
        /// The function's name.
        function: &'a [u8],
        /// The fault's name.
        fault: &'a str,
        /// Under which the log has more.
        id: u64,
    },
    /// 503: there is no room for another invocation now.
    Full,
    /// 504: the function ran past its limit.
    RanOut {
        /// The function's name.
        function: &'a [u8],
        /// Milliseconds that it may take.
        limit_ms: u32,
        /// Under which the log has more.
        id: u64,
    },
    /// 507: the function asked for more memory than its limit.
    OutOfMemory {
        /// The function's name.
        function: &'a [u8],
        /// Pages that it may have.
        limit_pages: u32,
        /// Under which the log has more.
        id: u64,
    },
}

impl Answer<'_> {
    /// The status code.
    pub fn status(&self) -> u16 {
        match self {
            Self::Rejected(reject) => reject.status,
            Self::NotFound(_) => 404,
            Self::TooSlow => 408,
            Self::TooLarge { .. } => 413,
            Self::Broke { .. } => 502,
            Self::Full => 503,
            Self::RanOut { .. } => 504,
            Self::OutOfMemory { .. } => 507,
        }
    }

    /// Writes head and body into `out`, and says where in it they lie. `head_only` answers HEAD.
    ///
    /// With [`ANSWER_MAX`] bytes of room the answer is whole. With less, its text is cut, but it stays well-formed
    /// down to 256 bytes; below that nothing is written.
    pub fn write(&self, out: &mut [u8], head_only: bool, keep_alive: bool) -> Range<usize> {
        let Some((head_room, body_room)) = out.split_at_mut_checked(HEAD_MAX) else {
            return 0..0;
        };
        let mut body = Writer::new(body_room);
        // A writer cannot fail.
        let _ = self.write_body(&mut body);
        let body_len = body.written();

        let mut headers = Writer::new(head_room);
        headers.bytes(b"Content-Type: text/plain; charset=utf-8\r\n");
        match self.status() {
            405 => {
                headers.bytes(b"Allow: ");
                headers.bytes(Method::ALLOW.as_bytes());
                headers.bytes(b"\r\n");
            }
            503 => headers.bytes(b"Retry-After: 1\r\n"),
            _ => {}
        }
        let headers_len = headers.written();
        let start = write_head(head_room, headers_len, self.status(), body_len as u64, keep_alive);
        start..HEAD_MAX + if head_only { 0 } else { body_len }
    }

    fn write_body(&self, body: &mut Writer<'_>) -> fmt::Result {
        if let Self::Broke { function, .. } | Self::RanOut { function, .. } | Self::OutOfMemory { function, .. } = self
        {
            body.bytes(function);
        }
        match *self {
            Self::Rejected(reject) => writeln!(body, "{}", reject.reason),
            Self::NotFound(image) => list(image, body),
            Self::TooSlow => writeln!(body, "the request did not arrive in time"),
            Self::TooLarge { limit } => {
                writeln!(body, "the body is larger than the {limit} bytes that the function takes")
            }
            Self::Broke { fault, id, .. } => writeln!(body, " broke: {fault} (fault {id})"),
            Self::Full => writeln!(body, "no room for another invocation now; try again in a second"),
            Self::RanOut { limit_ms, id, .. } => writeln!(body, " ran past its limit of {limit_ms} ms (fault {id})"),
            Self::OutOfMemory { limit_pages, id, .. } => {
                let kib = u64::from(limit_pages) * 4;
                writeln!(body, " asked for more memory than its limit of {kib} KiB (fault {id})")
            }
        }
    }
}

fn list(image: &Image<'_>, body: &mut Writer<'_>) -> fmt::Result {
    writeln!(body, "no function has this route; there are:")?;
    for function in (0..image.len().min(LISTED)).filter_map(|index| image.function(index)) {
        body.bytes(b"/");
        body.bytes(function.route());
        body.bytes(b"\n");
    }
    match image.len().saturating_sub(LISTED) {
        0 => Ok(()),
        more => writeln!(body, "and {more} more"),
    }
}
