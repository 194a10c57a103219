//! `mayfly bench isolation`: what it costs to hold functions apart, backend by backend, with the same functions.

mod measure;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use mayfly_abi::image::Isolation;
use mayfly_qemu::{Launch, accelerator};
use serde::Serialize;

use self::measure::{Counted, Subject, Timed};
use self::table::Table;
use super::context::Context;
use super::record;
use super::server::{Server, Start};
use crate::build::{self, Manifest, source_root};
use crate::unfinished::Unfinished;

/// Measures what isolation costs.
///
/// Builds an image of the same functions with each isolation and asks the first function over one keep-alive connection:
/// alone, then in turn with the others, so that each request changes the address space. Instructions are counted on a
/// machine of its own; times are taken on machines that are up together, a round on each in turn.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  mayfly bench isolation --runs 50 --json build/isolation.json")]
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
    /// Write the result and what it was measured on to a file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// What executes the machines' instructions while time is taken: auto, tcg or kvm.
    #[arg(long, value_name = "NAME", default_value = "auto")]
    accel: accelerator::Choice,
}

/// What was found out about one backend.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    let verdict = accelerator::choose(args.accel)?;
    let folder = Unfinished::folder(&std::env::temp_dir())?;
    let images = build_images(&dirs, folder.path())?;
    let context = Context::gather(subject.to_string(), fs::metadata(&images[0])?.len(), &verdict)?;

    let bar = super::progress(images.len() as u32 + args.runs)?;
    let mut rows: Vec<Row> = Isolation::ALL.iter().map(|isolation| Row::new(*isolation)).collect();
    for (row, image) in rows.iter_mut().zip(&images) {
        row.counted = match Server::start(Launch::new(image).icount())? {
            Start::Serving(mut server) => Some(measure::count(&mut server, &subject)?),
            Start::Refused(why) => row.refuse(why),
        };
        bar.inc(1);
    }
    // All of them are up while time is taken, so that the host treats them alike.
    let mut servers = Vec::new();
    for (row, image) in rows.iter_mut().zip(&images) {
        match Server::start(Launch::new(image).accelerator(verdict.accelerator))? {
            Start::Serving(server) => servers.push((row, server)),
            Start::Refused(why) => row.timed = row.refuse(why),
        }
    }
    measure::time(&mut servers, &subject, args.requests, args.runs, &bar)?;
    drop(servers);
    bar.finish_and_clear();

    println!("GET {} on a keep-alive connection: {} rounds of {} requests", subject.path(), args.runs, args.requests);
    println!("{context}\n\n{}", Table { subject: &subject, rows: &rows });
    if let Some(path) = &args.json {
        let (requests, runs) = (args.requests, args.runs);
        let record = serde_json::json!({
            "benchmark": "isolation", "unit": "us", "context": context, "requests": requests, "runs": runs, "rows": rows,
        });
        record::write(path, &record)?;
        println!("the result: {}", path.display());
    }
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

    /// Notes why there is no figure.
    fn refuse<T>(&mut self, why: String) -> Option<T> {
        self.refused = Some(why);
        None
    }
}
