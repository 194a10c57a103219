//! A client that sends whatever bytes it is told to and reads exactly one response at a time. No wait is without end.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddrV4, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::{Request, Response};

/// How long the server may say nothing while something is expected of it.
const PATIENCE: Duration = Duration::from_secs(20);
/// Most bytes of a response head.
const HEAD_MAX: usize = 16 << 10;
/// Most header lines in a response.
const HEADERS_MAX: usize = 64;

/// One connection to a machine's server.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// Bytes that arrived behind the last response.
    ahead: Vec<u8>,
    /// When the test's time is up.
    deadline: Instant,
}

impl Connection {
    /// Connects to a server. After `deadline`, everything fails.
    pub fn open(address: SocketAddrV4, deadline: Instant) -> io::Result<Self> {
        Self::on(TcpStream::connect_timeout(&address.into(), patience(deadline)?)?, deadline)
    }

    /// Goes on with a stream that leads to a server.
    pub fn on(stream: TcpStream, deadline: Instant) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, ahead: Vec::new(), deadline })
    }

    /// Sends bytes as they are.
    pub fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.set_write_timeout(Some(patience(self.deadline)?))?;
        self.stream.write_all(bytes)
    }

    /// Reads one response. `to_head`: it answers HEAD, so no body follows.
    pub fn try_receive(&mut self, to_head: bool) -> io::Result<Response> {
        let (mut response, head_len) = loop {
            if let Some(head) = parse_head(&self.ahead)? {
                break head;
            }
            if self.ahead.len() > HEAD_MAX {
                return Err(io::Error::other("the response's head does not end"));
            }
            self.read_more()?;
        };
        let has_body = !to_head && !matches!(response.status, 100..200 | 204 | 205 | 304);
        let body_len = match response.header("content-length") {
            _ if !has_body => 0,
            Some(len) => len.parse().map_err(io::Error::other)?,
            None => return Err(io::Error::other(format!("no Content-Length in {response:?}"))),
        };
        while self.ahead.len() < head_len + body_len {
            self.read_more()?;
        }
        response.body = self.ahead[head_len..head_len + body_len].to_vec();
        self.ahead.drain(..head_len + body_len);
        Ok(response)
    }

    /// Sends a request and reads its response. An interim response (100) is not waited for.
    pub fn try_ask(&mut self, request: &Request) -> io::Result<Response> {
        // A server that refuses answers before it has everything, so only the response counts.
        let sent = self.try_send(&request.to_bytes());
        self.try_receive(request.is_head()).map_err(|error| sent.err().unwrap_or(error))
    }

    /// [`Connection::try_send`], which must not fail.
    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).unwrap_or_else(|error| panic!("{} bytes were not taken: {error}", bytes.len()));
    }

    /// Sends bytes in pieces of `len` bytes, a little apart, so that each arrives by itself.
    #[track_caller]
    pub fn send_slowly(&mut self, bytes: &[u8], len: usize) {
        for piece in bytes.chunks(len) {
            self.send(piece);
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// [`Connection::try_receive`], which must not fail.
    #[track_caller]
    pub fn receive(&mut self) -> Response {
        self.try_receive(false).unwrap_or_else(|error| panic!("no response: {error}"))
    }

    /// [`Connection::try_ask`], which must not fail.
    #[track_caller]
    pub fn ask(&mut self, request: &Request) -> Response {
        self.try_ask(request).unwrap_or_else(|error| panic!("{request:?}: no response: {error}"))
    }

    /// The machine is as well as ever: it gives the right answer.
    #[track_caller]
    pub fn expect_hello(&mut self) {
        let response = self.ask(&Request::post("/hello", "you"));
        assert_eq!((response.status, response.text().as_str()), (200, "hello, you\n"));
    }

    /// Sends as much as is taken until nothing is for `time`: how many bytes.
    pub fn send_until_stuck(&mut self, bytes: &[u8], time: Duration) -> usize {
        self.stream.set_write_timeout(Some(time)).expect("a timeout can be set");
        let mut sent = 0;
        while sent < bytes.len() {
            match self.stream.write(&bytes[sent..]) {
                Ok(len) => sent += len,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        sent
    }

    /// Waits until `len` bytes have arrived, and leaves them there.
    #[track_caller]
    pub fn wait_for_bytes(&mut self, len: usize) {
        while self.ahead.len() < len {
            self.read_more().unwrap_or_else(|error| panic!("{} of {len} bytes arrived: {error}", self.ahead.len()));
        }
    }

    /// Whether bytes arrive within `time`, or have arrived.
    pub fn has_bytes(&mut self, time: Duration) -> bool {
        self.stream.set_read_timeout(Some(time)).expect("a timeout can be set");
        !self.ahead.is_empty() || self.stream.peek(&mut [0]).is_ok_and(|len| len > 0)
    }

    /// Whether the server closes the connection in order within `time`, or has done so. It must not be reset.
    pub fn has_ended(&mut self, time: Duration) -> bool {
        self.stream.set_read_timeout(Some(time)).expect("a timeout can be set");
        match self.stream.peek(&mut [0]) {
            Ok(len) => len == 0,
            Err(error) => {
                let waited = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                assert!(waited, "the connection did not end in order: {error}");
                false
            }
        }
    }

    /// Waits until the server closes the connection. An error if that is not in order, or if anything comes before.
    pub fn try_end(&mut self) -> Result<(), String> {
        let end = if self.ahead.is_empty() { self.read_more() } else { Ok(()) };
        match end {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(()),
            Err(error) => Err(format!("the connection did not end in order: {error}")),
            Ok(()) => Err(format!("more came: {:?}", String::from_utf8_lossy(&self.ahead))),
        }
    }

    /// [`Connection::try_end`], which must not fail.
    #[track_caller]
    pub fn expect_end(&mut self) {
        self.try_end().unwrap_or_else(|wrong| panic!("{wrong}"));
    }

    /// Nothing arrives for `time`, and the connection stays open.
    #[track_caller]
    pub fn expect_silence(&mut self, time: Duration) {
        assert!(self.ahead.is_empty(), "silence was expected, not {:?}", String::from_utf8_lossy(&self.ahead));
        self.stream.set_read_timeout(Some(time)).expect("a timeout can be set");
        match self.stream.peek(&mut [0]) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            other => panic!("silence was expected, not {other:?}"),
        }
    }

    /// Says that no more will be sent. Responses can still come.
    pub fn finish_sending(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("the connection is open");
    }

    /// Breaks the connection off: the server gets a reset instead of an end.
    pub fn reset(self) {
        let linger = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        linger.expect("the connection is open");
    }

    fn read_more(&mut self) -> io::Result<()> {
        let mut buffer = [0; 64 << 10];
        self.stream.set_read_timeout(Some(patience(self.deadline)?))?;
        match self.stream.read(&mut buffer) {
            Ok(0) => Err(io::Error::new(ErrorKind::UnexpectedEof, "the server closed the connection")),
            Ok(len) => {
                self.ahead.extend(&buffer[..len]);
                Ok(())
            }
            // Nothing is lost, and the caller looks at what has arrived.
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// How long the next step may take.
fn patience(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::Error::new(ErrorKind::TimedOut, "the test's time is up"));
    }
    Ok(left.min(PATIENCE))
}

/// A response without its body, and the length of its head, once that has arrived.
fn parse_head(bytes: &[u8]) -> io::Result<Option<(Response, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Response::new(&mut headers);
    let parsed = head.parse(bytes).map_err(|error| io::Error::other(error.to_string()))?;
    let httparse::Status::Complete(len) = parsed else { return Ok(None) };
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers = head.headers.iter().map(|header| (header.name.to_ascii_lowercase(), text(header.value))).collect();
    Ok(Some((Response { status: head.code.unwrap_or_default(), headers, body: Vec::new() }, len)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener};

    /// What a client gets from a server that sends `bytes` and closes.
    fn client_of(bytes: &'static [u8]) -> Connection {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        thread::spawn(move || listener.accept().and_then(|(mut stream, _)| stream.write_all(bytes)));
        Connection::open(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port), Instant::now() + PATIENCE)
            .expect("somebody listens")
    }

    #[test]
    fn responses_are_read_one_by_one() {
        let mut client = client_of(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab\
              HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nA: b\r\n\r\n",
        );
        assert_eq!(client.receive().body, b"ab");
        assert_eq!(client.receive().status, 100);
        assert_eq!(client.receive().header("a"), Some("b"));
        client.expect_end();
    }

    #[test]
    fn a_response_cut_off_is_an_error() {
        let error = client_of(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na").try_receive(false);
        assert_eq!(error.expect_err("a byte is missing").kind(), ErrorKind::UnexpectedEof);
        let error = client_of(b"HTTP/1.1 200 OK\r\n\r\n").try_receive(false).expect_err("the length is missing");
        assert!(error.to_string().starts_with("no Content-Length"), "{error}");
    }
}
