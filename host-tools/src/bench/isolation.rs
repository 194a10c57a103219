//! `mayfly bench isolation`: what it costs to hold functions apart, backend by backend, with the same functions.

mod measure;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use mayfly_abi::image::Isolation;
use mayfly_qemu::Launch;

use self::measure::{Counted, Subject, Timed};
use self::table::Table;
use super::server::{Server, Start, Work};
use super::session::{Common, Session};
use crate::build::{self, Manifest, source_root};
use crate::results::{Benchmark, Image, Series, Unit};
use crate::unfinished::Unfinished;

/// Measures what isolation costs.
///
/// Builds an image of the same functions with each isolation and asks the first function over one keep-alive connection:
/// alone, then in turn with the others, so that each request changes the address space. Instructions are counted on a
/// machine of its own; times are taken on machines that are up together, a round on each in turn.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  mayfly bench isolation --runs 50 --json build/results.jsonl")]
pub(super) struct Args {
    /// Folders of two or more functions that answer GET with a success. Without any: functions/hello and functions/echo.
    #[arg(value_name = "DIR", num_args = 2..)]
    dirs: Vec<PathBuf>,
    /// How many requests of a round are timed on each machine, alone and in turn.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    requests: u32,
    /// How many rounds.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    #[command(flatten)]
    common: Common,
}

/// What was found out about one backend.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    isolation: &'static str,
    /// Why the machine refuses it, as the kernel says.
    refused: Option<String>,
    /// `None` if the machine that counts instructions refuses it.
    counted: Option<Counted>,
    /// `None` if the machine on which time is taken refuses it.
    timed: Option<Timed>,
}

/// Carries out `mayfly bench isolation`.
pub(super) fn main(args: Args) -> anyhow::Result<ExitCode> {
    let dirs = if args.dirs.is_empty() { default_dirs()? } else { args.dirs };
    let subject = Subject::of(&dirs.iter().map(|dir| Manifest::read(dir)).collect::<Result<Vec<_>, _>>()?)?;
    let verdict = args.common.accelerator()?;
    let folder = Unfinished::folder(&std::env::temp_dir())?;
    let images = build_images(&dirs, folder.path())?;
    let image = Image { name: subject.to_string(), ..Image::of(&images[0])? };
    // Each backend has an image of its own, whose place is another one in every run.
    let launch = args.common.launch("{image}", &verdict);
    let mut session = Session::begin(Benchmark::Isolation, &args.common, image, &launch, &verdict)?;

    let rounds = args.common.timed(args.runs);
    let bar = super::progress(images.len() as u32 + rounds)?;
    let mut rows: Vec<Row> = Isolation::ALL.iter().map(|isolation| Row::new(*isolation)).collect();
    for (row, image) in rows.iter_mut().zip(&images) {
        row.counted = match Server::start(Launch::new(image).icount())? {
            Start::Serving(mut server) => Some(measure::count(&mut server, &subject)?),
            Start::Refused(why) => row.refuse(why),
        };
        bar.inc(1);
    }
    if !args.common.counts() {
        // All of them are up while time is taken, so that the host treats them alike.
        let mut servers = Vec::new();
        for (row, image) in rows.iter_mut().zip(&images) {
            match Server::start(args.common.launch(image, &verdict))? {
                Start::Serving(server) => servers.push((row, server)),
                Start::Refused(why) => row.timed = row.refuse(why),
            }
        }
        measure::time(&mut servers, &subject, args.requests, args.runs, &bar)?;
    }
    bar.finish_and_clear();

    let rounds = if rounds > 0 { format!(": {rounds} rounds of {} requests", args.requests) } else { String::new() };
    println!("GET {} on a keep-alive connection{rounds}", subject.path());
    println!("{}\n\n{}", session.environment(), Table { subject: &subject, rows: &rows });
    for row in &rows {
        for (way, series) in row.ways() {
            let notes = row.refused.iter().map(|why| format!("{} is refused: {why}", row.isolation)).collect();
            let own = session.own(notes);
            session.add_of(own, [("isolation", row.isolation.into()), ("asked", way.into())], 1, series);
        }
    }
    session.end()?;
    Ok(ExitCode::SUCCESS)
}

fn default_dirs() -> anyhow::Result<Vec<PathBuf>> {
    let functions = source_root()?.join("functions");
    Ok(["hello", "echo"].map(|name| functions.join(name)).into())
}

/// An image of the same functions for each of [`Isolation::ALL`], in that order.
fn build_images(dirs: &[PathBuf], folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let build = |isolation: &Isolation| {
        let image = folder.join(format!("{}.elf", isolation.name()));
        build::build(dirs, &image, Some(*isolation)).map(|_| image)
    };
    Isolation::ALL.iter().map(build).collect()
}

impl Row {
    fn new(isolation: Isolation) -> Self {
        Self { isolation: isolation.name(), refused: None, counted: None, timed: None }
    }

    /// Its figures as results have them, for each way of asking.
    fn ways(&self) -> [(&'static str, Vec<Series>); 2] {
        let series = |counted: Option<Work>, timed: Option<&Series>| {
            let work =
                counted.map(|work| [("instructions of the domain", work.domain), ("instructions", work.request)]);
            let work = work.into_iter().flatten();
            let counted = work.filter_map(|(name, value)| Series::new(name, Unit::Instructions, vec![value as f64]));
            counted.chain(timed.cloned()).collect()
        };
        let (counted, timed) = (self.counted, self.timed.as_ref());
        [
            ("alone", series(counted.map(|counted| counted.alone), timed.map(|timed| &timed.alone))),
            ("in turn", series(counted.map(|counted| counted.in_turn), timed.map(|timed| &timed.in_turn))),
        ]
    }

    /// Notes why there is no figure.
    fn refuse<T>(&mut self, why: String) -> Option<T> {
        self.refused = Some(why);
        None
    }
}
