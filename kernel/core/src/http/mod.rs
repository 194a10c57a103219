//! HTTP/1.1 as RFC 9110 and RFC 9112 have it: request heads, chunked bodies, response heads, the kernel's own answers.
//!
//! Where the RFCs let a server choose between repairing and refusing, this one refuses: a message that two readers can
//! understand differently is how requests are smuggled.

pub mod answer;
mod bytes;
pub mod chunked;
mod fields;
pub mod head;
pub mod pace;
pub mod response;

/// A request that is refused before a function sees it. Its connection is closed after the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Status code of the answer.
    pub status: u16,
    /// A sentence for the client.
    pub reason: &'static str,
}

impl Reject {
    /// A refusal with 400.
    pub const fn bad(reason: &'static str) -> Self {
        Self { status: 400, reason }
    }
}

/// A request method that functions can be asked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
    /// `OPTIONS`
    Options,
}

impl Method {
    /// Every method, as the value of an `Allow` header.
    pub const ALLOW: &'static str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

    /// The method with this name, which is case-sensitive.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"GET" => Self::Get,
            b"HEAD" => Self::Head,
            b"POST" => Self::Post,
            b"PUT" => Self::Put,
            b"PATCH" => Self::Patch,
            b"DELETE" => Self::Delete,
            b"OPTIONS" => Self::Options,
            _ => return None,
        })
    }
}
