//! `mayfly bench boot`: from the spawn of QEMU to the first byte of a response, run by run beside its floor and other systems.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;

use super::comparison::Comparison;
use super::counted::{self, Counted};
use super::first_response::{self, FirstResponse};
use super::measure;
use super::peers::Choice;
use super::report::{self, Report, Run};
use super::session::{Common, Session, Subject};
use super::table::Table;
use super::translation;
use super::waterfall::Waterfall;
use crate::build::DEFAULT_IMAGE;
use crate::image_file::ImageFile;
use crate::peer::{Host, Peer};
use crate::results::{Benchmark, Image, Series, Summary, Unit};

/// What is asked for if nothing else is said.
const PATH: &str = "/hello";

/// Measures the time from power-on to the first response byte.
///
/// Every boot follows a boot of an empty guest on the same machine: the floor, below which no kernel can be. The guest
/// leaves a time stamp at each phase; they are read from outside and put on the host's clock. After it, every peer that is
/// prepared is booted and asked by the same clock: from the spawn of its process to the last byte of its first response.
///
/// With --metric insn nothing is timed: the guest's instructions are counted from each phase of a boot, of its first request
/// and of a later one to the next. Peers have no part in it: they leave no stamps.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  mayfly bench --prepare linux\n  mayfly bench boot --runs 50 --json build/results.jsonl\n  \
        mayfly bench boot --metric insn"
)]
pub(super) struct Args {
    /// How many boots to measure.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// The image to boot.
    #[arg(long, value_name = "IMAGE", default_value = DEFAULT_IMAGE)]
    image: PathBuf,
    /// What to ask the image for.
    #[arg(long, default_value = PATH, value_parser = super::path)]
    path: String,
    #[command(flatten)]
    peers: Choice,
    #[command(flatten)]
    common: Common,
}

/// Boots that are made first and not counted: they fill the host's caches.
const WARMUP: u32 = 1;
/// What the time to Mayfly's first response holds.
const INCLUDES: &str =
    "it holds QEMU and its firmware, Mayfly’s loader and kernel, its network card, TCP and HTTP, and the function";
/// How it is asked.
const ASKED: &str = "asked on one connection, opened as soon as QEMU’s port accepts";

impl Args {
    /// The defaults, but for these two, and without other systems.
    pub(super) fn new(image: &Path, runs: u32) -> Self {
        Self { runs, image: image.to_owned(), path: PATH.to_owned(), peers: Choice::none(), common: Common::new() }
    }
}

/// Carries out `mayfly bench boot`. Fails if the phases do not add up.
pub(super) fn main(args: Args) -> anyhow::Result<ExitCode> {
    ImageFile::open(&args.image)?;
    if args.common.counts() {
        return count(&args);
    }
    let hz = measure::host_hz()?;
    let verdict = args.common.accelerator()?;
    let floor = measure::empty_guest()?;
    let launch = args.common.launch(&args.image, &verdict);
    let mut session = Session::begin(Benchmark::Boot, &args.common, Image::of(&args.image)?, &launch, &verdict)?;

    let peers = args.peers.find(verdict.accelerator)?;
    let host = Host { accelerator: verdict.accelerator, memory_mib: super::MEMORY_MIB, tsc_hz: hz };
    let measure = || -> anyhow::Result<Turn> {
        let floor = measure::floor(floor.path(), verdict.accelerator, hz)?;
        let boot = measure::boot(&args.image, verdict.accelerator, hz, &args.path)?;
        let others = peers.ready.iter().map(|peer| first_response::measure(peer, &host));
        Ok(Turn { own: Run { floor, boot }, others: others.collect::<anyhow::Result<_>>()? })
    };
    let turns = repeat(args.runs, measure)?;
    let runs: Vec<_> = turns.iter().map(|turn| turn.own.clone()).collect();
    let others = |at: usize| turns.iter().map(move |turn| turn.others[at]);
    let mut report = Report::of(&runs).context("there are no runs")?;
    report.translation = translation::count(floor.path(), &args.image, verdict.accelerator, &args.path)?;

    println!("spawn of QEMU to the first byte of GET {}, {} runs, each beside a floor", args.path, runs.len());
    println!("{}\n\n{}\n{}", session.environment(), Table(&report), Waterfall(&report.rows));
    let mut systems: Vec<_> = Summary::of(runs.iter().map(|run| run.boot.last_byte))
        .map(|own| ("mayfly".to_owned(), own))
        .into_iter()
        .collect();
    for (at, peer) in peers.ready.iter().enumerate() {
        systems.extend(Summary::of(others(at).map(|other| other.at)).map(|summary| (peer.name.clone(), summary)));
    }
    println!("{}", Comparison(systems));
    let notes = [INCLUDES, ASKED].map(str::to_owned).to_vec();
    let own = session.own(notes);
    session.add_of(own, [("path", args.path.as_str().into())], WARMUP, report::series(&runs, report.translation));
    for (at, peer) in peers.ready.iter().enumerate() {
        session.add_of(subject_of(peer, &host)?, [("path", peer.path.as_str().into())], WARMUP, series(others(at)));
    }
    peers.note_absent(&mut session, &host)?;
    session.end()?;
    Ok(if report.adds_up() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A boot of each system.
struct Turn {
    own: Run,
    /// In the order of the peers.
    others: Vec<FirstResponse>,
}

/// Who a peer is, in a result: first of all, what its time holds.
fn subject_of(peer: &Peer, host: &Host) -> anyhow::Result<Subject> {
    let get = format!("how to get it: {}", peer.get);
    let notes = [format!("it holds {}", peer.includes), first_response::note(peer), peer.description()?, get];
    let line = peer.line(host)?.to_string();
    Ok(Subject {
        system: peer.name.clone(),
        line,
        notes: notes.into_iter().chain(peer.tuned.iter().cloned()).collect(),
    })
}

/// What a peer's boots found.
fn series(boots: impl Iterator<Item = FirstResponse> + Clone) -> Vec<Series> {
    let responses = boots.clone().map(|boot| boot.at).collect();
    let asked = boots.map(|boot| f64::from(boot.asked)).collect();
    let series = [
        Series::new("first response", Unit::Milliseconds, responses),
        Series::new("connections until the first response", Unit::Count, asked),
    ];
    series.into_iter().flatten().collect()
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
fn repeat<T>(runs: u32, measure: impl Fn() -> anyhow::Result<T>) -> anyhow::Result<Vec<T>> {
    let bar = super::progress(runs)?;
    (0..WARMUP).try_for_each(|_| measure().map(drop))?;
    let runs = (0..runs).map(|_| measure().inspect(|_| bar.inc(1))).collect();
    bar.finish_and_clear();
    runs
}
