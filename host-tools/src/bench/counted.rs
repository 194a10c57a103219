//! Instructions of a boot and of requests, phase by phase: exact, and the same in every run.

mod proxies;
mod table;

use std::collections::BTreeMap;

use anyhow::Context;
use mayfly_abi::ledger::{Ledger, Phase};
use mayfly_qemu::Launch;

use super::server::Server;
use crate::results::{Series, Unit};

pub(super) use self::proxies::Proxies;
pub(super) use self::table::Table;

/// Phases of a boot that follow from nothing but the one before, whatever the network does.
const BOOT: &[Phase] = Phase::BOOT.split_at(6).0;

/// Boots of which the shortest counts: how long a timer takes to set depends on when it is to ring.
const BOOTS: usize = 3;
/// Requests of each kind that [`shortest`] wants to have seen, and most that it makes.
const OF_EACH: usize = 5;
const REQUESTS_MAX: usize = 60;

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
    /// The phase that the first step starts from, if there is one.
    from: Option<&'static str>,
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

/// Parts of what was counted, in the order of [`Counted::parts`].
pub(super) const PARTS: [&str; 3] = ["boot", "first request", "request"];

impl Part {
    /// From each of the phases that were reached to the next that was, on a machine whose TSC ticks so often for each
    /// instruction.
    pub(super) fn of(ledger: &Ledger, phases: &[Phase], ticks: u64) -> Self {
        let reached = phases.iter().filter(|phase| ledger.stamp(**phase) != 0);
        Self::between(&reached.map(|phase| (phase.name(), ledger.stamp(*phase) / ticks)).collect::<Vec<_>>())
    }

