//! `mayfly bench boot`: from the spawn of QEMU to the first byte of a response, run by run beside its floor and other systems.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use mayfly_qemu::{Accelerator, Launch};

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
use crate::image_file::ImageFile;
use crate::machine_choice::MachineChoice;
use crate::peer::{Host, Peer};
use crate::results::{Benchmark, Image, Parameter, Series, Summary, Unit};

/// What is asked for if nothing else is said.
const PATH: &str = "/hello";

/// Measures the time from power-on to the first response byte.
///
/// Every boot follows a boot of an empty guest on the same machine: the floor, below which no kernel can be. The guest
/// leaves a time stamp at each phase; they are read from outside and put on the host's clock. After it, every peer that is
/// prepared is booted and asked by the same clock: from the spawn of its process to the last byte of its first response.
///
/// The parts say who has the time: QEMU's start, the firmware, the loader, the kernel until it listens, and the first request.
/// With --machine, on a machine with other firmware; peers are left out there, and where it boots from a disk, the floor.
///
/// With --metric insn nothing is timed: the guest's instructions are counted from each phase of a boot, of its first request
/// and of a later one to the next. Peers have no part in it: they leave no stamps.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  mayfly bench --prepare linux\n  mayfly bench boot --runs 50 --json build/results.jsonl\n  \
        mayfly bench boot --metric insn\n  \
        mayfly build functions/hello --format disk && mayfly bench boot --machine uefi-usb --runs 5"
)]
pub(super) struct Args {
    /// How many boots to measure.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// The image to boot. Without it: build/mayfly.elf, .img or .iso, whichever the machine boots.
    #[arg(long, value_name = "IMAGE")]
    image: Option<PathBuf>,
    #[command(flatten)]
    machine: MachineChoice,
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
/// How it is asked where that would be too early.
const ASKED_LATE: &str = "asked on one connection, opened once the machine listens: QEMU’s network holds a connection’s first \
                          packet for a second only, and a disk’s firmware takes longer";
/// Why there is no floor.
const NO_FLOOR: &str = "no floor: what the firmware boots from a disk stamps its first instruction, and all before is QEMU’s \
                        and the firmware’s in this very boot";

impl Args {
    /// The defaults, but for these two, and without other systems.
    pub(super) fn new(image: &Path, runs: u32) -> Self {
        Self {
            runs,
            image: Some(image.to_owned()),
            machine: MachineChoice::usual(),
            path: PATH.to_owned(),
            peers: Choice::none(),
            common: Common::new(),
        }
    }

    /// What sets a result apart. On a machine with several cards: which one it has.
    fn parameters(&self) -> anyhow::Result<Vec<(&'static str, Parameter)>> {
        let card = self.machine.card()?;
        let card = (!self.machine.is_usual()).then(|| ("card", card.into()));
        Ok([("path", self.path.as_str().into())].into_iter().chain(card).collect())
    }
}

/// Carries out `mayfly bench boot`. Fails if the phases do not add up.
pub(super) fn main(args: Args) -> anyhow::Result<ExitCode> {
    let image = args.machine.image(args.image.clone());
    ImageFile::open(&image)?;
    let parameters = args.parameters()?;
    let verdict = args.common.accelerator()?;
    let launch = args.machine.apply(args.common.launch(&image, &verdict));
    let mut session = Session::begin(Benchmark::Boot, &args.common, Image::of(&image)?, &launch, &verdict)?;
    if args.common.counts() {
        return count(&args, &launch, session, &parameters);
    }
    let hz = measure::host_hz()?;
    let empty = measure::EmptyGuest::on(&launch)?;

    let peers = args.peers.on(&args.machine)?.find(verdict.accelerator)?;
    let host = Host { accelerator: verdict.accelerator, memory_mib: super::MEMORY_MIB, tsc_hz: hz };
    let measure = || -> anyhow::Result<Turn> {
        let floor = empty.as_ref().map(|empty| measure::floor(empty.launch(), hz)).transpose()?;
        let boot = measure::boot(launch.clone(), hz, &args.path)?;
        let others = peers.ready.iter().map(|peer| first_response::measure(peer, &host));
        Ok(Turn { own: Run { floor, boot }, others: others.collect::<anyhow::Result<_>>()? })
    };
    let turns = repeat(args.runs, measure)?;
    let runs: Vec<_> = turns.iter().map(|turn| turn.own.clone()).collect();
    let others = |at: usize| turns.iter().map(move |turn| turn.others[at]);
    let mut report = Report::of(&runs).context("there are no runs")?;
    if let Some(empty) = empty.filter(|_| verdict.accelerator == Accelerator::Tcg) {
        report.translation = Some(translation::count(empty.launch(), launch.clone(), &args.path)?);
    }

    let beside = if report.floor.is_some() { ", each beside a floor" } else { "" };
    println!("spawn of QEMU to the first byte of GET {}, {} runs{beside}", args.path, runs.len());
    println!("{}\n\n{}\n{}", session.environment(), Table(&report), Waterfall(&report.rows));
    let mut systems: Vec<_> = Summary::of(runs.iter().map(|run| run.boot.last_byte))
        .map(|own| ("mayfly".to_owned(), own))
        .into_iter()
        .collect();
    for (at, peer) in peers.ready.iter().enumerate() {
        systems.extend(Summary::of(others(at).map(|other| other.at)).map(|summary| (peer.name.clone(), summary)));
    }
    println!("{}", Comparison(systems));
    let asked = if measure::asks_late(&launch) { ASKED_LATE } else { ASKED };
    let notes = [INCLUDES, asked].into_iter().chain(report.floor.is_none().then_some(NO_FLOOR));
    let own = session.own(notes.map(str::to_owned).collect());
    session.add_of(own, parameters, WARMUP, report::series(&runs, report.translation));
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
fn count(
    args: &Args,
    launch: &Launch,
    mut session: Session,
    parameters: &[(&'static str, Parameter)],
) -> anyhow::Result<ExitCode> {
    let counted = Counted::of(launch, &args.path)?;
    let proxies = counted::proxies(launch, &args.path)?;

    println!("instructions from each phase to the next: of a boot, of its first GET {}, of a later one", args.path);
    println!("{}\n\n{}", session.environment(), counted::Table(&counted, proxies.as_ref()));
    for (at, (name, part)) in counted::PARTS.into_iter().zip(counted.parts()).enumerate() {
        let proxies = proxies.iter().flat_map(|proxies| proxies[at].series());
        let parameters = parameters.iter().cloned().chain([("part", name.into())]);
        session.add(parameters, 0, part.series().into_iter().chain(proxies));
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
