//! One measured boot, and one measured floor.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use mayfly_abi::ledger::Phase;
use mayfly_qemu::clock::{JoinedClock, Sighting, Watch};
use mayfly_qemu::{Launch, Machine, tsc_hz};

use super::client::{self, Seen};
use super::{PATIENCE, milliseconds, rate};
use crate::build::floor_image;
use crate::results::Side;
use crate::split::{self, Part};
use crate::unfinished::Unfinished;

/// A point of a boot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) name: &'static str,
    pub(super) side: Side,
    /// Milliseconds since QEMU was started.
    pub(super) at: f64,
}

/// One boot: what was reached when.
#[derive(Clone, Debug)]
pub(super) struct Boot {
    /// In the order of their times.
    pub(super) events: Vec<Event>,
    /// Milliseconds from spawn to the first byte.
    pub(super) first_byte: f64,
    /// Milliseconds from spawn to the last byte.
    pub(super) last_byte: f64,
    /// Milliseconds of that which the separately measured parts explain.
    pub(super) accounted: f64,
    /// Milliseconds by which the guest's times may be off.
    pub(super) uncertainty: f64,
    /// The rate of the guest's clock is known to this share of it.
    pub(super) rate_spread: f64,
}

impl Boot {
    /// How far the parts are from adding up to the whole, as a share of it.
    pub(super) fn unaccounted(&self) -> f64 {
        (self.accounted / self.first_byte - 1.0).abs()
    }

    /// Who has its time, in milliseconds.
    pub(super) fn parts(&self) -> Vec<Part> {
        split::parts(|point| self.events.iter().find(|event| event.name == point).map(|event| event.at))
    }
}

/// Why clocks cannot be joined.
pub(crate) const CONTRADICTION: &str = "the clocks of guest and host do not fit together: the guest's runs at another rate, or the host's at no steady one";

/// Ticks a second of the TSC that guest and host have in common.
pub(super) fn host_hz() -> anyhow::Result<u64> {
    tsc_hz().context(
        "this host's TSC has no steady rate, so boots cannot be timed on it; `--metric insn` counts instructions on any host",
    )
}

/// A guest that does nothing, on some machine.
pub(super) struct EmptyGuest {
    /// Gone with this.
    image: Unfinished,
    /// Of Mayfly.
    launch: Launch,
}

impl EmptyGuest {
    /// On the machine of `launch`; `None` if that boots from a disk: what is before *entry* there is the
    /// firmware's, whoever the guest is.
    pub(super) fn on(launch: &Launch) -> anyhow::Result<Option<Self>> {
        if asks_late(launch) {
            return Ok(None);
        }
        let (image, mut file) = Unfinished::file(&std::env::temp_dir())?;
        file.write_all(&floor_image()?)?;
        Ok(Some(Self { image, launch: launch.clone() }))
    }

    pub(super) fn launch(&self) -> Launch {
        self.launch.clone().with_image(self.image.path())
    }
}

/// Milliseconds from spawn to the first instruction of the empty guest that is launched.
pub(super) fn floor(launch: Launch, hz: u64) -> anyhow::Result<f64> {
    let mut machine = launch.start()?;
    let watch = Watch::start(&machine);
    wait_for_stamp(&mut machine, Phase::Entry)?;
    let seen = watch.finish();
    let clock = JoinedClock::new(&seen, hz).context("the empty guest's first instruction was not seen")?;
    Ok(milliseconds(clock.at(seen[0].ticks)))
}

/// Whether the client waits until the machine listens: QEMU's network holds a connection's first packet for a second, and
/// firmware that boots from a disk takes longer.
pub(super) fn asks_late(launch: &Launch) -> bool {
    launch.machine_type().drive.is_some()
}

