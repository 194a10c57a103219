//! `mayfly bench density`: how many functions stay resident in how much memory, and what each holds.

mod fill;

use std::process::ExitCode;

use self::fill::{Fill, STEPS, Subject};
use super::images::Images;
use super::rows::{Column, Row, Rows};
use super::session::{Common, Session};
use crate::few::grouped;
use crate::results::{Benchmark, Series, Unit};

/// Measures how many functions stay resident in how much memory.
///
/// Functions of one page of code, which write to their stack and their response, are asked for the first time, one after
/// another, until there are more than the memory holds; the page frames in use are read from the machine's ledger after each
/// sixteenth of them. Machines with different memory take turns.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  mayfly bench density --memory 64,256 --json build/results.jsonl")]
pub(super) struct Args {
    /// Memory of the machine in MiB: a result for each of these numbers.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_values_t = [32, 64, 128],
        value_parser = clap::value_parser!(u32).range(16..=1024))]
    memory: Vec<u32>,
    /// How many times each machine is booted and filled.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    #[command(flatten)]
    common: Common,
}

const RESIDENT: &str = "resident functions";
const EACH: &str = "a resident function";
const OVER_ALL: &str = "all memory over resident functions";
const FULL: &str = "memory beside kernel and image";
const IMAGE: &str = "image";
const IN_USE: &str = "memory in use";
const DOMAIN: &str = "instructions of the domain, first request";
const WITH_ROOM: &str = "first request with room";
const WITHOUT_ROOM: &str = "first request for which another is dropped";
const DOMAIN_WITH_ROOM: &str = "instructions of the domain, first request with room";
const DOMAIN_WITHOUT_ROOM: &str = "instructions of the domain, first request for which another is dropped";
const COLUMNS: [Column; 7] = [
    Column { series: RESIDENT, head: "resident" },
    Column { series: EACH, head: "each" },
    Column { series: OVER_ALL, head: "memory/each" },
    Column { series: DOMAIN_WITH_ROOM, head: "with room" },
    Column { series: DOMAIN_WITHOUT_ROOM, head: "one dropped" },
    Column { series: WITH_ROOM, head: "with room" },
    Column { series: WITHOUT_ROOM, head: "one dropped" },
];

/// Carries out `mayfly bench density`.
pub(super) fn main(args: Args) -> anyhow::Result<ExitCode> {
    let verdict = args.common.accelerator()?;
    let mut images = Images::new()?;
    let subjects = args.memory.iter().map(|memory| Subject::make(&mut images, *memory));
    let subjects = subjects.collect::<anyhow::Result<Vec<_>>>()?;
    let [first, ..] = subjects.as_slice() else { anyhow::bail!("there is nothing to measure") };
    let launch = first.made.described(verdict.accelerator);
    let mut session = Session::begin(Benchmark::Density, &args.common, first.made.image.clone(), &launch, &verdict)?;

    let bar = super::progress((1 + args.runs) * STEPS * subjects.len() as u32)?;
    let counted = fill::all(&subjects, |subject| subject.made.counted(), &bar)?;
    let mut timed = Vec::new();
    for _ in 0..args.runs {
        timed.push(fill::all(&subjects, |subject| subject.made.timed(verdict.accelerator), &bar)?);
    }
    bar.finish_and_clear();

    let results: Vec<_> = subjects
        .iter()
        .zip(&counted)
        .enumerate()
        .map(|(at, (subject, counted))| {
            let timed: Vec<_> = timed.iter().map(|fills| &fills[at]).collect();
            (
                subject,
                Row { parameter: "memory MiB", value: subject.memory(), series: summary(subject, counted, &timed) },
                steps(counted, &timed),
            )
        })
        .collect();
    let rows: Vec<_> = results.iter().map(|(_, row, _)| row.clone()).collect();
    println!("functions asked once, one after another, until memory is full and beyond; filled {} times", args.runs);
    println!("{}\n\n{}", session.environment(), Rows { columns: &COLUMNS, rows: &rows });
    for (subject, row, steps) in results {
        let memory = ("memory MiB", row.value.into());
        session.add_on(&subject.made, verdict.accelerator, [memory.clone()], fill::WARMUP, row.series);
        for (asked, series) in steps {
            let parameters = [memory.clone(), ("functions asked", asked.into())];
            session.add_on(&subject.made, verdict.accelerator, parameters, fill::WARMUP, series);
        }
    }
    session.end()?;
    for subject in subjects.iter().zip(&counted).filter(|(_, counted)| !counted.is_full()).map(|(subject, _)| subject) {
        let asked = grouped(subject.count as usize);
        println!("with {} MiB all {asked} functions stayed resident: there is room for more", subject.memory());
    }
    Ok(ExitCode::SUCCESS)
}

/// What the fillings of one machine say together.
fn summary(subject: &Subject, counted: &Fill, timed: &[&Fill]) -> Vec<Series> {
    let each = |figure: fn(&Fill) -> f64| timed.iter().map(|fill| figure(fill)).collect::<Vec<_>>();
    let memory = subject.memory() as f64 * 1024.0;
    let image = subject.made.image.bytes as f64 / 1024.0;
    let over_all = timed.iter().map(|fill| memory / fill.resident()).collect();
    let times = |part: fn(&Fill) -> Vec<f64>| timed.iter().flat_map(|fill| part(fill)).collect::<Vec<_>>();
    let figures = [
        (RESIDENT, Unit::Count, each(Fill::resident)),
        (EACH, Unit::Kibibytes, each(Fill::kib_each)),
        (OVER_ALL, Unit::Kibibytes, over_all),
        (FULL, Unit::Kibibytes, each(Fill::kib_full)),
        (IMAGE, Unit::Kibibytes, vec![image]),
        (
            DOMAIN_WITH_ROOM,
            Unit::Instructions,
            counted.domain_with_room().map(|count| count as f64).into_iter().collect(),
        ),
        (
            DOMAIN_WITHOUT_ROOM,
            Unit::Instructions,
            counted.domain_without_room().map(|count| count as f64).into_iter().collect(),
        ),
        (WITH_ROOM, Unit::Microseconds, times(Fill::times_with_room)),
        (WITHOUT_ROOM, Unit::Microseconds, times(Fill::times_without_room)),
    ];
    figures.into_iter().filter_map(|(name, unit, values)| Series::new(name, unit, values)).collect()
}

/// After each step: how many functions were asked, memory in use, and what the step's first requests took.
fn steps(counted: &Fill, timed: &[&Fill]) -> Vec<(u64, Vec<Series>)> {
    let steps = counted.steps.iter().enumerate().map(|(at, step)| {
        let in_use = timed.iter().map(|fill| fill.steps[at].kib()).collect();
        let figures = [(IN_USE, Unit::Kibibytes, in_use), (DOMAIN, Unit::Instructions, vec![step.domain as f64])];
        let series = figures.into_iter().filter_map(|(name, unit, values)| Series::new(name, unit, values));
        (step.asked, series.collect())
    });
    steps.collect()
}
