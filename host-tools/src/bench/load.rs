//! `mayfly bench load`: requests a second and their latencies on many connections, beside other systems.

mod cpu;
mod figures;
mod generator;
mod system;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use mayfly_qemu::{Launch, tsc_hz};

use self::figures::{Row, Turn};
use self::system::System;
use self::table::Table;
use super::peers::Choice;
use super::session::{Common, Session};
use crate::build::DEFAULT_IMAGE;
use crate::image_file::ImageFile;
use crate::peer::Host;
use crate::results::{Benchmark, Image};

/// Measures how many requests a second are answered, and how late.
///
/// The image and every peer that is prepared run at the same time on the same kind of machine, but only one is asked at a
/// time. In its turn, connections are opened one after another, each with a first request; then each asks again as soon as
/// it is answered, until the time is up. Every answer is compared byte for byte with the first one.
///
/// A load is made of time: --metric insn is refused.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  mayfly bench --prepare linux\n  mayfly bench load --runs 10 --json build/results.jsonl"
)]
pub(super) struct Args {
    /// How many connections are open at once: a turn for each of these numbers.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,16,128",
        value_parser = clap::value_parser!(u32).range(1..=1000))]
    connections: Vec<u32>,
    /// How long a turn lasts, in seconds.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// How many turns each system has with each number of connections.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// The image to boot.
    #[arg(long, value_name = "IMAGE", default_value = DEFAULT_IMAGE)]
    image: PathBuf,
    /// What to ask the image for. Peers are asked for what their files say.
    #[arg(long, default_value = "/hello")]
    path: String,
    #[command(flatten)]
    peers: Choice,
    #[command(flatten)]
    common: Common,
}

/// Carries out `mayfly bench load`. Fails if a request got a wrong answer or none.
pub(super) fn main(args: Args) -> anyhow::Result<ExitCode> {
    ensure!(
        !args.common.counts(),
        "a load is made of time: how many requests meet in the machine, and how, is different in every run. For the \
         instructions of a request there is `mayfly bench boot --metric insn`"
    );
    ImageFile::open(&args.image)?;
    let tsc_hz = tsc_hz().context("this host's TSC has no steady rate, which a Linux guest would have to be told")?;
    let verdict = args.common.accelerator()?;
    let peers = args.peers.find(verdict.accelerator)?;
    let host = Host { accelerator: verdict.accelerator, memory_mib: super::MEMORY_MIB, tsc_hz };

    let launch = Launch::new(&args.image).accelerator(host.accelerator).memory_mib(host.memory_mib);
    let mut session = Session::begin(Benchmark::Load, &args.common, Image::of(&args.image)?, &launch, &verdict)?;
    let mut systems = vec![System::mayfly(launch, &args.path)?];
    for peer in &peers.ready {
        systems.push(System::peer(peer, &host)?);
    }
    let rows = measure(&mut systems, &args)?;

    println!("GET {} on keep-alive connections, {} turns of {} s each", args.path, args.runs, args.seconds);
    println!("{}\n{}\n\n{}", session.environment(), list(&systems), Table(&rows));
    for (at, row) in rows.iter().enumerate() {
        let mut subject = systems[at % systems.len()].subject();
        subject.notes.extend(row.error.iter().map(|error| format!("the first error: {error}")));
        let parameters = [
            ("connections", u64::from(row.connections).into()),
            ("memory MiB", u64::from(super::MEMORY_MIB).into()),
            ("seconds", u64::from(args.seconds).into()),
        ];
        session.add_of(subject, parameters, 0, row.series());
    }
    peers.note_absent(&mut session, &host)?;
    session.end()?;
    Ok(if rows.iter().all(|row| row.errors == 0) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Asks the systems in turn: a row for each number of connections and each system, in this order.
fn measure(systems: &mut [System], args: &Args) -> anyhow::Result<Vec<Row>> {
    let duration = Duration::from_secs(args.seconds.into());
    let bar = super::progress(args.runs * args.connections.len() as u32 * systems.len() as u32)?;
    let mut order: Vec<usize> = (0..systems.len()).collect();
    let mut turns: Vec<Vec<Vec<Turn>>> = vec![systems.iter().map(|_| Vec::new()).collect(); args.connections.len()];
    for _ in 0..args.runs {
        for (turns, &connections) in turns.iter_mut().zip(&args.connections) {
            for &at in &order {
                turns[at].push(systems[at].turn(connections as usize, duration)?);
                bar.inc(1);
            }
            // Nobody is always the first.
            order.reverse();
        }
    }
    bar.finish_and_clear();
    let mut rows = Vec::new();
    for (turns, &connections) in turns.iter().zip(&args.connections) {
        rows.extend(
            turns.iter().zip(&*systems).map(|(own, system)| Row::of(&system.name, connections, own, &turns[0])),
        );
    }
    Ok(rows)
}

/// A line for each peer: what it is.
fn list(systems: &[System]) -> String {
    let lines: Vec<_> = systems.iter().map(|system| format!("{}: {}", system.name, system.what)).collect();
    lines.join("\n")
}