/// Boots a machine and asks it for `path`.
pub(super) fn boot(launch: Launch, hz: u64, path: &str) -> anyhow::Result<Boot> {
    let is_late = asks_late(&launch);
    let mut machine = launch.start()?;
    let watch = Watch::start(&machine);
    if is_late {
        wait_for_stamp(&mut machine, Phase::Listening)?;
    }
    let seen = client::exchange(&mut machine, path)?;
    // The first byte can be here before the guest has come round to stamping that it was sent.
    wait_for_stamp(&mut machine, Phase::Response)?;
    let sightings = watch.finish();
    let clock = JoinedClock::new(&sightings, hz).context(CONTRADICTION)?;
    let rate_spread = rate::check(&mut machine, &clock, hz, path)?;
    let connected = if is_late { "connected" } else { "port open" };
    join(&sightings, &clock, (connected, seen), hz, rate_spread)
}

/// Waits until the ledger has a stamp of `phase`.
pub(crate) fn wait_for_stamp(machine: &mut Machine, phase: Phase) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while machine.ledger().is_none_or(|ledger| ledger.stamp(phase) == 0) {
        machine.check()?;
        ensure!(
            Instant::now() < deadline,
            "the guest left no stamp of `{}` in the ledger\n{}",
            phase.name(),
            machine.report()
        );
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Puts what the guest stamped and what the client saw on one clock. `connected`: what the client's connecting is called.
fn join(
    sightings: &[Sighting],
    clock: &JoinedClock,
    (connected, seen): (&'static str, Seen),
    hz: u64,
    rate_spread: f64,
) -> anyhow::Result<Boot> {
    let guest = sightings.iter().map(|sighting| (sighting.phase.name(), Side::Guest, clock.at(sighting.ticks)));
    let host = [
        (connected, seen.connected),
        ("request sent", seen.sent),
        (split::FIRST_BYTE, seen.first_byte),
        ("last byte", seen.last_byte),
    ];
    let power_on = clock.power_on().map(|at| (split::POWER_ON, at));
    let host = host.into_iter().chain(power_on).map(|(name, at)| (name, Side::Host, at));
    let mut events: Vec<_> =
        guest.chain(host).map(|(name, side, at)| Event { name, side, at: milliseconds(at) }).collect();
    events.sort_by(|a, b| a.at.total_cmp(&b.at));
    Ok(Boot {
        events,
        first_byte: milliseconds(seen.first_byte),
        last_byte: milliseconds(seen.last_byte),
        accounted: accounted(sightings, seen, hz)?,
        uncertainty: milliseconds(clock.uncertainty()),
        rate_spread,
    })
}

/// The time to the first byte, added up from parts that are measured independently of each other: QEMU's start by the
/// host's clock, the guest's work by the guest's, the way back by the host's.
///
/// When the guest began and when it ended is seen twice, each time by the stamps of that half alone. So the clocks of both
/// must have gone on alike in between, which the one clock that all stamps are joined by takes for granted.
fn accounted(sightings: &[Sighting], seen: Seen, hz: u64) -> anyhow::Result<f64> {
    let (boot, request): (Vec<_>, Vec<_>) =
        sightings.iter().copied().partition(|sighting| sighting.phase as u32 <= Phase::Listening as u32);
    let find = |phase| sightings.iter().find(|sighting| sighting.phase == phase);
    let (Some(entry), Some(response)) = (find(Phase::Entry), find(Phase::Response)) else {
        bail!("the guest answered without stamping its entry and its response in the ledger");
    };
    let seen_at = |half: &[Sighting], ticks| {
        JoinedClock::new(half, hz).map(|clock| milliseconds(clock.at(ticks))).context(CONTRADICTION)
    };
    let start = seen_at(&boot, entry.ticks)?;
    let guest = (response.ticks - entry.ticks) as f64 / hz as f64 * 1e3;
    let way_back = milliseconds(seen.first_byte) - seen_at(&request, response.ticks)?;
    Ok(start + guest + way_back)
}

#[cfg(test)]
mod tests {
    use super::super::report::{Report, Run};
    use super::*;

    fn sighting(phase: Phase, ticks: u64, after_us: u64, before_us: u64) -> Sighting {
        let us = Duration::from_micros;
        Sighting { phase, ticks, after: us(after_us), before: us(before_us) }
    }

    fn seen() -> Seen {
        let ms = Duration::from_millis;
        Seen { connecting: ms(1), connected: ms(15), sent: ms(16), first_byte: ms(30), last_byte: ms(31) }
    }

    /// What comes of these sightings at a megahertz: a tick is a microsecond.
    fn joined(sightings: &[Sighting], seen: Seen, hz: u64) -> anyhow::Result<Boot> {
        let clock = JoinedClock::new(sightings, hz).context(CONTRADICTION)?;
        join(sightings, &clock, ("port open", seen), hz, 0.001)
    }

    #[test]
    fn guest_and_host_events_are_put_in_one_order() {
        // Entry at 20 ms, response at 29 ms.
        let sightings =
            [sighting(Phase::Entry, 1000, 19_900, 20_100), sighting(Phase::Response, 10_000, 28_900, 29_100)];
        let boot = joined(&sightings, seen(), 1_000_000).expect("the clocks fit");
        let names: Vec<_> = boot.events.iter().map(|event| event.name).collect();
        assert_eq!(
            names,
            ["port open", "request sent", "power-on", "entry", "response queued", "first byte", "last byte"]
        );
        assert!(
            (boot.events[2].at - 19.0).abs() < 1e-9,
            "the guest's clock was at 0 a thousand ticks before the entry"
        );
        assert!((boot.events[3].at - 20.0).abs() < 1e-9);
        assert!((boot.accounted - 30.0).abs() < 1e-9);
        assert!((boot.uncertainty - 0.1).abs() < 1e-9);
    }

    #[test]
    fn a_wrong_rate_leaves_time_unaccounted_for_or_joins_nothing() {
        let coarse = [sighting(Phase::Entry, 1000, 15_000, 25_000), sighting(Phase::Response, 10_000, 24_000, 34_000)];
        let boot = joined(&coarse, seen(), 2_000_000).expect("so coarse sightings fit any rate");
        assert!((boot.accounted - 25.5).abs() < 1e-9, "{boot:?}");
        let fine = [sighting(Phase::Entry, 1000, 19_900, 20_100), sighting(Phase::Response, 10_000, 28_900, 29_100)];
        assert!(joined(&fine, seen(), 2_000_000).is_err());
    }

    #[test]
    fn a_guest_that_stamps_no_response_cannot_be_measured() {
        assert!(joined(&[sighting(Phase::Entry, 1000, 19_900, 20_100)], seen(), 1_000_000).is_err());
    }

    /// A boot of which each point was reached 100 µs after the one before it, but `late` 5 ms later. The client's points lie
    /// among the guest's, as they do in a real one.
    fn boot_with_delay(late: Option<&str>) -> Boot {
        let mut now = 20_000;
        let mut reach = |name| {
            now += if late == Some(name) { 5_100 } else { 100 };
            now
        };
        let [connected, sent] = ["port open", "request sent"].map(|name| Duration::from_micros(reach(name)));
        let sightings = Phase::BOOT.map(|phase| {
            let at = reach(phase.name());
            sighting(phase, 7_000_000 + at, at - 40, at + 10)
        });
        let [first_byte, last_byte] = ["first byte", "last byte"].map(|name| Duration::from_micros(reach(name)));
        let seen = Seen { connecting: Duration::ZERO, connected, sent, first_byte, last_byte };
        joined(&sightings, seen, 1_000_000).expect("the clocks fit")
    }

    #[test]
    fn a_delay_of_any_point_appears_in_its_step_and_nowhere_else() {
        let run = |late| Run { floor: Some(20.0), boot: boot_with_delay(late) };
        let steps = |late| {
            let report = Report::of(&[run(late), run(late), run(late)]).expect("there are runs");
            assert!(report.adds_up(), "{report:?}");
            report.rows.into_iter().map(|row| (row.name, row.step)).collect::<Vec<_>>()
        };
        let usual = steps(None);
        assert_eq!(usual.len(), Phase::BOOT.len() + 4);
        for (late, _) in &usual {
            for ((name, step), (also, before)) in steps(Some(late)).into_iter().zip(&usual) {
                let planted = if name == *late { 5.0 } else { 0.0 };
                assert_eq!(name, *also);
                assert!((step - before - planted).abs() < 0.02, "{late} is late, and {name} took {step} ms");
            }
        }
    }
}