    /// From each of the stops to the next. A stop is a phase and when it was reached.
    pub(super) fn between(stops: &[(&'static str, u64)]) -> Self {
        let step =
            |pair: &[(&'static str, u64)]| Step { name: pair[1].0, instructions: pair[1].1.saturating_sub(pair[0].1) };
        let steps: Vec<_> = stops.windows(2).map(step).collect();
        let total = steps.iter().map(|step| step.instructions).sum();
        Self { total, from: stops.first().map(|stop| stop.0), steps }
    }

    /// Where it stops, counted from the first.
    pub(super) fn stops(&self) -> Vec<(&'static str, u64)> {
        let mut at = 0;
        let steps = self.steps.iter().map(|step| {
            at += step.instructions;
            (step.name, at)
        });
        self.from.map(|name| (name, 0)).into_iter().chain(steps).collect()
    }

    /// The same way with fewer stops: only those of these names.
    pub(super) fn among(&self, names: &[&str]) -> Self {
        Self::between(&self.stops().into_iter().filter(|(name, _)| names.contains(name)).collect::<Vec<_>>())
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
    /// Boots and asks for `path`, a few times.
    pub(super) fn of(launch: &Launch, path: &str) -> anyhow::Result<Self> {
        let mut least = Self::once(launch, path)?;
        for _ in 1..BOOTS {
            let Self { boot, first_request, request } = Self::once(launch, path)?;
            least.boot = least.boot.min(boot);
            least.first_request = least.first_request.min(first_request);
            least.request = least.request.min(request);
        }
        Ok(least)
    }

    fn once(launch: &Launch, path: &str) -> anyhow::Result<Self> {
        let ticks = launch.ticks();
        let mut server = Server::serving(launch.clone().icount())?;
        let boot = Part::of(&server.ledger()?, BOOT, ticks);
        let first_request = Part::of(&server.observe(path)?.1, &Phase::REQUEST, ticks);
        let request = shortest(|_| Ok(Part::of(&server.observe(path)?.1, &Phase::REQUEST, ticks)))?;
        Ok(Self { boot, first_request, request })
    }

    /// The loader's share of the boot: until the image's page tables are in use.
    pub(super) fn loader(&self) -> u64 {
        let step = self.boot.steps.iter().find(|step| step.name == Phase::Paging.name());
        step.map_or(0, |step| step.instructions)
    }

    /// Its parts.
    pub(super) fn parts(&self) -> [&Part; 3] {
        [&self.boot, &self.first_request, &self.request]
    }
}

/// Counts what the time of each of [`PARTS`] follows under TCG.
pub(super) fn proxies(launch: &Launch, path: &str) -> anyhow::Result<Option<[Proxies; 3]>> {
    proxies::count(launch, path)
}

/// The shortest of requests that `make` makes; it is told how many there were before.
///
/// The client's system acknowledges an answer in a packet of its own or together with the next request, which is longer then.
/// So there are two kinds of request, told apart by their first step; it goes on until it has seen some of each, and what is
/// shortest is so in every run.
pub(super) fn shortest(mut make: impl FnMut(usize) -> anyhow::Result<Part>) -> anyhow::Result<Part> {
    let mut least: Option<Part> = None;
    let mut kinds: BTreeMap<Option<Step>, usize> = BTreeMap::new();
    for number in 0..REQUESTS_MAX {
        let part = make(number)?;
        *kinds.entry(part.steps.first().copied()).or_default() += 1;
        least = Some(match least.take() {
            Some(least) => least.min(part),
            None => part,
        });
        if kinds.values().filter(|count| **count >= OF_EACH).count() > 1 {
            break;
        }
    }
    least.context("nothing was asked")
}

#[cfg(test)]
pub(super) mod tests {
    use mayfly_abi::wire::Wire;

    use super::*;

    /// A part with steps of these lengths.
    pub(in super::super) fn part(from: &'static str, steps: &[(&'static str, u64)]) -> Part {
        let mut at = 0;
        let steps = steps.iter().map(|(name, instructions)| {
            at += instructions;
            (*name, at)
        });
        Part::between(&[(from, 0)].into_iter().chain(steps).collect::<Vec<_>>())
    }

    /// A ledger with these stamps.
    fn ledger(stamps: &[(Phase, u64)]) -> Ledger {
        let mut page = [0; Ledger::SIZE];
        stamps.iter().for_each(|(phase, ticks)| ticks.put(&mut page[phase.offset()..]));
        Ledger::get(&page)
    }

    #[test]
    fn steps_lead_from_one_phase_that_was_reached_to_the_next() {
        let ledger = ledger(&[(Phase::Entry, 5), (Phase::Traps, 25), (Phase::Memory, 125), (Phase::Syn, 9999)]);
        let part = Part::of(&ledger, BOOT, 1);
        let steps: Vec<_> = part.steps.iter().map(|step| (step.name, step.instructions)).collect();
        assert_eq!(steps, [("traps", 20), ("memory", 100)], "paging was not stamped, and a SYN comes from outside");
        assert_eq!(part.total, 120);
        assert_eq!(Part::of(&ledger, BOOT, 5).total, 24);
    }

    #[test]
    fn requests_are_made_until_there_are_some_of_each_kind() {
        let part = |in_: u64, at_rest: u64| {
            let stamps = [(Phase::Wake, 1), (Phase::Bytes, 1 + in_), (Phase::Rest, 1 + in_ + at_rest)];
            Part::of(&ledger(&stamps), &Phase::REQUEST, 1)
        };
        let mut made = 0;
        let mut asked = |lengths: &[(u64, u64)]| {
            let least = shortest(|number| {
                made = number + 1;
                Ok(lengths.get(number).map_or_else(|| part(9, 100), |(one, two)| part(*one, *two)))
            });
            (least.expect("something is asked"), made)
        };
        let mut alternating = vec![(20, 100), (9, 100), (5, 101)];
        (1..OF_EACH).for_each(|_| alternating.extend([(9, 100), (5, 100)]));
        assert_eq!(asked(&alternating), (part(5, 100), alternating.len()), "the first is of a kind of its own");
        assert_eq!(asked(&[(5, 100)]), (part(5, 100), REQUESTS_MAX), "a kind that hardly comes is waited for");
    }

    #[test]
    fn the_shortest_is_the_least() {
        let part = |first: u64, second: u64| {
            let stamps = [(Phase::Wake, 1), (Phase::Bytes, 1 + first), (Phase::Request, 1 + first + second)];
            Part::of(&ledger(&stamps), &Phase::REQUEST, 1)
        };
        assert_eq!([part(5, 6), part(1, 8), part(2, 8)].into_iter().min(), Some(part(1, 8)));
        assert_eq!([part(4, 4), part(3, 5)].into_iter().min(), Some(part(3, 5)), "and of equals always the same");
    }
}
