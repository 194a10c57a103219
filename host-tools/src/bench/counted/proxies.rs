//! What the time of a boot and of a request follows under TCG: code that is translated, exits to QEMU, memory that is touched.

use std::ops::RangeInclusive;

use mayfly_abi::ledger::Phase;
use mayfly_qemu::{Launch, Machine};

use crate::bench::least::{is_believed, least_believed};
use crate::bench::measure::EmptyGuest;
use crate::bench::server::Server;
use crate::bench::{PATIENCE, QUIET, measure};
use crate::results::{Series, Unit};

/// Boots that are counted, and how many of those go on to later requests.
const BOOTS: usize = 8;
const LONG: usize = 3;
/// Later requests in each of these, at least and at most.
const REQUESTS: RangeInclusive<usize> = 8..=60;
/// More requests than the card has buffers in either direction: after so many, each buffer's memory was touched.
const BUFFERS: usize = 300;

/// Counted between two moments at which the machine rests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::bench) struct Proxies {
    /// Blocks of guest code that QEMU translated.
    pub(super) blocks: u64,
    /// Accesses to I/O ports.
    pub(super) ports: u64,
    /// Accesses to devices' registers in memory.
    pub(super) mmio: u64,
    /// Pages of memory that were touched for the first time.
    pub(super) pages: u64,
}

impl Proxies {
    /// Since the machine was started.
    fn now(machine: &Machine) -> anyhow::Result<Self> {
        let exits = machine.exits()?;
        Ok(Self {
            blocks: machine.translated_blocks()?,
            ports: exits.ports,
            mmio: exits.mmio,
            pages: machine.touched_pages()?,
        })
    }

    fn since(self, earlier: Self) -> Self {
        Self {
            blocks: self.blocks.saturating_sub(earlier.blocks),
            ports: self.ports.saturating_sub(earlier.ports),
            mmio: self.mmio.saturating_sub(earlier.mmio),
            pages: self.pages.saturating_sub(earlier.pages),
        }
    }

    /// The least that some of these have, figure by figure: what is more belongs to an acknowledgement that woke the machine by
    /// itself, or to an answer that came before it was waited for, which happens on a busy host. What is less and was seen once
    /// or twice is not what a request takes either.
    fn usual(all: &[Self]) -> Self {
        let least = |figure: fn(&Self) -> u64| least_believed(all.iter().map(figure)).unwrap_or(0);
        Self {
            blocks: least(|one| one.blocks),
            ports: least(|one| one.ports),
            mmio: least(|one| one.mmio),
            pages: least(|one| one.pages),
        }
    }

    /// Whether more of these would not make [`Proxies::usual`] any surer: there are as many as the least of each figure.
    fn are_enough(all: &[Self]) -> bool {
        let figures: [fn(&Self) -> u64; 3] = [|one| one.blocks, |one| one.mmio, |one| one.pages];
        figures.into_iter().all(|figure| is_believed(all.iter().map(figure)))
    }

    /// As results have them.
    pub(in crate::bench) fn series(self) -> Vec<Series> {
        let Self { blocks, ports, mmio, pages } = self;
        let figures =
            [("blocks translated", blocks), ("port exits", ports), ("MMIO exits", mmio), ("pages touched", pages)];
        let series = |(name, value)| Series::new(name, Unit::Count, vec![value as f64]);
        figures.into_iter().filter_map(series).collect()
    }
}

/// Counts in boots of their own: until the machine rests after the boot, in its first request for `path`, and in a later one.
/// What an empty guest takes, QEMU's firmware that is, is not in the first; `None` where there is no such guest.
pub(super) fn count(launch: &Launch, path: &str) -> anyhow::Result<Option<[Proxies; 3]>> {
    let Some(empty) = EmptyGuest::on(launch)? else { return Ok(None) };
    let mut empty = start(empty.launch())?;
    measure::wait_for_stamp(&mut empty, Phase::Entry)?;
    let firmware = Proxies::now(&empty)?;
    drop(empty);

    let (mut boots, mut first_requests, mut requests) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..BOOTS {
        let mut machine = start(launch.clone())?;
        measure::wait_for_stamp(&mut machine, Phase::Listening)?;
        machine.settle(1, QUIET, PATIENCE)?;
        boots.push(Proxies::now(&machine)?.since(firmware));
        let mut server = Server::of(machine)?;
        first_requests.push(request(&mut server, path)?);
        if number < LONG {
            (0..BUFFERS).try_for_each(|_| server.ask(path).map(drop))?;
            for made in 1..=*REQUESTS.end() {
                requests.push(request(&mut server, path)?);
                if made >= *REQUESTS.start() && Proxies::are_enough(&requests) {
                    break;
                }
            }
        }
    }
    Ok(Some([boots, first_requests, requests].map(|all| Proxies::usual(&all))))
}

/// A machine that can be asked for all figures.
fn start(launch: Launch) -> Result<Machine, mayfly_qemu::Error> {
    launch.icount().monitored().traced().start()
}

/// From rest to rest with a request in between.
fn request(server: &mut Server, path: &str) -> anyhow::Result<Proxies> {
    let before = Proxies::now(server.at_rest()?)?;
    server.observe(path)?;
    Ok(Proxies::now(server.at_rest()?)?.since(before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_that_was_seen_a_few_times_counts_figure_by_figure() {
        let proxies = |[blocks, ports, mmio, pages]: [u64; 4]| Proxies { blocks, ports, mmio, pages };
        let [one, two, three] = [[10, 2, 30, 4], [7, 3, 9, 4], [7, 2, 8, 5]].map(proxies);
        assert_eq!(one.since(two), proxies([3, 0, 21, 0]));
        let all = [one, two, three, one, one];
        assert_eq!(Proxies::usual(&all), proxies([10, 2, 30, 4]), "what was seen twice is not believed");
        assert!(!Proxies::are_enough(&all));
        let more = [&all[..], &[three, two, three]].concat();
        assert_eq!(Proxies::usual(&more), proxies([7, 2, 8, 4]));
        assert!(Proxies::are_enough(&more));
        assert_eq!(Proxies::usual(&[one, two]), proxies([7, 2, 9, 4]), "of a few the least");
        assert_eq!(Proxies::usual(&[]), Proxies::default());
        let names: Vec<_> = one.series().into_iter().map(|series| (series.name, series.values[0])).collect();
        let names: Vec<_> = names.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let expected = [("blocks translated", 10.0), ("port exits", 2.0), ("MMIO exits", 30.0), ("pages touched", 4.0)];
        assert_eq!(names, expected);
    }
}
