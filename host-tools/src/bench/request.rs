//! A request whose cost is measured, and the answer that it must get.

use anyhow::ensure;

use super::client::{self, Answer};

/// A request on a keep-alive connection.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// What it is called, such as `GET /hello`.
    pub(super) name: String,
    /// All of it.
    pub(super) bytes: Vec<u8>,
    expected: Expected,
}

/// The answer that it must get.
#[derive(Clone, Debug)]
enum Expected {
    Success,
    Status(u16),
    Body(Vec<u8>),
}

impl Request {
    /// `GET path`, which must be a success.
    pub(super) fn get(path: &str) -> Self {
        let name = format!("GET {path}");
        let bytes = format!("{name} HTTP/1.1\r\nHost: mayfly\r\n\r\n").into_bytes();
        Self { name, bytes, expected: Expected::Success }
    }

    /// `POST path` with a body, which must come back.
    pub(super) fn echo(path: &str, body: Vec<u8>) -> Self {
        let name = format!("POST {path}");
        let head = format!("{name} HTTP/1.1\r\nHost: mayfly\r\nContent-Length: {}\r\n\r\n", body.len());
        Self { name, bytes: [head.into_bytes(), body.clone()].concat(), expected: Expected::Body(body) }
    }

    /// The same, whose answer must be a success with this body.
    pub(super) fn with_body(self, body: &str) -> Self {
        Self { expected: Expected::Body(body.into()), ..self }
    }

    /// The same, whose answer must have this status.
    pub(super) fn with_status(self, status: u16) -> Self {
        Self { expected: Expected::Status(status), ..self }
    }

    /// Is this the answer that it must get?
    pub(super) fn check(&self, answer: &Answer) -> anyhow::Result<()> {
        match &self.expected {
            Expected::Status(status) => {
                ensure!(answer.status == *status, "the answer has status {}", answer.status);
                Ok(())
            }
            Expected::Success => client::succeeded(answer.status),
            Expected::Body(body) => {
                client::succeeded(answer.status)?;
                ensure!(answer.body == *body, "the answer of {} bytes is not the right one", answer.body.len());
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn answer(status: u16, body: &str) -> Answer {
        let now = Instant::now();
        Answer { status, body: body.into(), first_byte: now, last_byte: now }
    }

    #[test]
    fn only_the_right_answer_is_taken() {
        let get = Request::get("/hello");
        assert_eq!(get.bytes, b"GET /hello HTTP/1.1\r\nHost: mayfly\r\n\r\n");
        assert!(get.check(&answer(204, "")).is_ok() && get.check(&answer(404, "")).is_err());
        let missing = get.clone().with_status(404);
        assert!(missing.check(&answer(404, "list")).is_ok() && missing.check(&answer(200, "")).is_err());
        let echo = Request::echo("/echo", b"abc".to_vec());
        assert!(echo.bytes.ends_with(b"Content-Length: 3\r\n\r\nabc"));
        assert!(echo.check(&answer(200, "abc")).is_ok() && echo.check(&answer(200, "abd")).is_err());
        assert!(get.with_body("me\n").check(&answer(200, "you\n")).is_err());
    }
}
