//! `mayfly bench cold`: the first request of a function that was never used, beside its second.

mod fresh;

use std::process::ExitCode;

use anyhow::ensure;
use indicatif::ProgressBar;
use mayfly_qemu::Launch;

use self::fresh::{Fresh, Subject};
use super::images::Images;
use super::microseconds;
use super::numbered::OTHERS;
use super::rows::{Column, Row, Rows};
use super::server::Work;
use super::session::{Common, Session};
use crate::results::{Benchmark, Series, Unit};

/// Functions of which the usual one counts.
const COUNTED: u32 = 8;
/// Functions of the images whose program grows.
const FUNCTIONS: u32 = 32;

/// Measures the first request of functions that were never used.
///
/// Each image holds functions that answer with a number of their own. A function is asked for the first time, then for the
/// second time, on a machine that has served others before; between the two another one is asked. What was asked once is not
/// asked for a first time again: when a machine has no unused function left, another one is booted. Images take turns.
///
/// With --metric insn only the instructions of the functions' domains are counted: what the network takes depends on when
/// the client's packets come.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  mayfly bench cold --functions 1,10000 --runs 100 --json build/results.jsonl")]
pub(super) struct Args {
    /// How many functions the image holds: a result for each of these numbers.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,10,100,1000,10000",
        value_parser = clap::value_parser!(u32).range(1..=50_000))]
    functions: Vec<u32>,
    /// KiB of program of each function, in images of 32 functions: a result for each of these numbers.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "4,64,1024",
        value_parser = clap::value_parser!(u32).range(4..=16_384))]
    program: Vec<u32>,
    /// How many functions of each image are timed.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    #[command(flatten)]
    common: Common,
}

const FIRST: &str = "first request";
const SECOND: &str = "second request";
/// Names of counted figures: of the first request and of the second, each of the domain and of all.
const COUNTED_NAMES: [&str; 4] = [
    "instructions of the domain, first request",
    "instructions of the domain, second request",
    "instructions, first request",
    "instructions, second request",
];
/// Of these the last digit depends on when the client's acknowledgements come, and each function is asked only once.
const INEXACT: &[&str] = COUNTED_NAMES.split_at(2).1;
const COLUMNS: [Column; 6] = [
    Column { series: COUNTED_NAMES[0], head: "domain, 1st" },
    Column { series: COUNTED_NAMES[1], head: "domain, 2nd" },
    Column { series: COUNTED_NAMES[2], head: "all, 1st" },
    Column { series: COUNTED_NAMES[3], head: "all, 2nd" },
    Column { series: FIRST, head: "first request" },
    Column { series: SECOND, head: "second request" },
];

/// Carries out `mayfly bench cold`.
pub(super) fn main(args: Args) -> anyhow::Result<ExitCode> {
    ensure!(
        args.program.iter().all(|kib| kib.is_multiple_of(4)),
        "programs are made of whole pages: give --program multiples of 4"
    );
    let verdict = args.common.accelerator()?;
    let mut images = Images::new()?;
    let by_functions = args.functions.iter().map(|count| ("functions", *count, 1, *count));
    let by_program = args.program.iter().map(|kib| ("KiB of program", FUNCTIONS, kib / 4, *kib));
    let subjects = by_functions.chain(by_program);
    let subjects: Vec<_> = subjects
        .map(|(parameter, count, pages, value)| Subject::make(&mut images, parameter, value.into(), count, pages))
        .collect::<anyhow::Result<_>>()?;
    let [first, ..] = subjects.as_slice() else { anyhow::bail!("there is nothing to measure") };
    let launch = first.made.described(&args.common, &verdict);
    let mut session = Session::begin(Benchmark::Cold, &args.common, first.made.image.clone(), &launch, &verdict)?;

    let runs = args.common.timed(args.runs);
    let bar = super::progress(subjects.len() as u32 * COUNTED + runs)?;
    let mut rows = subjects.iter().map(|subject| count(subject, &bar)).collect::<anyhow::Result<Vec<_>>>()?;
    if args.common.counts() {
        rows.iter_mut().for_each(|row| row.series.retain(|series| !INEXACT.contains(&series.name.as_str())));
    } else {
        time(&subjects, &mut rows, |subject| subject.made.launch(&args.common, &verdict), runs, &bar)?;
    }
    bar.finish_and_clear();

    let timed = if runs > 0 { format!(": {runs} functions of each image") } else { String::new() };
    println!("the first request of a function that was never used, and its second{timed}");
    println!("{}\n\n{}", session.environment(), Rows { columns: &COLUMNS, rows: &rows });
    for (row, Subject { made, .. }) in rows.into_iter().zip(&subjects) {
        let launch = made.described(&args.common, &verdict);
        session.add_on(&made.image, &launch, [(row.parameter, row.value.into())], 2 * OTHERS, row.series);
    }
    session.end()?;
    Ok(ExitCode::SUCCESS)
}

/// Counts instructions of first and second requests of some of a subject's functions.
fn count(subject: &Subject, bar: &ProgressBar) -> anyhow::Result<Row> {
    let mut fresh = Fresh::new(subject, subject.made.counted());
    let mut works = [Vec::new(), Vec::new()];
    for _ in 0..COUNTED {
        let (server, request) = fresh.next()?;
        for works in &mut works {
            server.send(&subject.other())?;
            works.push(server.work(&request)?);
        }
        bar.inc(1);
    }
    let [first, second] = works.map(|works| Work::usual(&works));
    let figures = first.zip(second).map(|(first, second)| [first.domain, second.domain, first.request, second.request]);
    let named = figures.into_iter().flat_map(|figures| COUNTED_NAMES.into_iter().zip(figures));
    let series =
        named.filter_map(|(name, figure)| Series::new(name, Unit::Instructions, vec![figure as f64])).collect();
    Ok(Row { parameter: subject.parameter, value: subject.value, series })
}

/// Times first and second requests, a function of each subject in turn, and adds them to the subjects' rows.
fn time(
    subjects: &[Subject],
    rows: &mut [Row],
    launch: impl Fn(&Subject) -> Launch,
    runs: u32,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    let fresh = subjects.iter().map(|subject| Fresh::new(subject, launch(subject)));
    let mut machines: Vec<_> = fresh.map(|fresh| (fresh, [Vec::new(), Vec::new()])).collect();
    let mut order: Vec<usize> = (0..subjects.len()).collect();
    for _ in 0..runs {
        for &at in &order {
            let (fresh, times) = &mut machines[at];
            let (server, request) = fresh.next()?;
            for times in times {
                server.send(&subjects[at].other())?;
                times.push(microseconds(server.send(&request)?));
            }
        }
        // Nobody is always the first.
        order.reverse();
        bar.inc(1);
    }
    for (row, (_, [first, second])) in rows.iter_mut().zip(machines) {
        let timed = [(FIRST, first), (SECOND, second)];
        row.series.extend(timed.into_iter().filter_map(|(name, times)| Series::new(name, Unit::Microseconds, times)));
    }
    Ok(())
}
