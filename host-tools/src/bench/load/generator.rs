//! The client: many connections in one thread, each of which asks again as soon as it is answered.
//!
//! It shares the cores with what it measures, so it does little: an answer is compared with the first one, not parsed, and
//! takes one read, one write and a share of one wait.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use mio::{Events, Interest, Poll, Token};

/// How long an answer may take. After that it counts as lost.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked for connections whose answers are lost.
const LOOK: Duration = Duration::from_millis(200);
/// Requests a second that there is room for from the start, so that no time is lost with making more.
const FASTEST: usize = 200_000;

/// What is asked of whom, and the answer that every time must come.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    pub(super) request: Vec<u8>,
    pub(super) answer: Vec<u8>,
}

/// What came of a load.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    /// Nanoseconds of each request that was answered rightly.
    pub(super) latencies: Vec<u64>,
    /// How many of them before the time was up.
    pub(super) in_time: u64,
    /// Connections that could not be opened, and requests that were answered wrongly or not at all. Each ends its connection.
    pub(super) errors: u64,
    /// The first of them.
    pub(super) error: Option<String>,
}

impl Outcome {
    fn fail(&mut self, error: &anyhow::Error) {
        self.errors += 1;
        self.error.get_or_insert_with(|| format!("{error:#}"));
    }
}

/// Connections that are open, each of which was answered once.
pub(super) struct Load<'a> {
    target: &'a Target,
    poll: Poll,
    /// A connection that ended leaves its place empty.
    connections: Vec<Option<Connection>>,
    outcome: Outcome,
}

impl<'a> Load<'a> {
    /// Opens `count` connections, one after another: each is answered before the next one is opened.
    pub(super) fn open(target: &'a Target, count: usize) -> anyhow::Result<Self> {
        let poll = Poll::new()?;
        let mut load = Self { target, poll, connections: Vec::new(), outcome: Outcome::default() };
        for number in 0..count {
            match Connection::open(target).with_context(|| format!("connection {} of {count}", number + 1)) {
                Ok(mut connection) => {
                    let token = Token(load.connections.len());
                    load.poll.registry().register(&mut connection.stream, token, Interest::READABLE)?;
                    load.connections.push(Some(connection));
                }
                Err(error) => load.outcome.fail(&error),
            }
        }
        Ok(load)
    }

    /// Asks on all connections for `duration`, and waits for the last answers.
    pub(super) fn drive(mut self, duration: Duration) -> anyhow::Result<Outcome> {
        self.outcome.latencies.reserve(duration.as_secs() as usize * FASTEST);
        let start = Instant::now();
        let end = start + duration;
        let mut waiting = 0;
        for place in &mut self.connections {
            let Some(connection) = place else { continue };
            match connection.send(self.target, Instant::now()) {
                Ok(()) => waiting += 1,
                Err(error) => end_connection(place, &mut self.outcome, &error),
            }
        }
        let mut events = Events::with_capacity(self.connections.len().max(1));
        let mut look = start + LOOK;
        while waiting > 0 {
            match self.poll.poll(&mut events, Some(LOOK)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            for event in &events {
                let place = &mut self.connections[event.token().0];
                let Some(connection) = place else { continue };
                match connection.receive(self.target) {
                    Ok(None) => {}
                    Ok(Some(now)) => {
                        self.outcome.latencies.push((now - connection.sent).as_nanos() as u64);
                        if now >= end {
                            connection.waiting = false;
                            waiting -= 1;
                            continue;
                        }
                        self.outcome.in_time += 1;
                        if let Err(error) = connection.send(self.target, now) {
                            end_connection(place, &mut self.outcome, &error);
                            waiting -= 1;
                        }
                    }
                    Err(error) => {
                        waiting -= usize::from(connection.waiting);
                        end_connection(place, &mut self.outcome, &error);
                    }
                }
            }
            let now = Instant::now();
            if now >= look {
                look = now + LOOK;
                waiting -= self.give_up(now);
            }
        }
        Ok(self.outcome)
    }

    /// Ends the connections whose answers are lost: how many.
    fn give_up(&mut self, now: Instant) -> usize {
        let mut lost = 0;
        for place in &mut self.connections {
            if place.as_ref().is_some_and(|connection| connection.waiting && now - connection.sent > PATIENCE) {
                end_connection(place, &mut self.outcome, &anyhow::anyhow!("no answer within {PATIENCE:?}"));
                lost += 1;
            }
        }
        lost
    }
}

fn end_connection(place: &mut Option<Connection>, outcome: &mut Outcome, error: &anyhow::Error) {
    outcome.fail(error);
    *place = None;
}

struct Connection {
    stream: mio::net::TcpStream,
    /// How much of the answer is there.
    received: usize,
    /// When the last request was sent.
    sent: Instant,
    /// It is not answered yet.
    waiting: bool,
}

impl Connection {
    /// Opens a connection and asks once.
    fn open(target: &Target) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(target.address).context("cannot be opened")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(&target.request).context("the request cannot be sent")?;
        let mut answer = vec![0; target.answer.len()];
        stream.read_exact(&mut answer).context("no answer")?;
        ensure!(answer == target.answer, "the answer is wrong: {}", String::from_utf8_lossy(&answer));
        stream.set_nonblocking(true)?;
        Ok(Self { stream: mio::net::TcpStream::from_std(stream), received: 0, sent: Instant::now(), waiting: false })
    }

    fn send(&mut self, target: &Target, now: Instant) -> anyhow::Result<()> {
        // The last one was answered, so there is room for this one.
        let len = self.stream.write(&target.request).context("the request cannot be sent")?;
        ensure!(len == target.request.len(), "the request cannot be sent whole");
        (self.received, self.sent, self.waiting) = (0, now, true);
        Ok(())
    }

    /// Takes what has arrived: when the answer was whole, if it is now.
    fn receive(&mut self, target: &Target) -> anyhow::Result<Option<Instant>> {
        let mut buffer = [0; 16 << 10];
        loop {
            let len = match self.stream.read(&mut buffer) {
                Ok(0) => bail!("the connection was closed"),
                Ok(len) => len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("the answer cannot be received"),
            };
            let expected = target.answer[self.received..].get(..len).filter(|_| self.waiting);
            ensure!(
                expected == Some(&buffer[..len]),
                "the answer is wrong: {}",
                String::from_utf8_lossy(&buffer[..len.min(200)])
            );
            self.received += len;
            if self.received == target.answer.len() {
                return Ok(Some(Instant::now()));
            }
        }
    }
}

#[cfg(test)]
mod tests;
