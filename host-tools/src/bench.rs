//! `mayfly bench`: measures, and says on what it measured.

mod boot;
mod client;
mod context;
mod isolation;
mod measure;
mod record;
mod server;
mod statistics;
mod table;
mod translation;
mod waterfall;

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};

/// Measures an image.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Boot(boot::Args),
    Isolation(isolation::Args),
}

/// Carries out `mayfly bench`.
pub fn main(args: Args) -> anyhow::Result<ExitCode> {
    match args.what {
        What::Boot(args) => boot::main(args),
        What::Isolation(args) => isolation::main(args),
    }
}

/// Measures `runs` boots of `image` as `mayfly bench boot` does, and prints the same.
pub(crate) fn boot(image: &Path, runs: u32) -> anyhow::Result<ExitCode> {
    boot::main(boot::Args::new(image, runs))
}

/// Shows how much of `len` steps is done.
fn progress(len: u32) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{msg} {bar:40} {pos}/{len}, {eta} left")?;
    Ok(ProgressBar::new(u64::from(len)).with_style(style).with_message("measuring"))
}
