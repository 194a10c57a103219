//! What the time of a boot and of a request follows under TCG: code that is translated, exits to QEMU, memory that is touched.

use std::io::Write;
use std::path::Path;

use mayfly_abi::ledger::Phase;
use mayfly_qemu::{Launch, Machine};

use crate::bench::measure;
use crate::bench::server::{PATIENCE, QUIET, Server};
use crate::build::floor_image;
use crate::results::{Series, Unit};
use crate::unfinished::Unfinished;

/// Requests of which the least counts: every second one has an acknowledgement to receive by itself.
const REQUESTS: usize = 6;

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

    /// Each of its figures with the other's.
    fn with(self, other: Self, join: fn(u64, u64) -> u64) -> Self {
        Self {
            blocks: join(self.blocks, other.blocks),
            ports: join(self.ports, other.ports),
            mmio: join(self.mmio, other.mmio),
            pages: join(self.pages, other.pages),
        }
    }

    fn since(self, earlier: Self) -> Self {
        self.with(earlier, u64::saturating_sub)
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

/// Counts in a boot of `image` of its own: until it rests after the boot, in its first request for `path`, and in a later one.
/// What an empty guest takes, QEMU's firmware that is, is not in the first.
pub(super) fn count(image: &Path, path: &str) -> anyhow::Result<[Proxies; 3]> {
    let start = |image: &Path| Launch::new(image).icount().monitored().traced().start();
    let (floor, mut file) = Unfinished::file(&std::env::temp_dir())?;
    file.write_all(&floor_image()?)?;
    let mut empty = start(floor.path())?;
    measure::wait_for_stamp(&mut empty, Phase::Entry)?;
    let firmware = Proxies::now(&empty)?;
    drop(empty);

    let mut machine = start(image)?;
    measure::wait_for_stamp(&mut machine, Phase::Listening)?;
    machine.settle(1, QUIET, PATIENCE)?;
    let boot = Proxies::now(&machine)?.since(firmware);
    let mut server = Server::of(machine)?;
    let mut request = || -> anyhow::Result<Proxies> {
        let before = Proxies::now(server.at_rest()?)?;
        server.observe(path)?;
        Ok(Proxies::now(server.at_rest()?)?.since(before))
    };
    let first_request = request()?;
    let mut later = request()?;
    for _ in 1..REQUESTS {
        later = later.with(request()?, u64::min);
    }
    Ok([boot, first_request, later])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_taken_from_and_compared_with_each_other_one_by_one() {
        let [one, two] =
            [[10, 2, 30, 4], [7, 3, 9, 4]].map(|[blocks, ports, mmio, pages]| Proxies { blocks, ports, mmio, pages });
        assert_eq!(one.since(two), Proxies { blocks: 3, ports: 0, mmio: 21, pages: 0 });
        assert_eq!(one.with(two, u64::min), Proxies { blocks: 7, ports: 2, mmio: 9, pages: 4 });
        let names: Vec<_> = one.series().into_iter().map(|series| (series.name, series.values[0])).collect();
        let names: Vec<_> = names.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let expected = [("blocks translated", 10.0), ("port exits", 2.0), ("MMIO exits", 30.0), ("pages touched", 4.0)];
        assert_eq!(names, expected);
    }
}
