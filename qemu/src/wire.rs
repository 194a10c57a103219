//! A wire in user space between QEMU and a peer, which loses, doubles, reorders, delays and damages frames as it is told,
//! and writes down what passes. No root rights are needed.
//!
//! Host programs connect to a port of 127.0.0.1, as with QEMU's own network; the peer carries each connection across the
//! wire to the machine with a TCP of its own. [`crate::Launch::wire`] puts a wire between.

mod capture;
mod counters;
mod event_loop;
mod fate;
mod flow;
mod impairments;
mod lane;
mod link;
mod station;
mod stray;

use std::fs;
use std::io;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use mio::net::{TcpListener, UnixListener};
use mio::{Poll, Waker};

use self::capture::Capture;
use self::event_loop::EventLoop;
use self::station::Station;
use crate::Error;

pub use counters::{Counters, LaneCounters};
use fate::Direction;
pub use impairments::{Impairments, InvalidImpairments};

/// Injected frames that wait; whoever injects more waits too.
const INJECTED_MAX: usize = 1024;

/// A wire, and the thread that moves its frames. It ends with this value, or with QEMU.
#[derive(Debug)]
pub struct Wire {
    socket: PathBuf,
    injected: SyncSender<Vec<u8>>,
    waker: Waker,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

/// What the wire's thread and its owner share.
#[derive(Debug, Default)]
struct Shared {
    status: Mutex<Status>,
    stop: AtomicBool,
}

/// How the wire is doing.
#[derive(Clone, Copy, Debug, Default)]
struct Status {
    counters: Counters,
    /// The machine's hardware address, once the peer knows it.
    machine: Option<[u8; 6]>,
}

impl Wire {
    /// Waits for QEMU at `socket`, and for host programs at `address`.
    pub(crate) fn start(
        socket: &Path,
        address: SocketAddrV4,
        impairments: Impairments,
        capture: Option<&Path>,
    ) -> Result<Self, Error> {
        let host = TcpListener::bind(address.into()).map_err(Error::port(address.port()))?;
        let capture = capture.map(Capture::create).transpose()?;
        let station = Station::new(host, impairments.seed);
        let failed = || Error::io("set up the wire");
        let qemu = UnixListener::bind(socket).map_err(failed())?;
        let poll = Poll::new().map_err(failed())?;
        let waker = Waker::new(poll.registry(), event_loop::WAKER).map_err(failed())?;
        let (injected, receiver) = mpsc::sync_channel(INJECTED_MAX);
        let shared = Arc::new(Shared::default());
        let event_loop = EventLoop::new(poll, impairments, qemu, station, capture, receiver, Arc::clone(&shared));
        let event_loop = event_loop.map_err(failed())?;
        let thread = Some(thread::spawn(move || event_loop.run()));
        Ok(Self { socket: socket.to_owned(), injected, waker, shared, thread })
    }

    /// What has become of its frames so far.
    pub fn counters(&self) -> Counters {
        self.status().counters
    }

    /// The machine's hardware address, once it has told its peer.
    pub fn machine_address(&self) -> Option<[u8; 6]> {
        self.status().machine
    }

    fn status(&self) -> Status {
        *self.shared.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a frame of the caller's own making to the machine, beside those of the peer. It is treated like any other.
    ///
    /// Waits while more are waiting than the machine takes. False once the wire has ended.
    pub fn inject(&self, frame: Vec<u8>) -> bool {
        self.injected.send(frame).is_ok() && self.waker.wake().is_ok()
    }

    /// Ends the wire: what became of its frames, or what went wrong meanwhile.
    pub fn finish(mut self) -> Result<Counters, Error> {
        self.end().map_err(Error::io("carry frames between QEMU and the host"))?;
        Ok(self.counters())
    }

    fn end(&mut self) -> io::Result<()> {
        self.shared.stop.store(true, Ordering::Relaxed);
        // It fails only if the thread has ended.
        let _ = self.waker.wake();
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(ended)) => ended,
            Some(Err(_)) => Err(io::Error::other("its thread has panicked")),
            None => Ok(()),
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // Nobody asked how it went.
        let _ = self.end();
        let _ = fs::remove_file(&self.socket);
    }
}
