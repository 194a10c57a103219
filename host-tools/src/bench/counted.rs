//! Instructions of a boot and of requests, phase by phase: exact, and the same in every run.

mod table;

use std::path::Path;

use anyhow::{Context, bail};
use mayfly_abi::ledger::{Ledger, Phase};
use mayfly_qemu::Launch;

use super::server::{Server, Start};
use crate::results::{Series, Unit};

pub(super) use self::table::Table;

/// Phases of a boot that follow from nothing but the one before, whatever the network does.
const BOOT: &[Phase] = Phase::BOOT.split_at(6).0;

/// Boots of which the shortest counts: how long a timer takes to set depends on when it is to ring.
const BOOTS: usize = 3;
/// Requests of which the shortest counts. The client's system acknowledges an answer with the next request, or in a packet
/// of its own, which makes the next request shorter: whichever it does, some of these are short.
const REQUESTS: usize = 12;

/// The way to a phase from the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Step {
    /// The phase that it leads to.
    pub(super) name: &'static str,
    pub(super) instructions: u64,
}

/// Steps that follow one another. Their order is that of their sum.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Part {
    pub(super) total: u64,
    pub(super) steps: Vec<Step>,
}

/// What was counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    /// From the image's first instruction to listening.
    pub(super) boot: Part,
    /// The first request, on a connection that is open: from waking to rest.
    pub(super) first_request: Part,
    /// A later one on the same connection.
    pub(super) request: Part,
}

impl Part {
    /// From each of the phases that were reached to the next that was.
    pub(super) fn of(ledger: &Ledger, phases: &[Phase]) -> Self {
        let reached: Vec<_> = phases.iter().filter(|phase| ledger.stamp(**phase) != 0).collect();
        let step = |pair: &[&Phase]| Step {
            name: pair[1].name(),
            instructions: ledger.stamp(*pair[1]).saturating_sub(ledger.stamp(*pair[0])),
        };
        let steps: Vec<_> = reached.windows(2).map(step).collect();
        Self { total: steps.iter().map(|step| step.instructions).sum(), steps }
    }

    /// As results have it.
    pub(super) fn series(&self) -> Vec<Series> {
        let total = Step { name: "total", instructions: self.total };
        let steps = self.steps.iter().chain([&total]);
        let series = |step: &Step| Series::new(step.name, Unit::Instructions, vec![step.instructions as f64]);
        steps.filter_map(series).collect()
    }
}

impl Counted {
    /// Boots `image` and asks for `path`, a few times.
    pub(super) fn of(image: &Path, path: &str) -> anyhow::Result<Self> {
        let mut least = Self::once(image, path)?;
        for _ in 1..BOOTS {
            let Self { boot, first_request, request } = Self::once(image, path)?;
            least.boot = least.boot.min(boot);
            least.first_request = least.first_request.min(first_request);
            least.request = least.request.min(request);
        }
        Ok(least)
    }

    fn once(image: &Path, path: &str) -> anyhow::Result<Self> {
        let mut server = match Server::start(Launch::new(image).icount())? {
            Start::Serving(server) => server,
            Start::Refused(why) => bail!("the kernel refuses the machine that counts instructions: {why}"),
        };
        let boot = Part::of(&server.ledger()?, BOOT);
        let mut request = || Ok(Part::of(&server.observe(path)?.1, &Phase::REQUEST));
        let first_request = request()?;
        let requests = (0..REQUESTS).map(|_| request()).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Self { boot, first_request, request: requests.into_iter().min().context("nothing was asked")? })
    }

    /// Its parts, by name.
    pub(super) fn parts(&self) -> [(&'static str, &Part); 3] {
        [("boot", &self.boot), ("first request", &self.first_request), ("request", &self.request)]
    }
}

#[cfg(test)]
pub(super) mod tests {
    use mayfly_abi::wire::Wire;

    use super::*;

    /// A ledger with these stamps.
    fn ledger(stamps: &[(Phase, u64)]) -> Ledger {
        let mut page = [0; Ledger::SIZE];
        stamps.iter().for_each(|(phase, ticks)| ticks.put(&mut page[phase.offset()..]));
        Ledger::get(&page)
    }

    #[test]
    fn steps_lead_from_one_phase_that_was_reached_to_the_next() {
        let ledger = ledger(&[(Phase::Entry, 5), (Phase::Traps, 25), (Phase::Memory, 125), (Phase::Syn, 9999)]);
        let part = Part::of(&ledger, BOOT);
        let steps: Vec<_> = part.steps.iter().map(|step| (step.name, step.instructions)).collect();
        assert_eq!(steps, [("traps", 20), ("memory", 100)], "paging was not stamped, and a SYN comes from outside");
        assert_eq!(part.total, 120);
    }

    #[test]
    fn the_shortest_is_the_least() {
        let part = |first: u64, second: u64| {
            let stamps = [(Phase::Wake, 1), (Phase::Bytes, 1 + first), (Phase::Request, 1 + first + second)];
            Part::of(&ledger(&stamps), &Phase::REQUEST)
        };
        assert_eq!([part(5, 6), part(1, 8), part(2, 8)].into_iter().min(), Some(part(1, 8)));
        assert_eq!([part(4, 4), part(3, 5)].into_iter().min(), Some(part(3, 5)), "and of equals always the same");
    }
}
