//! `mayfly report`: one page from files of results, for people who look rather than read.

mod boot;
mod costs;
mod generic;
mod input;
mod load;
mod meaning;
mod number;
mod overview;
mod page;
mod phases;
mod picture;
mod plot;
mod provenance;
#[cfg(test)]
mod samples;
mod split;
mod vary;
mod words;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use self::input::Input;
use crate::unfinished::Unfinished;

/// Makes a page from results of `mayfly bench`.
///
/// The page is one HTML file that needs no network and no scripts: what the results say in words, pictures with the tables
/// behind them, where and with what everything was measured, and the commands that repeat it.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  mayfly bench boot --json build/r.jsonl\n  mayfly report build/r.jsonl")]
pub struct Args {
    /// Files of results, as `mayfly bench … --json FILE` writes them.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The page to write.
    #[arg(short, long, value_name = "PAGE", default_value = "build/report.html")]
    output: PathBuf,
    /// Go on although the results are of different machines or accelerators, and say so on the page.
    #[arg(long)]
    force: bool,
}

/// Carries out `mayfly report`.
pub fn main(args: Args) -> anyhow::Result<ExitCode> {
    let page = page::render(&Input::read(&args.files, args.force)?)?;
    write(&args.output, &page)?;
    println!("{}: {} KB", args.output.display(), page.len() / 1000);
    Ok(ExitCode::SUCCESS)
}

/// Makes the page `output` of files of results that are of one class.
pub(crate) fn make(files: &[PathBuf], output: &Path) -> anyhow::Result<()> {
    write(output, &page::render(&Input::read(files, false)?)?)
}

/// Writes all of the page or, on an error, nothing.
fn write(output: &Path, page: &str) -> anyhow::Result<()> {
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> anyhow::Result<()> {
        fs::create_dir_all(folder)?;
        let (unfinished, mut file) = Unfinished::file(folder)?;
        file.write_all(page.as_bytes())?;
        Ok(unfinished.finish(output)?)
    };
    write().with_context(|| format!("the page cannot be written to {}", output.display()))
}
