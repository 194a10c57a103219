//! All boots of a benchmark, and what they say together.

use std::collections::BTreeMap;

use super::measure::Boot;
use super::translation::Translation;
use crate::results::{Series, Side, Summary, Unit};
use crate::split::{self, Part};

/// How far the parts may be off the whole.
pub(super) const TOLERANCE: f64 = 0.02;

/// A floor and the boot that followed it.
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// Milliseconds from spawn to the first instruction of an empty guest, where there is one.
    pub(super) floor: Option<f64>,
    pub(super) boot: Boot,
}

/// One row of the table: an event over all runs.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    /// The guest reached it, not the client.
    pub(super) guest: bool,
    /// Milliseconds since QEMU was started.
    pub(super) since_spawn: Summary,
    /// Median of the milliseconds since the row before, run by run.
    pub(super) step: f64,
}

/// What the first bytes and the floors beside them say. Times in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Floor {
    pub(super) summary: Summary,
    /// Median first byte over median floor.
    pub(super) ratio: f64,
    /// Median of the differences, run by run.
    pub(super) difference: f64,
}

/// A part of all boots.
#[derive(Clone, Debug)]
pub(super) struct Share {
    pub(super) name: String,
    /// Milliseconds.
    pub(super) took: Series,
    /// Of the time to the first byte, run by run.
    pub(super) share: Series,
}

/// What all runs say together. Times in milliseconds.
#[derive(Clone, Debug)]
pub(super) struct Report {
    /// Not where there is no empty guest.
    pub(super) floor: Option<Floor>,
    pub(super) rows: Vec<Row>,
    pub(super) parts: Vec<Share>,
    pub(super) first_byte: Summary,
    /// How far, relative to the whole, the parts of a boot are from adding up to it.
    pub(super) unaccounted: Summary,
    /// Runs whose parts add up.
    pub(super) adding_up: usize,
    /// Median of how far the guest's times may be off.
    pub(super) uncertainty: f64,
    /// The rate of the guest's clock is known to this share of it, in the median run.
    pub(super) rate_spread: f64,
    /// What QEMU translated in a boot, if it was counted.
    pub(super) translation: Option<Translation>,
}

impl Report {
    /// Sums up the runs; `None` if there are none.
    pub(super) fn of(runs: &[Run]) -> Option<Self> {
        let median = |values: Vec<f64>| Summary::of(values).map(|summary| summary.median);
        let first_byte = Summary::of(runs.iter().map(|run| run.boot.first_byte))?;
        let differences = runs.iter().filter_map(|run| Some(run.boot.first_byte - run.floor?)).collect();
        let floor = Summary::of(runs.iter().filter_map(|run| run.floor)).zip(median(differences));
        Some(Self {
            floor: floor.map(|(summary, difference)| Floor {
                summary,
                ratio: first_byte.median / summary.median,
                difference,
            }),
            rows: rows(runs),
            parts: parts(runs),
            first_byte,
            unaccounted: Summary::of(runs.iter().map(|run| run.boot.unaccounted()))?,
            adding_up: adding_up(runs),
            uncertainty: median(runs.iter().map(|run| run.boot.uncertainty).collect())?,
            rate_spread: median(runs.iter().map(|run| run.boot.rate_spread).collect())?,
            translation: None,
        })
    }

    /// Do the parts add up to the whole, in the median run?
    pub(super) fn adds_up(&self) -> bool {
        self.unaccounted.median <= TOLERANCE
    }
}

/// How many of the runs have parts that add up.
fn adding_up(runs: &[Run]) -> usize {
    runs.iter().filter(|run| run.boot.unaccounted() <= TOLERANCE).count()
}

