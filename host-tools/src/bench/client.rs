//! The client of a boot: one connection, opened as early as it can be, one request, and the times of both.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};
use mayfly_qemu::Machine;

use super::PATIENCE;

/// What the client saw, in time since QEMU was started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// It began to connect.
    pub(crate) connecting: Duration,
    /// QEMU accepted the connection; the guest knows nothing of it yet.
    pub(crate) connected: Duration,
    /// The whole request was handed to the operating system.
    pub(crate) sent: Duration,
    /// The first byte of the response was there.
    pub(crate) first_byte: Duration,
    /// The last byte of the response was there.
    pub(crate) last_byte: Duration,
}

/// Asks for `path` on a connection of its own and waits for the whole answer, which must be a success.
pub(crate) fn exchange(machine: &mut Machine, path: &str) -> anyhow::Result<Seen> {
    let spawned = machine.spawned();
    ask(|| connect(machine), path, spawned).or_else(|error| {
        // If the machine has ended, that is the better explanation.
        machine.check()?;
        bail!("GET {path}: {error:#}\n{}", machine.report())
    })
}

/// A connection to the machine's server.
pub(super) fn connect(machine: &mut Machine) -> anyhow::Result<TcpStream> {
    let connection = machine.connect(PATIENCE)?;
    connection.set_nodelay(true)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    Ok(connection)
}

/// The same on whatever `connect` opens.
fn ask<C: Read + Write>(
    connect: impl FnOnce() -> anyhow::Result<C>,
    path: &str,
    spawned: Instant,
) -> anyhow::Result<Seen> {
    let connecting = spawned.elapsed();
    let mut connection = connect()?;
    let connected = spawned.elapsed();
    let request = format!("GET {path} HTTP/1.1\r\nHost: mayfly\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).context("the request cannot be sent")?;
    let sent = spawned.elapsed();
    let Answer { status, first_byte, last_byte, .. } = answer(&mut connection)?;
    succeeded(status)?;
    Ok(Seen { connecting, connected, sent, first_byte: first_byte - spawned, last_byte: last_byte - spawned })
}

/// An error unless this is the status of a success.
pub(super) fn succeeded(status: u16) -> anyhow::Result<()> {
    ensure!((200..300).contains(&status), "the answer has status {status}");
    Ok(())
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
    use std::io;

    use super::*;

    /// A peer that answers in two pieces, and is slow in one of four steps: connecting, taking the request, the first piece
    /// of the answer, and the last one.
    struct Slow {
        step: usize,
        pieces: usize,
    }

    const DELAY: Duration = Duration::from_millis(5);

    impl Slow {
        fn delay_if(&self, step: usize) {
            if self.step == step {
                std::thread::sleep(DELAY);
            }
        }
    }

    impl Read for Slow {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            self.delay_if(2 + self.pieces);
            let piece: &[u8] = [b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n".as_slice(), b"\r\nhello"][self.pieces];
            self.pieces += 1;
            out[..piece.len()].copy_from_slice(piece);
            Ok(piece.len())
        }
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.delay_if(1);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What each step took with a peer that is slow in this one.
    fn steps(slow: usize) -> [Duration; 4] {
        let connect = || {
            let peer = Slow { step: slow, pieces: 0 };
            peer.delay_if(0);
            Ok(peer)
        };
        let Seen { connecting, connected, sent, first_byte, last_byte } =
            ask(connect, "/", Instant::now()).expect("it answers");
        [connected - connecting, sent - connected, first_byte - sent, last_byte - first_byte]
    }

    #[test]
    fn a_planted_delay_appears_in_the_clients_step_and_nowhere_else() {
        /// The host can only make a step longer: the quietest of a few counts.
        const TRIES: usize = 20;
        for slow in 0..4 {
            let mut quietest = [Duration::MAX; 4];
            let as_planted = |quietest: &[Duration; 4]| {
                let planted = |step| if step == slow { DELAY } else { Duration::ZERO };
                quietest
                    .iter()
                    .enumerate()
                    .all(|(step, took)| *took >= planted(step) && *took <= planted(step) + Duration::from_millis(1))
            };
            for _ in 0..TRIES {
                let now = steps(slow);
                assert!(now[slow] >= DELAY, "{now:?}");
                quietest = std::array::from_fn(|step| quietest[step].min(now[step]));
                if as_planted(&quietest) {
                    break;
                }
            }
            assert!(as_planted(&quietest), "slow in step {slow}: {quietest:?}");
        }
    }

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
