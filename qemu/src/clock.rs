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

/// How far a rate may seem to be off. A stamp is stored a little later than its time was taken, and if each look finds it just
/// then, that makes some ten microseconds of the tens of milliseconds between two sightings.
const STRAY: f64 = 2.5e-3;

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
    /// Starts to look at the ledger of a machine that boots.
    pub fn start(machine: &Machine) -> Self {
        Self::of(machine, Phase::BOOT.to_vec())
    }

    /// Starts to look at the ledger of a machine that rests, whose last request was [forgotten](Machine::forget_request).
    pub fn request(machine: &Machine) -> Self {
        Self::of(machine, Phase::BOOT.into_iter().filter(|phase| phase.is_of_request()).collect())
    }

    /// Looks for these phases, of which no stamp is there yet.
    fn of(machine: &Machine, phases: Vec<Phase>) -> Self {
        let memory = machine.memory().clone();
        let stop = Arc::new(AtomicBool::new(false));
        let spawned = machine.spawned();
        let thread = thread::spawn({
            let (memory, stop) = (memory.clone(), Arc::clone(&stop));
            move || look(&memory, spawned, phases, &stop)
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

fn look(memory: &Memory, spawned: Instant, mut missing: Vec<Phase>, stop: &AtomicBool) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut after = Duration::ZERO;
    while !missing.is_empty() {
        let last = stop.load(Ordering::Relaxed);
        let started = spawned.elapsed();
        let is_found = memory.moved().is_some();
        let ledger = if is_found { memory.ledger() } else { None };
        let before = spawned.elapsed();
        if let Some(ledger) = ledger {
            for phase in missing.extract_if(.., |phase| ledger.stamp(*phase) != 0) {
                seen.push(Seen { phase, after, before });
            }
        }
        if last {
            break;
        }
        // Before the ledger is found, a stamp may long be there.
        if is_found {
            after = started;
        }
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

    /// Host time since QEMU was started at which the guest's TSC was at 0: QEMU lets the machine's processor go. `None` if that
    /// would have been before QEMU's start: then this TSC counts from something else.
    pub fn power_on(&self) -> Option<Duration> {
        let middle = (self.earliest + self.latest) / 2.0;
        Duration::try_from_secs_f64(middle + self.since_reference(0)).ok()
    }

    /// How far [`JoinedClock::at`] may be off, either way.
    pub fn uncertainty(&self) -> Duration {
        Duration::from_secs_f64((self.latest - self.earliest) / 2.0)
    }

    /// How fast the guest's TSC ran from this clock's sightings to those of `later`.
    ///
    /// The assumed rate is used within the sightings of each clock, not from one to the other: the longer the time between
    /// them, the closer the bounds.
    pub fn rate_until(&self, later: &Self) -> Rate {
        let ticks = later.reference.wrapping_sub(self.reference).cast_signed() as f64;
        let over = |seconds: f64| if seconds > 0.0 { ticks / seconds } else { f64::INFINITY };
        Rate { least: over(later.latest - self.earliest), most: over(later.earliest - self.latest) }
    }

    fn since_reference(&self, ticks: u64) -> f64 {
        ticks.wrapping_sub(self.reference).cast_signed() as f64 / self.hz
    }
}

/// A rate that was seen from outside, in ticks a second: not less than the one and not more than the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// It is at least this.
    pub least: f64,
    /// It is at most this; infinite if the sightings were too close together to tell.
    pub most: f64,
}

impl Rate {
    /// Can it be `hz`, give or take a quarter of a percent?
    pub fn allows(&self, hz: u64) -> bool {
        let hz = hz as f64;
        self.least <= hz * (1.0 + STRAY) && hz * (1.0 - STRAY) <= self.most
    }

    /// How far the two bounds are apart, as a share of the lower.
    pub fn spread(&self) -> f64 {
        self.most / self.least - 1.0
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
    fn a_tsc_that_counts_from_power_on_says_when_that_was_and_another_does_not() {
        let at = |ticks| JoinedClock::new(&[sighting(Phase::Entry, ticks, 900, 900)], HZ).expect("one is enough");
        assert_eq!(at(1_000_000).power_on(), Some(us(400)), "half a millisecond before");
        assert_eq!(at(2_000_000).power_on(), None, "QEMU had not been started");
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

    /// What is seen of a guest whose TSC has another rate: a boot of 5 ms, and a request `pause` µs later. Each look takes
    /// 50 µs.
    fn seen_at(rate: f64, pause: u64) -> [Vec<Sighting>; 2] {
        let at = |phase: Phase, at: u64| {
            sighting(phase, (at as f64 * 1e-6 * HZ as f64 * rate) as u64, at - 10 - at % 30, at + 40 - at % 30)
        };
        let boot =
            [(Phase::Entry, 20_000), (Phase::Traps, 20_700), (Phase::Listening, 21_500), (Phase::Response, 25_000)];
        let request = [(Phase::Syn, 100), (Phase::Request, 350), (Phase::Response, 411)];
        let later = request.map(|(phase, time)| at(phase, 25_000 + pause + time));
        [boot.map(|(phase, time)| at(phase, time)).to_vec(), later.to_vec()]
    }

    #[test]
    fn a_clock_of_another_rate_is_noticed_if_one_waits_long_enough() {
        for (off, pause) in [(0.1, 3_000), (0.03, 10_000), (0.01, 30_000), (0.004, 300_000)] {
            for rate in [1.0 - off, 1.0, 1.0 + off] {
                let [boot, request] = seen_at(rate, pause);
                // A rate that is far off shows within the boot already.
                let clocks = JoinedClock::new(&boot, HZ).zip(JoinedClock::new(&request, HZ));
                let seen = clocks.map(|(first, later)| first.rate_until(&later));
                assert_eq!(seen.is_some_and(|seen| seen.allows(HZ)), rate == 1.0, "{rate} after {pause} µs: {seen:?}");
                let hz = HZ as f64 * rate;
                assert!(
                    seen.is_none_or(|seen| seen.least <= hz * 1.001 && hz * 0.999 <= seen.most),
                    "{rate}: {seen:?}"
                );
            }
        }
    }

    #[test]
    fn two_sightings_of_one_moment_say_nothing_about_the_rate() {
        let clock = JoinedClock::new(&[sighting(Phase::Entry, 1_000_000, 100, 200)], HZ).expect("one is enough");
        let rate = clock.rate_until(&clock);
        assert!(rate.allows(HZ) && rate.allows(1) && rate.spread() == f64::INFINITY, "{rate:?}");
    }
}