/// The parts of the boots, in their order.
fn parts(runs: &[Run]) -> Vec<Share> {
    let mut parts: Vec<(String, Vec<(f64, f64)>)> = Vec::new();
    for run in runs {
        for Part { name, took } in run.boot.parts() {
            let value = (took, took / run.boot.first_byte);
            match parts.iter_mut().find(|(known, _)| *known == name) {
                Some((_, values)) => values.push(value),
                None => parts.push((name, vec![value])),
            }
        }
    }
    let share = |(name, values): (String, Vec<(f64, f64)>)| {
        let (took, shares) = values.into_iter().unzip();
        let took = Series::new(name.as_str(), Unit::Milliseconds, took)?;
        let share = Series::new(split::share_of(&name), Unit::Ratio, shares)?;
        Some(Share { name, took, share })
    };
    parts.into_iter().filter_map(share).collect()
}

fn rows(runs: &[Run]) -> Vec<Row> {
    let mut times: BTreeMap<&str, (Side, Vec<Option<f64>>)> = BTreeMap::new();
    for (at, run) in runs.iter().enumerate() {
        for event in &run.boot.events {
            let (_, row) = times.entry(event.name).or_insert_with(|| (event.side, vec![None; runs.len()]));
            row[at] = Some(event.at);
        }
    }
    let mut rows: Vec<_> = times
        .into_iter()
        .filter_map(|(name, (side, row))| Some((name, side, Summary::of(row.iter().flatten().copied())?, row)))
        .collect();
    rows.sort_by(|a, b| a.2.median.total_cmp(&b.2.median));
    let mut before = vec![Some(0.0); runs.len()];
    rows.into_iter()
        .map(|(name, side, since_spawn, row)| {
            // Runs that lack one of the two say nothing about the step between them.
            let steps = row.iter().zip(&before).filter_map(|(now, before)| Some((*now)? - (*before)?));
            let step = Summary::of(steps).map_or(0.0, |steps| steps.median);
            before = row;
            Row { name, guest: side == Side::Guest, since_spawn, step }
        })
        .collect()
}

