//! HTTP messages: requests to be sent, and responses as they came.

use std::fmt;

/// A request with its framing: `Host` and, unless it is chunked, `Content-Length` are added by themselves.
#[derive(Clone)]
pub struct Request {
    method: &'static str,
    target: String,
    headers: String,
    body: Vec<u8>,
    chunk: Option<usize>,
}

impl Request {
    /// A GET request.
    pub fn get(target: impl Into<String>) -> Self {
        Self { method: "GET", target: target.into(), headers: String::new(), body: Vec::new(), chunk: None }
    }

    /// A POST request with a body.
    pub fn post(target: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self { method: "POST", body: body.into(), ..Self::get(target) }
    }

    /// With another method.
    #[must_use]
    pub fn method(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// With the body in chunks of `chunk` bytes.
    #[must_use]
    pub fn chunked(self, chunk: usize) -> Self {
        Self { chunk: Some(chunk), ..self }
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Whether the response has no body whatever it says.
    pub fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// The request as it is sent.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\nHost: mayfly\r\n{}", self.method, self.target, self.headers);
        match self.chunk {
            Some(_) => bytes.push_str("Transfer-Encoding: chunked\r\n\r\n"),
            None if self.body.is_empty() && self.method == "GET" => bytes.push_str("\r\n"),
            None => bytes.push_str(&format!("Content-Length: {}\r\n\r\n", self.body.len())),
        }
        let mut bytes = bytes.into_bytes();
        match self.chunk {
            None => bytes.extend(&self.body),
            Some(len) => {
                for chunk in self.body.chunks(len) {
                    bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
                    bytes.extend(chunk);
                    bytes.extend(b"\r\n");
                }
                bytes.extend(b"0\r\n\r\n");
            }
        }
        bytes
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {} with {} bytes of body", self.method, self.target, self.body.len())
    }
}

/// A response, whole.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body; empty in answer to HEAD.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of the only header with this name, which is in lower case. Panics if there are several.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(other, _)| other == name);
        let first = found.next()?;
        assert!(found.next().is_none(), "more than one {name} in {self:?}");
        Some(&first.1)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether the server says that it closes the connection after this.
    pub fn closes(&self) -> bool {
        self.header("connection") == Some("close")
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Bytes of the body that are shown.
        const SHOWN: usize = 300;
        let shown = &self.body[..self.body.len().min(SHOWN)];
        write!(out, "{} {:?} and {} bytes of body: ", self.status, self.headers, self.body.len())?;
        write!(out, "{:?}", String::from_utf8_lossy(shown))
    }
}
