//! What is seen of a boot and of the requests after it: the client's times, the guest's stamps, and the clock that joins them.

use anyhow::Context;
use indicatif::ProgressBar;
use mayfly_abi::ledger::{Ledger, Phase};
use mayfly_qemu::clock::{JoinedClock, Sighting, Watch};
use mayfly_qemu::{Launch, Machine};

use crate::bench::client::{self, Seen};
use crate::bench::measure::{CONTRADICTION, wait_for_stamp};
use crate::bench::{PATIENCE, QUIET, rate};

/// A request and its answer; the first one with the boot before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exchange {
    /// What the client saw.
    pub(super) seen: Seen,
    /// What the guest stamped.
    pub(super) ledger: Ledger,
    /// Where the guest's stamps lie on the client's clock.
    pub(super) clock: JoinedClock,
}

/// Boots a machine and asks it once early and `requests` times later. `hz`: ticks a second of its TSC.
pub(super) fn exchanges(
    launch: Launch,
    hz: u64,
    path: &str,
    requests: u32,
    bar: &ProgressBar,
) -> anyhow::Result<Vec<Exchange>> {
    let mut machine = launch.start()?;
    let watch = Watch::start(&machine);
    let (seen, ledger) = ask(&mut machine, path)?;
    let booting = watch.finish();
    let first = join(&booting, hz)?;
    let mut exchanges = vec![Exchange { seen, ledger, clock: first }];
    let mut last = first;
    for _ in 0..requests {
        bar.inc(1);
        forget(&machine)?;
        let watch = Watch::request(&machine);
        let (seen, ledger) = ask(&mut machine, path)?;
        let sightings = watch.finish();
        last = join(&sightings, hz)?;
        // What was seen of the boot narrows it down, too.
        exchanges.push(Exchange { seen, ledger, clock: join(&[sightings, booting.clone()].concat(), hz)? });
    }
    bar.inc(1);
    rate::confirm(first.rate_until(&last), hz)?;
    Ok(exchanges)
}

/// The same on a machine that counts instructions: what it stamped.
pub(super) fn counted(launch: Launch, path: &str, requests: u32, bar: &ProgressBar) -> anyhow::Result<Vec<Ledger>> {
    let mut machine = launch.start()?;
    let mut ledgers = vec![ask(&mut machine, path)?.1];
    for _ in 0..requests {
        bar.inc(1);
        forget(&machine)?;
        ledgers.push(ask(&mut machine, path)?.1);
    }
    bar.inc(1);
    Ok(ledgers)
}

/// Has the next request stamped.
fn forget(machine: &Machine) -> anyhow::Result<()> {
    machine.settle(0, QUIET, PATIENCE)?;
    Ok(machine.forget_request()?)
}

fn ask(machine: &mut Machine, path: &str) -> anyhow::Result<(Seen, Ledger)> {
    let seen = client::exchange(machine, path)?;
    // It is the last stamp, and comes after the answer.
    wait_for_stamp(machine, Phase::Rest)?;
    Ok((seen, machine.ledger().context("the machine's memory is gone")?))
}

fn join(sightings: &[Sighting], hz: u64) -> anyhow::Result<JoinedClock> {
    JoinedClock::new(sightings, hz).context(CONTRADICTION)
}