/// What the runs found, event by event, and what QEMU translated in a boot if it was counted.
pub(super) fn series(runs: &[Run], translation: Option<Translation>) -> Vec<Series> {
    let of =
        |name: &str, value: fn(&Run) -> f64| Series::new(name, Unit::Milliseconds, runs.iter().map(value).collect());
    let mut names: Vec<(&str, Side)> = Vec::new();
    for event in runs.iter().flat_map(|run| &run.boot.events) {
        if !names.contains(&(event.name, event.side)) {
            names.push((event.name, event.side));
        }
    }
    let events = names.into_iter().map(|(name, side)| {
        let times = runs.iter().flat_map(|run| &run.boot.events).filter(|event| event.name == name);
        let series = Series::new(name, Unit::Milliseconds, times.map(|event| event.at).collect())?;
        Some(Series { side: Some(side), ..series })
    });
    let checks = [
        Series::new("floor", Unit::Milliseconds, runs.iter().filter_map(|run| run.floor).collect()),
        of("sum of the parts", |run| run.boot.accounted),
        of("uncertainty of guest times", |run| run.boot.uncertainty),
        Series::new("runs whose parts add up", Unit::Count, vec![adding_up(runs) as f64]),
        Series::new(
            "uncertainty of the guest's rate",
            Unit::Ratio,
            runs.iter().map(|run| run.boot.rate_spread).collect(),
        ),
    ];
    let blocks = translation.into_iter().flat_map(|Translation { firmware, kernel }| {
        [("blocks of the firmware", firmware), ("blocks until the first response", kernel)]
            .map(|(name, blocks)| Series::new(name, Unit::Count, vec![blocks as f64]))
    });
    let parts = parts(runs).into_iter().flat_map(|Share { took, share, .. }| [took, share]);
    events.chain(checks).chain(blocks).flatten().chain(parts).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::measure::Event;
    use super::*;

    /// A run with a floor of 20 ms whose events the guest reached at these times.
    pub(in super::super) fn run(events: &[(&'static str, f64)]) -> Run {
        let event = |&(name, at): &(&'static str, f64)| Event { name, side: Side::Guest, at };
        let events: Vec<_> = events.iter().map(event).collect();
        let first_byte = events.last().map_or(0.0, |event| event.at);
        Run {
            floor: Some(20.0),
            boot: Boot {
                events,
                first_byte,
                last_byte: first_byte,
                accounted: first_byte * 1.01,
                uncertainty: 0.05,
                rate_spread: 0.002,
            },
        }
    }

    #[test]
    fn steps_are_medians_of_differences_within_a_run() {
        let runs = [
            run(&[("entry", 20.0), ("traps", 21.0), ("first byte", 25.0)]),
            run(&[("entry", 30.0), ("traps", 32.0), ("first byte", 35.0)]),
            run(&[("entry", 22.0), ("traps", 23.0), ("first byte", 29.0)]),
        ];
        let report = Report::of(&runs).expect("there are runs");
        let steps: Vec<_> = report.rows.iter().map(|row| (row.name, row.step)).collect();
        assert_eq!(steps, [("entry", 22.0), ("traps", 1.0), ("first byte", 4.0)]);
        let floor = report.floor.expect("each has one");
        assert_eq!((floor.difference, floor.ratio), (9.0, 29.0 / 20.0));
        assert!((report.unaccounted.median - 0.01).abs() < 1e-9 && report.adds_up());
    }

    #[test]
    fn runs_that_do_not_add_up_are_counted_one_by_one() {
        let mut runs = vec![run(&[("entry", 20.0), ("first byte", 25.0)]); 20];
        runs[7].boot.accounted = 25.6;
        runs[8].boot.accounted = 24.4;
        let report = Report::of(&runs).expect("there are runs");
        assert_eq!((report.adding_up, report.adds_up()), (18, true), "the median run does");
        assert!((report.unaccounted.max - 0.024).abs() < 1e-9, "{report:?}");
        let series = series(&runs, None);
        let counted = series.iter().find(|series| series.name == "runs whose parts add up").expect("it is there");
        assert_eq!((counted.unit, counted.values.as_slice()), (Unit::Count, [18.0].as_slice()));
    }

    #[test]
    fn each_part_of_a_boot_has_its_time_and_its_share_and_together_they_are_the_whole() {
        let boot = |more: f64| {
            let (entry, paging, listening) = (60.0 + more, 70.0 + more, 75.0 + more);
            let mut run = run(&[
                ("power-on", 10.0),
                ("entry", entry),
                ("paging", paging),
                ("listening", listening),
                ("first byte", 80.0 + more),
            ]);
            run.floor = None;
            run
        };
        let report = Report::of(&[boot(0.0), boot(20.0)]).expect("there are runs");
        assert_eq!(report.floor, None);
        let parts: Vec<_> = report.parts.iter().map(|part| (part.name.as_str(), part.took.values.as_slice())).collect();
        let expected: [(&str, &[f64]); 5] = [
            ("QEMU's start", &[10.0, 10.0]),
            ("firmware", &[50.0, 70.0]),
            ("loader", &[10.0, 10.0]),
            ("kernel", &[5.0, 5.0]),
            ("first request", &[5.0, 5.0]),
        ];
        assert_eq!(parts, expected);
        for run in 0..2 {
            let sum: f64 = report.parts.iter().map(|part| part.share.values[run]).sum();
            assert!((sum - 1.0).abs() < 1e-9, "{report:?}");
        }
    }

    #[test]
    fn an_event_that_some_runs_lack_is_summed_up_over_the_others() {
        let runs = [run(&[("entry", 20.0), ("first byte", 25.0)]), run(&[("entry", 20.0), ("first ARP", 22.0)])];
        let report = Report::of(&runs).expect("there are runs");
        let arp = report.rows.iter().find(|row| row.name == "first ARP").expect("it was seen once");
        assert_eq!((arp.since_spawn.median, arp.step), (22.0, 2.0));
        assert!(Report::of(&[]).is_none());
    }
}
