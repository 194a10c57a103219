//! `mayfly bench`: measures, and says on what it measured.

mod boot;
mod client;
mod context;
mod measure;
mod record;
mod statistics;
mod table;
mod waterfall;

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;

/// Measures an image.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Boot(boot::Args),
}

/// Carries out `mayfly bench`.
pub fn main(args: Args) -> anyhow::Result<ExitCode> {
    match args.what {
        What::Boot(args) => boot::main(args),
    }
}

/// Measures `runs` boots of `image` as `mayfly bench boot` does, and prints the same.
pub(crate) fn boot(image: &Path, runs: u32) -> anyhow::Result<ExitCode> {
    boot::main(boot::Args::new(image, runs))
}
