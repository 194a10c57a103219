//! `mayfly bench boot`: from the spawn of QEMU to the first byte of a response, run by run beside its floor.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use mayfly_qemu::tsc_hz;

use super::counted::{self, Counted};
use super::measure;
use super::report::{self, Report, Run};
use super::session::{Common, Session};
use super::table::Table;
use super::translation;
use super::waterfall::Waterfall;
use crate::build::{DEFAULT_IMAGE, floor_image};
use crate::image_file::ImageFile;
use crate::results::{Benchmark, Image};
use crate::unfinished::Unfinished;

/// What is asked for if nothing else is said.
const PATH: &str = "/hello";

/// Measures the time from power-on to the first response byte.
///
/// Every boot follows a boot of an empty guest on the same machine: the floor, below which no kernel can be. The guest
/// leaves a time stamp at each phase; they are read from outside and put on the host's clock.
///
/// With --metric insn nothing is timed: the guest's instructions are counted from each phase of a boot, of its first request
/// and of a later one to the next. --runs has no say then: every boot takes the same.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  mayfly bench boot --runs 50 --json build/results.jsonl\n  mayfly bench boot --metric insn"
)]
pub(super) struct Args {
    /// How many boots to measure.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// The image.
    #[arg(long, value_name = "IMAGE", default_value = DEFAULT_IMAGE)]
    image: PathBuf,
    /// What to ask the image for.
    #[arg(long, default_value = PATH)]
    path: String,
    #[command(flatten)]
    common: Common,
}

/// Boots that are made first and not counted: they fill the host's caches.
const WARMUP: u32 = 1;

impl Args {
    /// The defaults, but for these two.
    pub(super) fn new(image: &Path, runs: u32) -> Self {
        Self { runs, image: image.to_owned(), path: PATH.to_owned(), common: Common::new() }
    }
}

/// Carries out `mayfly bench boot`. Fails if the phases do not add up.
pub(super) fn main(args: Args) -> anyhow::Result<ExitCode> {
    ImageFile::open(&args.image)?;
    if args.common.counts() {
        return count(&args);
    }
    let hz = tsc_hz().context("this host's TSC has no steady rate, so boots cannot be measured on it")?;
    let verdict = args.common.accelerator()?;
    let (floor, mut file) = Unfinished::file(&std::env::temp_dir())?;
    file.write_all(&floor_image()?)?;
    let launch = args.common.launch(&args.image, &verdict);
    let mut session = Session::begin(Benchmark::Boot, &args.common, Image::of(&args.image)?, &launch, &verdict)?;

    let measure = || -> anyhow::Result<Run> {
        Ok(Run {
            floor: measure::floor(floor.path(), verdict.accelerator, hz)?,
            boot: measure::boot(&args.image, verdict.accelerator, hz, &args.path)?,
        })
    };
    let runs = repeat(args.runs, measure)?;
    let mut report = Report::of(&runs).context("there are no runs")?;
    report.translation = translation::count(floor.path(), &args.image, verdict.accelerator, &args.path)?;

    println!("spawn of QEMU to the first byte of GET {}, {} runs, each beside a floor", args.path, runs.len());
    println!("{}\n\n{}\n{}", session.environment(), Table(&report), Waterfall(&report.rows));
    session.add([("path", args.path.as_str().into())], WARMUP, report::series(&runs, report.translation));
    session.end()?;
    Ok(if report.adds_up() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Counts instructions instead, phase by phase.
fn count(args: &Args) -> anyhow::Result<ExitCode> {
    let verdict = args.common.accelerator()?;
    let launch = args.common.launch(&args.image, &verdict);
    let mut session = Session::begin(Benchmark::Boot, &args.common, Image::of(&args.image)?, &launch, &verdict)?;
    let counted = Counted::of(&args.image, &args.path)?;
    let proxies = counted::proxies(&args.image, &args.path)?;

    println!("instructions from each phase to the next: of a boot, of its first GET {}, of a later one", args.path);
    println!("{}\n\n{}", session.environment(), counted::Table(&counted, &proxies));
    for ((name, part), proxies) in counted::PARTS.into_iter().zip(counted.parts()).zip(proxies) {
        let series = part.series().into_iter().chain(proxies.series());
        session.add([("path", args.path.as_str().into()), ("part", name.into())], 0, series);
    }
    session.end()?;
    Ok(ExitCode::SUCCESS)
}

/// Measures `runs` times, after some that are not counted, and shows how far it is.
fn repeat(runs: u32, measure: impl Fn() -> anyhow::Result<Run>) -> anyhow::Result<Vec<Run>> {
    let bar = super::progress(runs)?;
    (0..WARMUP).try_for_each(|_| measure().map(drop))?;
    let runs = (0..runs).map(|_| measure().inspect(|_| bar.inc(1))).collect();
    bar.finish_and_clear();
    runs
}
