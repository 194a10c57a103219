//! The thread between QEMU, the wire's two directions, the peer and whoever injects frames.

use std::io::{self, ErrorKind};
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use mio::net::UnixListener;
use mio::{Events, Interest, Poll, Token};

use super::capture::Capture;
use super::lane::Lane;
use super::link::Link;
use super::station::Station;
use super::{Counters, Direction, Impairments, Shared, Status};

/// Tokens below those of the station's flows.
pub(super) const WAKER: Token = Token(0);
const QEMU: Token = Token(1);
const LINK: Token = Token(2);
const HOST: Token = Token(3);
/// Frames that are injected in one round, so that the peer gets its turn.
const INJECTED_MAX: usize = 64;
/// Events that are taken in one round.
const EVENTS: usize = 1024;

/// Everything that the thread owns.
pub(super) struct EventLoop {
    poll: Poll,
    started: Instant,
    qemu: UnixListener,
    link: Option<Link>,
    to_machine: Lane,
    to_peer: Lane,
    station: Station,
    capture: Option<Capture>,
    injected: Receiver<Vec<u8>>,
    /// There may be more injected frames than were taken.
    more_injected: bool,
    shared: Arc<Shared>,
}

impl EventLoop {
    pub(super) fn new(
        poll: Poll,
        impairments: Impairments,
        mut qemu: UnixListener,
        mut station: Station,
        capture: Option<Capture>,
        injected: Receiver<Vec<u8>>,
        shared: Arc<Shared>,
    ) -> io::Result<Self> {
        poll.registry().register(&mut qemu, QEMU, Interest::READABLE)?;
        poll.registry().register(station.listener(), HOST, Interest::READABLE)?;
        Ok(Self {
            poll,
            started: Instant::now(),
            qemu,
            link: None,
            to_machine: Lane::new(impairments, Direction::ToMachine),
            to_peer: Lane::new(impairments, Direction::ToPeer),
            station,
            capture,
            injected,
            more_injected: false,
            shared,
        })
    }

    /// Runs until QEMU or the owner of the wire has gone.
    pub(super) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        let mut connected = true;
        while connected && !self.shared.stop.load(Ordering::Relaxed) {
            self.wait(&mut events)?;
            for event in &events {
                match event.token() {
                    WAKER => self.more_injected = true,
                    QEMU => self.connect()?,
                    LINK => self.link.iter_mut().for_each(Link::wake),
                    HOST => self.station.accept(self.poll.registry(), self.started.elapsed())?,
                    _ => self.station.wake(event),
                }
            }
            connected = self.round()?;
            let counters = Counters {
                to_machine: self.to_machine.counters(),
                to_peer: self.to_peer.counters(),
                connections: self.station.connections(),
            };
            let status = Status { counters, machine: self.station.machine().map(|address| address.0) };
            *self.shared.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
        }
        self.capture.as_mut().map_or(Ok(()), Capture::flush)
    }

    /// Waits until there is something to do.
    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        let now = self.started.elapsed();
        let readable = self.link.as_ref().is_some_and(Link::is_readable);
        let room = self.link.as_ref().is_some_and(|link| link.room() > 0);
        let timeout = if readable || (room && (self.more_injected || self.station.is_busy())) {
            Some(Duration::ZERO)
        } else {
            let next = [self.to_machine.next(), self.to_peer.next(), self.station.next()];
            next.into_iter().flatten().min().map(|at| at.saturating_sub(now))
        };
        if timeout != Some(Duration::ZERO)
            && let Some(capture) = &mut self.capture
        {
            // Whoever reads the file while the machine is quiet sees everything.
            capture.flush()?;
        }
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            other => other,
        }
    }

    /// QEMU has connected.
    fn connect(&mut self) -> io::Result<()> {
        match self.qemu.accept() {
            Ok((stream, _)) => {
                let link = self.link.insert(Link::new(stream));
                self.poll.registry().register(link.stream(), LINK, Interest::READABLE | Interest::WRITABLE)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Moves everything on by one round. False when QEMU has gone.
    fn round(&mut self) -> io::Result<bool> {
        let Some(link) = &mut self.link else { return Ok(true) };
        let now = self.started.elapsed();
        let (to_machine, to_peer, capture) = (&mut self.to_machine, &mut self.to_peer, &mut self.capture);
        let read = link.receive(|frame| {
            capture.iter_mut().for_each(|capture| capture.add(&frame));
            to_peer.put(frame, now);
        })?;
        let room = link.room();
        while let Some(frame) = to_peer.take(now) {
            self.station.receive(&frame, &mut |frame| to_machine.put(frame, now));
        }
        self.station.serve(self.poll.registry(), now, room, &mut |frame| to_machine.put(frame, now))?;
        if room > 0 {
            let mut injected = self.injected.try_iter().take(INJECTED_MAX);
            self.more_injected = injected.by_ref().map(|frame| to_machine.put(frame, now)).count() == INJECTED_MAX;
        }
        while let Some(frame) = to_machine.take(now) {
            capture.iter_mut().for_each(|capture| capture.add(&frame));
            link.send(&frame);
        }
        Ok(link.flush()? && read)
    }
}
