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
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "32,64,128",
        value_parser = clap::value_parser!(u32).range(16..=1024))]
    memory: Vec<u32>,
    /// How many times each machine is booted and filled.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    #[command(flatten)]
    common: Common,
}

/// Functions of each step of which the usual one counts.
const COUNTED: usize = 3;

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
    let launch = first.made.described(&args.common, &verdict);
    let mut session = Session::begin(Benchmark::Density, &args.common, first.made.image.clone(), &launch, &verdict)?;

    let runs = args.common.timed(args.runs);
    let bar = super::progress((1 + runs) * STEPS * subjects.len() as u32)?;
    let counted = fill::all(&subjects, |subject| subject.made.counted(), COUNTED, &bar)?;
    let timed = (0..runs).map(|_| fill::all(&subjects, |subject| subject.made.launch(&args.common, &verdict), 0, &bar));
    let timed = timed.collect::<anyhow::Result<Vec<_>>>()?;
    bar.finish_and_clear();

    let found = subjects.iter().zip(&counted).enumerate().map(|(at, (subject, counted))| Found {
        subject,
        counted,
        timed: timed.iter().map(|fills| &fills[at]).collect(),
    });
    let found: Vec<_> = found.collect();
    let rows: Vec<_> = found.iter().map(Found::row).collect();
    println!("functions asked once, one after another, until memory is full and beyond; filled {} times", 1 + runs);
    println!("{}\n\n{}", session.environment(), Rows { columns: &COLUMNS, rows: &rows });
    for (row, found) in rows.into_iter().zip(&found) {
        let Subject { made, .. } = found.subject;
        let (launch, memory) = (made.described(&args.common, &verdict), (row.parameter, row.value.into()));
        session.add_on(&made.image, &launch, [memory.clone()], fill::WARMUP, row.series);
        for (asked, series) in found.steps() {
            let parameters = [memory.clone(), ("functions asked", asked.into())];
            session.add_on(&made.image, &launch, parameters, fill::WARMUP, series);
        }
    }
    session.end()?;
    for Found { subject, .. } in found.iter().filter(|found| !found.counted.is_full()) {
        let asked = grouped(subject.count as usize);
        println!("with {} MiB all {asked} functions stayed resident: there is room for more", subject.memory());
    }
    Ok(ExitCode::SUCCESS)
}

/// What was found with one machine.
struct Found<'a> {
    subject: &'a Subject,
    /// On the machine that counts instructions.
    counted: &'a Fill,
    /// On those on which time was taken.
    timed: Vec<&'a Fill>,
}

impl Found<'_> {
    /// A figure of memory, of each filling.
    fn each(&self, figure: impl Fn(&Fill) -> f64) -> Vec<f64> {
        [self.counted].into_iter().chain(self.timed.iter().copied()).map(figure).collect()
    }

    /// What all fillings say together.
    fn row(&self) -> Row {
        let Self { subject, counted, timed } = self;
        let memory = subject.memory() as f64 * 1024.0;
        let times = |part: fn(&Fill) -> Vec<f64>| timed.iter().flat_map(|fill| part(fill)).collect();
        let count = |figure: Option<u64>| figure.into_iter().map(|count| count as f64).collect();
        let figures = [
            (RESIDENT, Unit::Count, self.each(Fill::resident)),
            (EACH, Unit::Kibibytes, self.each(Fill::kib_each)),
            (OVER_ALL, Unit::Kibibytes, self.each(|fill| memory / fill.resident())),
            (FULL, Unit::Kibibytes, self.each(Fill::kib_full)),
            (IMAGE, Unit::Kibibytes, vec![subject.made.image.bytes as f64 / 1024.0]),
            (DOMAIN_WITH_ROOM, Unit::Instructions, count(counted.domain_with_room())),
            (DOMAIN_WITHOUT_ROOM, Unit::Instructions, count(counted.domain_without_room())),
            (WITH_ROOM, Unit::Microseconds, times(Fill::times_with_room)),
            (WITHOUT_ROOM, Unit::Microseconds, times(Fill::times_without_room)),
        ];
        let series = figures.into_iter().filter_map(|(name, unit, values)| Series::new(name, unit, values));
        Row { parameter: "memory MiB", value: subject.memory(), series: series.collect() }
    }

    /// After each step: how many functions were asked, memory in use, and what the step's first request took.
    fn steps(&self) -> Vec<(u64, Vec<Series>)> {
        let steps = self.counted.steps.iter().enumerate().map(|(at, step)| {
            let figures = [
                (IN_USE, Unit::Kibibytes, self.each(|fill| fill.steps[at].kib())),
                (DOMAIN, Unit::Instructions, step.domain.map(|count| count as f64).into_iter().collect()),
            ];
            let series = figures.into_iter().filter_map(|(name, unit, values)| Series::new(name, unit, values));
            (step.asked, series.collect())
        });
        steps.collect()
    }
}
