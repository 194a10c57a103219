//! A boot as its steps, in the order of their medians.

use super::input::Entry;
use super::meaning::doing;
use super::plot::Step;
use crate::results::{Benchmark, Record, Series, Side, Summary};

/// What a boot of Mayfly says.
pub(super) struct Phases<'a> {
    pub(super) entry: &'a Entry,
    pub(super) steps: Vec<Step>,
    pub(super) first_byte: &'a Series,
    pub(super) floor: Option<&'a Series>,
}

/// The colour of what the guest did.
pub(super) const GUEST: usize = 0;
/// The colour of what QEMU, its firmware, its network and the client did.
pub(super) const HOST: usize = 1;

impl<'a> Phases<'a> {
    /// `None` if it is no boot with points of time.
    pub(super) fn of(entry: &'a Entry) -> Option<Self> {
        let record = &entry.record;
        if record.benchmark != Benchmark::Boot || entry.counted() {
            return None;
        }
        let mut events: Vec<_> = record.series.iter().filter_map(|series| Some((series, series.side?))).collect();
        events.sort_by(|(one, _), (two, _)| one.summary.median.total_cmp(&two.summary.median));
        let (mut start, mut running) = (0.0, false);
        let steps = events.into_iter().map(|(series, side)| {
            // What passes until the guest's first instruction is not the guest's.
            let colour = if running && side == Side::Guest { GUEST } else { HOST };
            running |= side == Side::Guest;
            let words = doing(&series.name).unwrap_or(&series.name).to_owned();
            let step = Step { name: series.name.clone(), words, colour, start, end: series.summary.median };
            start = step.end;
            step
        });
        let steps: Vec<_> = steps.collect();
        (!steps.is_empty()).then_some(())?;
        Some(Self { entry, steps, first_byte: record.series("first byte")?, floor: record.series("floor") })
    }

    /// How much longer than the empty guest before it a boot took, boot by boot.
    pub(super) fn above_floor(&self) -> Option<Summary> {
        let (boots, floors) = (self.first_byte, self.floor?);
        Summary::of(paired(boots, floors)?.map(|(boot, floor)| boot - floor))
    }

    /// How far the separately measured parts are from the whole, as the median of shares of it.
    pub(super) fn unaccounted(&self) -> Option<f64> {
        let parts = self.entry.record.series("sum of the parts")?;
        let shares = paired(parts, self.first_byte)?.map(|(sum, whole)| (sum / whole - 1.0).abs());
        Summary::of(shares).map(|summary| summary.median)
    }

    /// The share of the time to the first byte that passes until the guest's first instruction.
    pub(super) fn before_guest(&self) -> Option<f64> {
        let guest = self.entry.record.series.iter().filter(|series| series.side == Some(Side::Guest));
        let first = guest.map(|series| series.summary.median).min_by(f64::total_cmp)?;
        Some(first / self.first_byte.summary.median)
    }

    /// The longest steps before the first byte, longest first.
    pub(super) fn longest(&self, count: usize) -> Vec<&Step> {
        let mut steps: Vec<_> = self.steps.iter().filter(|step| step.end <= self.first_byte.summary.median).collect();
        steps.sort_by(|one, two| two.length().total_cmp(&one.length()));
        steps.truncate(count);
        steps
    }
}

/// The values of the two, run by run; `None` if they are not all there or not of the same runs.
fn paired<'a>(one: &'a Series, two: &'a Series) -> Option<impl Iterator<Item = (f64, f64)>> {
    let whole = |series: &Series| series.values.len() == series.summary.count;
    (whole(one) && whole(two) && one.values.len() == two.values.len())
        .then(|| one.values.iter().copied().zip(two.values.iter().copied()))
}

/// The time from starting a system to its whole first response.
pub(super) fn first_response(record: &Record) -> Option<&Series> {
    record.series("first response").or_else(|| record.series("last byte"))
}

#[cfg(test)]
mod tests {
    use super::super::samples::{boot, entry};
    use super::*;

    #[test]
    fn steps_lie_end_to_end_and_the_longest_are_those_before_the_first_byte() {
        let entry = entry(boot());
        let phases = Phases::of(&entry).expect("it is a boot");
        let names: Vec<_> = phases.steps.iter().map(|step| step.name.as_str()).collect();
        assert_eq!(names, ["port open", "entry", "listening", "first byte", "last byte"]);
        assert!(phases.steps.windows(2).all(|pair| pair[0].end == pair[1].start));
        let longest: Vec<_> = phases.longest(2).iter().map(|step| (step.name.as_str(), step.length())).collect();
        assert_eq!(longest, [("port open", 11.145), ("first byte", 6.0)]);
        let guest: Vec<_> = phases.steps.iter().map(|step| step.colour == GUEST).collect();
        assert_eq!(guest, [false, false, true, false, false], "until entry the guest does nothing");
        assert!(phases.before_guest().is_some_and(|share| (share - 16.145 / 26.145).abs() < 1e-9));
    }

    #[test]
    fn differences_are_taken_within_a_run() {
        let entry = entry(boot());
        let phases = Phases::of(&entry).expect("it is a boot");
        let above = phases.above_floor().expect("there is a floor");
        assert_eq!((above.count, above.median), (30, 6.0));
        assert!(phases.unaccounted().is_some_and(|share| (share - 0.01).abs() < 1e-9));
    }
}
