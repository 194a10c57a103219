//! A machine that serves, and the one connection on which it is asked over and over.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use mayfly_abi::exit::Exit;
use mayfly_abi::ledger::{Ledger, Phase};
use mayfly_qemu::{Ending, Error, Launch, Machine};

use super::{client, measure};

/// How long the machine may take for anything that is asked of it.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// Longer than it takes the client's acknowledgement to arrive.
pub(super) const QUIET: Duration = Duration::from_millis(20);
/// What the kernel's own lines on the console start with.
const KERNEL_SAYS: &str = "mayfly: ";

/// What became of a machine that was started.
pub(super) enum Start {
    Serving(Server),
    /// The kernel refuses this machine: its sentence.
    Refused(String),
}

/// A machine that serves.
pub(super) struct Server {
    machine: Machine,
    connection: TcpStream,
}

impl Server {
    /// Boots a machine and waits until it serves or refuses to.
    pub(super) fn start(launch: Launch) -> anyhow::Result<Start> {
        let mut machine = launch.start()?;
        if let Err(error) = measure::wait_for_stamp(&mut machine, Phase::Listening) {
            return match error.downcast_ref() {
                Some(Error::Ended { ending: Ending::Kernel(Exit::Refused), .. }) => {
                    Ok(Start::Refused(last_words(&machine.console().text()).to_owned()))
                }
                _ => Err(error),
            };
        }
        Ok(Start::Serving(Self::of(machine)?))
    }

    /// A machine that listens, and a connection to it.
    pub(super) fn of(mut machine: Machine) -> anyhow::Result<Self> {
        let connection = machine.connect(PATIENCE)?;
        connection.set_nodelay(true)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { machine, connection })
    }

    /// The machine, once it rests.
    pub(super) fn at_rest(&self) -> anyhow::Result<&Machine> {
        self.machine.settle(0, QUIET, PATIENCE)?;
        Ok(&self.machine)
    }

    /// Asks for `path`: the time from sending to the last byte of the answer, which must be a success.
    pub(super) fn ask(&mut self, path: &str) -> anyhow::Result<Duration> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: mayfly\r\n\r\n");
        let started = Instant::now();
        let sent = self.connection.write_all(request.as_bytes()).context("the request cannot be sent");
        match sent.and_then(|()| client::receive(&mut self.connection)) {
            Ok((_, last_byte)) => Ok(last_byte - started),
            Err(error) => {
                // If the machine has ended, that is the better explanation.
                self.machine.check()?;
                bail!("GET {path}: {error:#}\n{}", self.machine.report())
            }
        }
    }

    /// The ledger as it is now.
    pub(super) fn ledger(&self) -> anyhow::Result<Ledger> {
        self.machine.ledger().context("the machine has a ledger since it listens")
    }

    /// Asks for `path`: the ledger before and after, with the machine at rest both times. The stamps after are this request's.
    pub(super) fn observe(&mut self, path: &str) -> anyhow::Result<(Ledger, Ledger)> {
        let before = self.machine.settle(0, QUIET, PATIENCE)?;
        self.machine.forget_request()?;
        self.ask(path)?;
        Ok((before, self.machine.settle(before.idles + 1, QUIET, PATIENCE)?))
    }
}

/// The kernel's last line on the console, without its name.
fn last_words(console: &str) -> &str {
    let line = console.lines().rev().find_map(|line| line.strip_prefix(KERNEL_SAYS));
    line.unwrap_or("the kernel refused to run and did not say why")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_last_sentence_says_why_it_refused() {
        assert_eq!(last_words("mayfly: command line: odd\nmayfly: no PCID\n"), "no PCID");
        assert_eq!(last_words("mayfly: no PCID\n  and more of it\n"), "no PCID");
        assert!(last_words("").contains("did not say why"));
    }
}
