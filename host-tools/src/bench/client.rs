//! The client of a boot: one connection, opened as early as it can be, one request, and the times of both.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};
use mayfly_qemu::Machine;

/// How long QEMU may take to open its port, and the guest to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the client saw, in time since QEMU was started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// QEMU accepted the connection; the guest knows nothing of it yet.
    pub(super) connected: Duration,
    /// The whole request was handed to the operating system.
    pub(super) sent: Duration,
    /// The first byte of the response was there.
    pub(super) first_byte: Duration,
    /// The last byte of the response was there.
    pub(super) last_byte: Duration,
}

/// Asks for `path` and waits for the whole answer, which must be a success.
pub(super) fn exchange(machine: &mut Machine, path: &str) -> anyhow::Result<Seen> {
    let spawned = machine.spawned();
    let since = |instant: Instant| instant - spawned;
    let mut connection = machine.connect(PATIENCE)?;
    let connected = since(Instant::now());
    connection.set_nodelay(true)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: mayfly\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).context("the request cannot be sent")?;
    let sent = since(Instant::now());

    match receive(&mut connection) {
        Ok((first_byte, last_byte)) => {
            Ok(Seen { connected, sent, first_byte: since(first_byte), last_byte: since(last_byte) })
        }
        Err(error) => {
            // If the machine has ended, that is the better explanation.
            machine.check()?;
            bail!("GET {path}: {error:#}\n{}", machine.report())
        }
    }
}

/// Reads a response, which must be a success: when its first byte and when its last byte was there.
pub(super) fn receive(connection: &mut impl Read) -> anyhow::Result<(Instant, Instant)> {
    let Answer { status, first_byte, last_byte, .. } = answer(connection)?;
    ensure!((200..300).contains(&status), "the answer has status {status}");
    Ok((first_byte, last_byte))
}

/// A response, and when its first byte and when its last byte was there.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    pub(super) first_byte: Instant,
    pub(super) last_byte: Instant,
}

/// Reads a response.
pub(super) fn answer(connection: &mut impl Read) -> anyhow::Result<Answer> {
    let mut response = Vec::new();
    let mut buffer = [0; 16 << 10];
    let (mut first_byte, mut whole_head) = (None, None);
    loop {
        let len = connection.read(&mut buffer).context("no answer")?;
        let now = Instant::now();
        ensure!(len > 0, "the connection was closed within the response");
        response.extend_from_slice(&buffer[..len]);
        let first_byte = *first_byte.get_or_insert(now);
        if whole_head.is_none() {
            whole_head = head(&response)?;
        }
        if let Some(head) = whole_head
            && response.len() >= head.whole()
        {
            let body = response.drain(head.len..head.whole()).collect();
            return Ok(Answer { status: head.status, body, first_byte, last_byte: now });
        }
    }
}

/// What the head of a response says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Head {
    pub(super) status: u16,
    /// Bytes of the head itself.
    pub(super) len: usize,
    /// Bytes that follow it.
    pub(super) body_len: usize,
}

impl Head {
    /// Bytes of the whole response.
    pub(super) fn whole(&self) -> usize {
        self.len + self.body_len
    }
}

/// The head of a response, once it is complete.
pub(super) fn head(bytes: &[u8]) -> anyhow::Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(len) =
        response.parse(bytes).map_err(|error| anyhow!("the response is not HTTP: {error}"))?
    else {
        return Ok(None);
    };
    let status = response.code.unwrap_or_default();
    let body_len = response
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .and_then(|header| std::str::from_utf8(header.value).ok()?.parse::<usize>().ok())
        .context("the response has no Content-Length")?;
    Ok(Some(Head { status, len, body_len }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_whole_when_its_length_says_so() {
        let bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
        assert_eq!(head(&bytes[..20]).expect("so far it is HTTP"), None);
        assert_eq!(head(bytes).expect("it is HTTP"), Some(Head { status: 200, len: bytes.len() - 5, body_len: 5 }));
    }

    #[test]
    fn what_is_not_http_or_has_no_length_is_an_error() {
        assert!(head(b"SSH-2.0-OpenSSH\r\n\r\n").is_err());
        assert!(head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
