//! A machine that serves, and the one connection on which it is asked over and over.

use std::io::Write;
use std::net::TcpStream;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use mayfly_abi::exit::Exit;
use mayfly_abi::ledger::{Ledger, Phase};
use mayfly_qemu::{Ending, Error, Launch, Machine};

use super::least::{is_believed, least_believed};
use super::request::Request;
use super::{PATIENCE, QUIET, client, measure};

/// Longer than Linux keeps an acknowledgement back, which otherwise may or may not come with the next request.
const ACKNOWLEDGED: Duration = Duration::from_millis(60);
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
    /// Others, which are open and do nothing.
    idle: Vec<TcpStream>,
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

    /// The same for a machine that nothing speaks against.
    pub(super) fn serving(launch: Launch) -> anyhow::Result<Self> {
        match Self::start(launch)? {
            Start::Serving(server) => Ok(server),
            Start::Refused(why) => bail!("the kernel refuses this machine: {why}"),
        }
    }

    /// A machine that listens, and a connection to it.
    pub(super) fn of(mut machine: Machine) -> anyhow::Result<Self> {
        let connection = client::connect(&mut machine)?;
        Ok(Self { machine, connection, idle: Vec::new() })
    }

    /// Opens connections, one after another, each of which is answered once: QEMU's queue of those that the machine does not
    /// know yet is short.
    pub(super) fn open_idle(&mut self, count: usize, request: &Request) -> anyhow::Result<()> {
        for number in 0..count {
            let opened = client::connect(&mut self.machine).and_then(|mut connection| {
                exchange(&mut connection, request)?;
                Ok(connection)
            });
            self.idle.push(opened.with_context(|| format!("idle connection {} of {count}", number + 1))?);
        }
        Ok(())
    }

    /// The machine, once it rests.
    pub(super) fn at_rest(&self) -> anyhow::Result<&Machine> {
        self.machine.settle(0, QUIET, PATIENCE)?;
        Ok(&self.machine)
    }

    /// Asks for `path`: the time from sending to the last byte of the answer, which must be a success.
    pub(super) fn ask(&mut self, path: &str) -> anyhow::Result<Duration> {
        self.send(&Request::get(path))
    }

    /// Sends a request: the time from then to the last byte of the answer, which must be the right one.
    pub(super) fn send(&mut self, request: &Request) -> anyhow::Result<Duration> {
        exchange(&mut self.connection, request).or_else(|error| {
            // If the machine has ended, that is the better explanation.
            self.machine.check()?;
            bail!("{}: {error:#}\n{}", request.name, self.machine.report())
        })
    }

    /// The ledger once the machine rests and has gone idle so many times in all.
    pub(super) fn settled(&self, idles: u64) -> anyhow::Result<Ledger> {
        Ok(self.machine.settle(idles, QUIET, PATIENCE)?)
    }

    /// What a request takes in instructions, on a machine whose TSC counts them. The answer before it has been acknowledged.
    pub(super) fn work(&mut self, request: &Request) -> anyhow::Result<Work> {
        let before = self.machine.settle(0, ACKNOWLEDGED, PATIENCE)?;
        self.send(request)?;
        let after = self.settled(before.idles + 1)?;
        Ok(Work { domain: after.domains - before.domains, request: after.busy - before.busy })
    }

    /// The ledger as it is now.
    pub(super) fn ledger(&self) -> anyhow::Result<Ledger> {
        self.machine.ledger().context("the machine has a ledger since it listens")
    }

    /// Asks for `path`: the ledger before and after, with the machine at rest both times. The stamps after are this request's.
    pub(super) fn observe(&mut self, path: &str) -> anyhow::Result<(Ledger, Ledger)> {
        let before = self.settled(0)?;
        self.machine.forget_request()?;
        self.ask(path)?;
        Ok((before, self.settled(before.idles + 1)?))
    }
}

/// Instructions of one request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Work {
    /// Taking, entering, running, leaving and resetting the domain, and the function itself.
    pub(super) domain: u64,
    /// All of it, the network included.
    pub(super) request: u64,
}

/// Requests that are counted at least, and at most.
const COUNTED: RangeInclusive<usize> = 12..=60;

impl Work {
    /// Whether more requests would not make [`Work::usual`] any surer.
    pub(super) fn are_enough(works: &[Self]) -> bool {
        let is_sure = || is_believed(works.iter().map(|work| work.request));
        works.len() >= *COUNTED.end() || works.len() >= *COUNTED.start() && is_sure()
    }

    /// What a request takes if nothing comes in between, of some that were counted. `None` if there are none.
    ///
    /// Of the domains, which hardly ever differ, the one in the middle: the kernel's timer may happen to be set already. Of all
    /// work the least that is believed: an answer may be acknowledged so early that it counts, which is none of its
    /// cost.
    pub(super) fn usual(works: &[Self]) -> Option<Self> {
        let mut domains: Vec<_> = works.iter().map(|work| work.domain).collect();
        domains.sort_unstable();
        let request = least_believed(works.iter().map(|work| work.request))?;
        Some(Self { domain: *domains.get(domains.len() / 2)?, request })
    }
}

fn exchange(connection: &mut TcpStream, request: &Request) -> anyhow::Result<Duration> {
    let started = Instant::now();
    connection.write_all(&request.bytes).context("the request cannot be sent")?;
    let answer = client::answer(connection)?;
    request.check(&answer)?;
    Ok(answer.last_byte - started)
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
    fn what_happens_once_is_not_usual() {
        let works = |works: &[(u64, u64)]| {
            let works: Vec<_> = works.iter().map(|&(domain, request)| Work { domain, request }).collect();
            Work::usual(&works).map(|Work { domain, request }| (domain, request))
        };
        let some = [(1002, 5351), (980, 3541), (1002, 3563), (1002, 3672), (1002, 3563), (1002, 3563)];
        assert_eq!(works(&some), Some((1002, 3563)));
        assert_eq!(works(&[(1002, 5351), (1002, 3563)]), Some((1002, 3563)));
        assert_eq!(works(&[]), None);
    }

    #[test]
    fn requests_are_counted_until_the_least_was_seen_a_few_times() {
        let works =
            |requests: &[u64]| -> Vec<Work> { requests.iter().map(|&request| Work { domain: 1, request }).collect() };
        assert!(Work::are_enough(&works(&[vec![3; 3], vec![5; 9]].concat())));
        assert!(!Work::are_enough(&works(&[3, 3, 3])), "too few");
        assert!(!Work::are_enough(&works(&[vec![3; 2], vec![5; 20]].concat())), "3 may come again");
        assert!(Work::are_enough(&works(&[vec![3], vec![5; 59]].concat())), "or not");
    }

    #[test]
    fn the_kernels_last_sentence_says_why_it_refused() {
        assert_eq!(last_words("mayfly: command line: odd\nmayfly: no PCID\n"), "no PCID");
        assert_eq!(last_words("mayfly: no PCID\n  and more of it\n"), "no PCID");
        assert!(last_words("").contains("did not say why"));
    }
}
