//! How long a system takes that leaves no time stamps: from the spawn of its process to the last byte of its first response.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::client;
use super::milliseconds;
use crate::peer::{Host, Peer};

/// How long a system may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause before a connection that was refused or closed is tried again.
const RETRY: Duration = Duration::from_millis(2);
/// When another connection is opened though the one before it waits. QEMU's network holds a connection's first packet for a
/// second until the system says where it is: of these, one is always held.
const ANNOUNCED: Duration = Duration::from_millis(250);
/// The same for a system that does not say where it is: QEMU's network asks it once for each connection.
const SILENT: Duration = Duration::from_millis(20);
/// How many connections there are at once; the oldest is closed for a new one.
const CONNECTIONS: usize = 4;

/// What came of one boot.
#[derive(Clone, Copy, Debug)]
pub(super) struct FirstResponse {
    /// Milliseconds since the process was spawned.
    pub(super) at: f64,
    /// Connections on which it was asked.
    pub(super) asked: u32,
}

/// Boots `peer` and asks it for its path.
pub(super) fn measure(peer: &Peer, host: &Host) -> anyhow::Result<FirstResponse> {
    let mut process = peer.start(host)?;
    let request = format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", peer.path, peer.name).into_bytes();
    let (address, spawned) = (process.address(), process.spawned());
    let mut client = Client::new(address, request, if peer.announces { ANNOUNCED } else { SILENT })?;
    let answered = client.ask(spawned + PATIENCE, || process.check());
    let at =
        answered.with_context(|| format!("{} does not answer GET {}\n{}", peer.name, peer.path, process.report()))?;
    Ok(FirstResponse { at: milliseconds(at - spawned), asked: client.asked })
}

/// How `peer` is asked, for people.
pub(super) fn note(peer: &Peer) -> String {
    let (announced, silent) = (ANNOUNCED.as_millis(), SILENT.as_millis());
    if peer.announces {
        format!(
            "asked on a connection that is opened as soon as its port accepts, like Mayfly; if it takes longer than \
             {announced} ms, on another one every {announced} ms beside it, because QEMU’s network holds a connection for \
             a second only"
        )
    } else {
        format!(
            "asked by a client that opens a connection as soon as its port accepts and another one every {silent} ms: this \
             system does not say where it is when it comes up, and one patient connection may never be answered. Up to \
             {silent} ms of its time are due to that"
        )
    }
}

/// Asks until there is an answer.
struct Client {
    address: SocketAddr,
    request: Vec<u8>,
    /// When another connection is opened though those before it wait.
    period: Duration,
    poll: Poll,
    /// The oldest first.
    attempts: VecDeque<Attempt>,
    opened: usize,
    asked: u32,
}

/// A connection.
struct Attempt {
    token: Token,
    stream: TcpStream,
    asked: bool,
    answer: Vec<u8>,
}

/// What became of a connection.
enum Progress {
    Waiting,
    /// It was refused or closed.
    Lost,
    /// The whole answer was there by then.
    Answered(Instant),
}

impl Client {
    fn new(address: SocketAddr, request: Vec<u8>, period: Duration) -> anyhow::Result<Self> {
        let (poll, attempts) = (Poll::new()?, VecDeque::new());
        Ok(Self { address, request, period, poll, attempts, opened: 0, asked: 0 })
    }

