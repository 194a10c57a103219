//! A system that is measured: Mayfly's machine or a peer's, from its start to its turns.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use mayfly_qemu::{Launch, Machine};

use super::cpu;
use super::figures::Turn;
use super::generator::{Load, Target};
use crate::bench::client;
use crate::bench::session::Subject;
use crate::peer::{Host, Peer, Process};

/// How long a system may take until it answers.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long one try waits. Not every system says where it is when it comes up, and QEMU forgets what it could not deliver.
const TRY: Duration = Duration::from_millis(250);
/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(20);

/// What runs.
enum Running {
    Mayfly(Machine),
    Peer(Process),
}

/// A system that answers.
pub(super) struct System {
    pub(super) name: String,
    pub(super) what: String,
    tuned: Vec<String>,
    running: Running,
    target: Target,
}

impl System {
    /// Boots Mayfly and waits until it answers.
    pub(super) fn mayfly(launch: Launch, path: &str) -> anyhow::Result<Self> {
        let running = Running::Mayfly(launch.start()?);
        Self::of("mayfly".to_owned(), "this image".to_owned(), Vec::new(), running, path)
    }

    /// Starts a peer and waits until it answers.
    pub(super) fn peer(peer: &Peer, host: &Host) -> anyhow::Result<Self> {
        let running = Running::Peer(peer.start(host)?);
        let what = peer.description()?;
        Self::of(peer.name.clone(), what, peer.tuned.clone(), running, &peer.path)
    }

    fn of(name: String, what: String, tuned: Vec<String>, mut running: Running, path: &str) -> anyhow::Result<Self> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {name}\r\n\r\n").into_bytes();
        let answer = running.first_answer(&request).with_context(|| format!("{name} does not answer GET {path}"))?;
        let target = Target { address: running.address(), request, answer };
        Ok(Self { name, what, tuned, running, target })
    }

    /// Who it is, in a result.
    pub(super) fn subject(&self) -> Subject {
        let line = match &self.running {
            Running::Mayfly(machine) => machine.command(),
            Running::Peer(process) => process.command(),
        }
        .to_string();
        let answer = format!("every answer was {:?}", String::from_utf8_lossy(&self.target.answer));
        let notes = [self.what.clone()].into_iter().chain(self.tuned.iter().cloned()).chain([answer]).collect();
        Subject { system: self.name.clone(), line, notes }
    }

    /// One turn: `connections` connections, opened one after another, then asked on for `duration`.
    pub(super) fn turn(&mut self, connections: usize, duration: Duration) -> anyhow::Result<Turn> {
        let load = Load::open(&self.target, connections)?;
        let used = || Ok::<_, anyhow::Error>((cpu::of_process(self.running.pid())?, cpu::of_this_thread()?));
        let (before, client_before) = used()?;
        let outcome = load.drive(duration)?;
        let (after, client_after) = used()?;
        self.running.check().with_context(|| format!("{} is gone", self.name))?;
        Ok(Turn { outcome, duration, cpu: after.saturating_sub(before), client: client_after - client_before })
    }
}

impl Running {
    fn pid(&self) -> u32 {
        match self {
            Self::Mayfly(machine) => machine.pid(),
            Self::Peer(process) => process.pid(),
        }
    }

    fn address(&self) -> SocketAddr {
        match self {
            Self::Mayfly(machine) => machine.address().into(),
            Self::Peer(process) => process.address(),
        }
    }

    /// An error if it has ended.
    fn check(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Mayfly(machine) => Ok(machine.check()?),
            Self::Peer(process) => process.check(),
        }
    }

    fn report(&self) -> String {
        match self {
            Self::Mayfly(machine) => machine.report(),
            Self::Peer(process) => process.report(),
        }
    }

    /// Asks until there is an answer, which must be a success.
    fn first_answer(&mut self, request: &[u8]) -> anyhow::Result<Vec<u8>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(answer) = ask(self.address(), request)? {
                return Ok(answer);
            }
            self.check()?;
            if Instant::now() > deadline {
                bail!("nothing came within {PATIENCE:?}\n{}", self.report());
            }
            thread::sleep(PAUSE);
        }
    }
}

/// Tries once: the answer, which must be a success, or `None` if there was none.
fn ask(address: SocketAddr, request: &[u8]) -> anyhow::Result<Option<Vec<u8>>> {
    let Ok(mut stream) = TcpStream::connect_timeout(&address, TRY) else { return Ok(None) };
    stream.set_read_timeout(Some(TRY))?;
    let mut answer = Vec::new();
    let mut buffer = [0; 16 << 10];
    if stream.write_all(request).is_err() {
        return Ok(None);
    }
    while let Ok(len @ 1..) = stream.read(&mut buffer) {
        answer.extend_from_slice(&buffer[..len]);
        if let Some(head) = client::head(&answer)?
            && answer.len() >= head.whole()
        {
            client::succeeded(head.status)?;
            ensure!(answer.len() == head.whole(), "there is more than one answer");
            return Ok(Some(answer));
        }
    }
    Ok(None)
}
