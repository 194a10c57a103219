//! All runs of a benchmark, their summary, and both as JSON.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use super::context::Context;
use super::measure::{Boot, Side};
use super::statistics::Summary;
use super::translation::Translation;
use crate::unfinished::Unfinished;

/// How far the parts may be off the whole.
pub(super) const TOLERANCE: f64 = 0.02;

/// A floor and the boot that followed it.
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// Milliseconds from spawn to the first instruction of an empty guest.
    pub(super) floor: f64,
    pub(super) boot: Boot,
}

/// One row of the table: an event over all runs.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    pub(super) name: &'static str,
    /// The guest reached it, not the client.
    pub(super) guest: bool,
    /// Milliseconds since QEMU was started.
    pub(super) since_spawn: Summary,
    /// Median of the milliseconds since the row before, run by run.
    pub(super) step: f64,
}

/// What all runs say together. Times in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    pub(super) floor: Summary,
    pub(super) rows: Vec<Row>,
    pub(super) first_byte: Summary,
    /// Median first byte over median floor.
    pub(super) ratio: f64,
    /// Median of the differences, run by run.
    pub(super) difference: f64,
    /// Median of how far, relative to the whole, the parts of a boot are from adding up to it.
    pub(super) unaccounted: f64,
    /// Median of how far the guest's times may be off.
    pub(super) uncertainty: f64,
    /// What QEMU translated in a boot, if it was counted.
    pub(super) translation: Option<Translation>,
}

impl Report {
    /// Sums up the runs; `None` if there are none.
    pub(super) fn of(runs: &[Run]) -> Option<Self> {
        let median = |values: Vec<f64>| Summary::of(values).map(|summary| summary.median);
        let floor = Summary::of(runs.iter().map(|run| run.floor))?;
        let first_byte = Summary::of(runs.iter().map(|run| run.boot.first_byte))?;
        Some(Self {
            floor,
            rows: rows(runs),
            first_byte,
            ratio: first_byte.median / floor.median,
            difference: median(runs.iter().map(|run| run.boot.first_byte - run.floor).collect())?,
            unaccounted: median(
                runs.iter().map(|run| (run.boot.accounted / run.boot.first_byte - 1.0).abs()).collect(),
            )?,
            uncertainty: median(runs.iter().map(|run| run.boot.uncertainty).collect())?,
            translation: None,
        })
    }

    /// Do the parts add up to the whole?
    pub(super) fn adds_up(&self) -> bool {
        self.unaccounted <= TOLERANCE
    }
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

/// Writes everything to `path`.
pub(super) fn write_json(path: &Path, context: &Context, runs: &[Run], report: &Report) -> anyhow::Result<()> {
    let runs: Vec<_> = runs
        .iter()
        .map(|run| {
            let events: BTreeMap<_, _> = run.boot.events.iter().map(|event| (event.name, event.at)).collect();
            serde_json::json!({
                "floor": run.floor,
                "events": events,
                "accounted": run.boot.accounted,
                "uncertainty": run.boot.uncertainty,
            })
        })
        .collect();
    let record = serde_json::json!({
        "benchmark": "boot", "unit": "ms", "context": context, "summary": report, "runs": runs,
    });
    write(path, &record)
}

/// Writes a record to `path` as JSON, whole or not at all.
pub(super) fn write(path: &Path, record: &impl Serialize) -> anyhow::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> anyhow::Result<()> {
        let (unfinished, mut file) = Unfinished::file(directory)?;
        serde_json::to_writer_pretty(&mut file, record)?;
        file.write_all(b"\n")?;
        Ok(unfinished.finish(path)?)
    };
    write().with_context(|| format!("the record cannot be written to {}", path.display()))
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
        Run { floor: 20.0, boot: Boot { events, first_byte, accounted: first_byte * 1.01, uncertainty: 0.05 } }
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
        assert_eq!(report.difference, 9.0);
        assert_eq!(report.ratio, 29.0 / 20.0);
        assert!((report.unaccounted - 0.01).abs() < 1e-9 && report.adds_up());
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