    /// When the last byte of an answer was there, which must be a success. `check` fails if the system has ended.
    fn ask(&mut self, deadline: Instant, mut check: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<Instant> {
        let mut events = Events::with_capacity(CONNECTIONS);
        let mut next = Instant::now();
        loop {
            let now = Instant::now();
            if now >= next {
                check()?;
                ensure!(now < deadline, "nothing came within {PATIENCE:?}");
                self.open()?;
                next = now + self.period;
            }
            match self.poll.poll(&mut events, Some(next.saturating_duration_since(now))) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            for event in &events {
                let Some(at) = self.attempts.iter().position(|attempt| attempt.token == event.token()) else {
                    continue;
                };
                let attempt = &mut self.attempts[at];
                let asked = attempt.asked;
                let progress = attempt.go_on(&self.request)?;
                self.asked += u32::from(attempt.asked && !asked);
                match progress {
                    Progress::Waiting => {}
                    Progress::Answered(now) => return Ok(now),
                    Progress::Lost => {
                        self.attempts.remove(at);
                        next = next.min(Instant::now() + RETRY);
                    }
                }
            }
        }
    }

    fn open(&mut self) -> anyhow::Result<()> {
        if self.attempts.len() == CONNECTIONS {
            self.attempts.pop_front();
        }
        let mut stream = TcpStream::connect(self.address).context("cannot make a connection")?;
        let token = Token(self.opened);
        self.opened += 1;
        self.poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        self.attempts.push_back(Attempt { token, stream, asked: false, answer: Vec::new() });
        Ok(())
    }
}

impl Attempt {
    /// Does what can be done without waiting.
    fn go_on(&mut self, request: &[u8]) -> anyhow::Result<Progress> {
        if !self.asked {
            // So short a request is taken whole or not at all.
            let sent = match self.stream.take_error()? {
                Some(_) => return Ok(Progress::Lost),
                None => self.stream.write(request),
            };
            match sent {
                Ok(_) => self.asked = true,
                Err(error) if waits(&error) => return Ok(Progress::Waiting),
                Err(_) => return Ok(Progress::Lost),
            }
        }
        let mut buffer = [0; 16 << 10];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(Progress::Lost),
                Ok(len) => self.answer.extend_from_slice(&buffer[..len]),
                Err(error) if waits(&error) => return Ok(Progress::Waiting),
                Err(_) => return Ok(Progress::Lost),
            }
            let now = Instant::now();
            if let Some(head) = client::head(&self.answer)?
                && self.answer.len() >= head.whole()
            {
                client::succeeded(head.status)?;
                return Ok(Progress::Answered(now));
            }
        }
    }
}

fn waits(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    const LATE: Duration = Duration::from_millis(40);

    /// Asks a server that deals with connection after connection as `serve` does, by its number, and opens another every 10 ms.
    fn ask(serve: impl Fn(usize, &mut std::net::TcpStream) + Send + 'static) -> anyhow::Result<(Duration, u32)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("it has one");
        thread::spawn(move || {
            let mut kept = Vec::new();
            for (number, stream) in listener.incoming().enumerate() {
                let Ok(mut stream) = stream else { return };
                serve(number, &mut stream);
                kept.push(stream);
            }
        });
        drive(address)
    }

    fn drive(address: SocketAddr) -> anyhow::Result<(Duration, u32)> {
        let start = Instant::now();
        let mut client = Client::new(address, b"GET / HTTP/1.1\r\n\r\n".to_vec(), LATE / 4)?;
        let at = client.ask(start + Duration::from_secs(5), || Ok(()))?;
        Ok((at - start, client.asked))
    }

    #[test]
    fn the_time_is_that_of_the_last_byte() {
        // A host that is busy may make it give a connection up meanwhile: the server does not mind.
        let (took, asked) = ask(|number, stream| {
            let _ = stream.write_all(&ANSWER[..ANSWER.len() - 1]);
            if number == 0 {
                thread::sleep(LATE);
            }
            let _ = stream.write_all(&ANSWER[ANSWER.len() - 1..]);
        })
        .expect("it answers");
        assert!(took >= LATE && asked >= 1, "{took:?} {asked}");
    }

    #[test]
    fn a_system_that_forgets_its_first_connections_is_asked_on_others() {
        let (took, asked) = ask(|number, stream| {
            if number >= 3 {
                // The client may have given it up.
                let _ = stream.write_all(ANSWER);
            }
        })
        .expect("it answers the fourth");
        assert!(took >= LATE / 4 * 3 && asked >= 4, "{took:?} {asked}");
    }

    #[test]
    fn a_connection_that_is_closed_is_opened_again_at_once() {
        let (_, asked) = ask(|number, stream| {
            if number < 2 {
                stream.shutdown(std::net::Shutdown::Both).expect("closed");
            } else {
                let _ = stream.write_all(ANSWER);
            }
        })
        .expect("it answers the third");
        assert!(asked >= 1);
    }

    #[test]
    fn an_answer_that_is_no_success_is_none() {
        let error = ask(|_, stream| {
            let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        });
        assert_eq!(error.expect_err("it is refused").to_string(), "the answer has status 404");
    }

    #[test]
    fn a_port_that_does_not_accept_yet_is_tried_until_it_does() {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr()).expect("a port");
        let server = thread::spawn(move || {
            thread::sleep(LATE);
            let listener = TcpListener::bind(address).expect("still free");
            listener.accept().expect("it comes").0.write_all(ANSWER).expect("sent");
        });
        let (took, asked) = drive(address).expect("it answers");
        assert!(took >= LATE && asked >= 1, "{took:?} {asked}");
        server.join().expect("it ends");
    }
}
