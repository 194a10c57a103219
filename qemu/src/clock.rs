//! Joins the guest's clock with the host's: when did the host's clock show what the guest stamped?
//!
//! The guest's TSC runs at the host's rate with an unknown offset. A thread looks at the ledger over and over; a stamp
//! that is there now and was not there a moment ago was written in between. Each new stamp so gives an interval for the
//! offset, and all the intervals of a boot together narrow it down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mayfly_abi::ledger::Phase;

use crate::tsc::RATE_ERROR;
use crate::{Machine, Memory};

/// Pause between two looks. Each look costs about a microsecond of one core.
const PAUSE: Duration = Duration::from_micros(50);

/// A thread that looks at a machine's ledger.
#[derive(Debug)]
pub struct Watch {
    memory: Memory,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Seen>>,
}

/// A phase, the last look without its stamp and the first look with it.
#[derive(Debug)]
struct Seen {
    phase: Phase,
    after: Duration,
    before: Duration,
}

/// A stamp of the guest and the host times, since QEMU was started, between which it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// What the guest had reached.
    pub phase: Phase,
    /// The guest's TSC then.
    pub ticks: u64,
    /// It was not there yet.
    pub after: Duration,
    /// It was there.
    pub before: Duration,
}

impl Watch {
    /// Starts to look at a machine's ledger.
    pub fn start(machine: &Machine) -> Self {
        let memory = machine.memory().clone();
        let stop = Arc::new(AtomicBool::new(false));
        let spawned = machine.spawned();
        let thread = thread::spawn({
            let (memory, stop) = (memory.clone(), Arc::clone(&stop));
            move || look(&memory, spawned, &stop)
        });
        Self { memory, stop, thread }
    }

    /// Looks a last time and gives every stamp of [`Phase::BOOT`] that was seen to appear, in this order. The others are
    /// written later than what they tell of.
    pub fn finish(self) -> Vec<Sighting> {
        self.stop.store(true, Ordering::Relaxed);
        let seen = self.thread.join().unwrap_or_default();
        // The values are read only now: while it looked, the thread may have met one half written.
        let Some(ledger) = self.memory.ledger() else { return Vec::new() };
        let mut sightings: Vec<_> = seen
            .into_iter()
            .map(|Seen { phase, after, before }| Sighting { phase, ticks: ledger.stamp(phase), after, before })
            .collect();
        sightings.sort_by_key(|sighting| Phase::BOOT.iter().position(|phase| *phase == sighting.phase));
        sightings
    }
}

fn look(memory: &Memory, spawned: Instant, stop: &AtomicBool) -> Vec<Seen> {
    let mut missing = Phase::BOOT.to_vec();
    let mut seen = Vec::new();
    let mut after = Duration::ZERO;
    while !missing.is_empty() {
        let last = stop.load(Ordering::Relaxed);
        let started = spawned.elapsed();
        let ledger = memory.ledger();
        let before = spawned.elapsed();
        if let Some(ledger) = ledger {
            for phase in missing.extract_if(.., |phase| ledger.stamp(*phase) != 0) {
                seen.push(Seen { phase, after, before });
            }
        }
        if last {
            break;
        }
        after = started;
        thread::sleep(PAUSE);
    }
    seen
}

/// The guest's clock in terms of the host's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JoinedClock {
    hz: f64,
    reference: u64,
    /// Between these two host times, in seconds since QEMU was started, the guest's TSC was at `reference`.
    earliest: f64,
    latest: f64,
}

impl JoinedClock {
    /// Joins the clocks from what was seen. `hz`: ticks a second.
    ///
    /// `None` if nothing was seen, or if no offset fits most of what was seen: then the rate is wrong.
    pub fn new(sightings: &[Sighting], hz: u64) -> Option<Self> {
        let reference = sightings.first()?.ticks;
        let hz = hz as f64;
        let bounds = |sighting: &Sighting| {
            let since = sighting.ticks.wrapping_sub(reference).cast_signed() as f64 / hz;
            let slack = since.abs() * RATE_ERROR;
            (sighting.after.as_secs_f64() - since - slack, sighting.before.as_secs_f64() - since + slack)
        };
        let latest = sightings.iter().map(|s| bounds(s).1).fold(f64::INFINITY, f64::min);
        // A guest whose thread loses its core between reading the clock and storing the stamp is seen to stamp late:
        // such a sighting starts too late. It can end too late, but never too early.
        let fitting = || sightings.iter().map(|s| bounds(s).0).filter(|earliest| *earliest <= latest);
        let earliest = fitting().reduce(f64::max)?;
        (2 * fitting().count() > sightings.len()).then_some(Self { hz, reference, earliest, latest })
    }

    /// Host time since QEMU was started at which the guest's TSC was at `ticks`.
    pub fn at(&self, ticks: u64) -> Duration {
        let middle = (self.earliest + self.latest) / 2.0;
        Duration::from_secs_f64((middle + self.since_reference(ticks)).max(0.0))
    }

    /// How far [`JoinedClock::at`] may be off, either way.
    pub fn uncertainty(&self) -> Duration {
        Duration::from_secs_f64((self.latest - self.earliest) / 2.0)
    }

    fn since_reference(&self, ticks: u64) -> f64 {
        ticks.wrapping_sub(self.reference).cast_signed() as f64 / self.hz
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HZ: u64 = 2_000_000_000;

    fn us(us: u64) -> Duration {
        Duration::from_micros(us)
    }

    fn sighting(phase: Phase, ticks: u64, after: u64, before: u64) -> Sighting {
        Sighting { phase, ticks, after: us(after), before: us(before) }
    }

    #[test]
    fn intervals_are_intersected() {
        // Entry between 100 and 200 µs; paging 50 µs later, between 200 and 300: so entry is between 150 and 200.
        let seen = [sighting(Phase::Entry, 1_000_000, 100, 200), sighting(Phase::Paging, 1_100_000, 200, 300)];
        let clock = JoinedClock::new(&seen, HZ).expect("the intervals meet");
        assert_eq!(clock.at(1_000_000).as_micros(), 174, "175, less the little by which the rate may be off");
        assert_eq!(clock.at(1_100_000) - clock.at(1_000_000), us(50));
        assert_eq!(clock.uncertainty().as_micros(), 25);
    }

    #[test]
    fn a_stamp_before_the_first_sighting_lies_before_it() {
        let clock = JoinedClock::new(&[sighting(Phase::Paging, 1_100_000, 200, 200)], HZ).expect("one is enough");
        assert_eq!(clock.at(1_000_000), us(150));
    }

    #[test]
    fn a_stamp_that_was_stored_late_does_not_count() {
        let late = sighting(Phase::Traps, 1_200_000, 290, 390);
        let seen = [sighting(Phase::Entry, 1_000_000, 100, 180), sighting(Phase::Paging, 1_100_000, 200, 300), late];
        let clock = JoinedClock::new(&seen, HZ).expect("two of three agree");
        assert_eq!(clock.at(1_000_000).as_micros(), 164, "between 150 and 180, although the last says after 190");
    }

    #[test]
    fn sightings_that_contradict_each_other_join_nothing() {
        let seen = [sighting(Phase::Entry, 0, 100, 110), sighting(Phase::Paging, 20_000, 200, 210)];
        assert_eq!(JoinedClock::new(&seen, HZ), None);
        assert_eq!(JoinedClock::new(&[], HZ), None);
    }
}
