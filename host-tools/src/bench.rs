//! `mayfly bench`: measures, and says on what it measured.

mod against;
mod all;
mod boot;
pub(crate) mod client;
mod cold;
mod comparison;
mod counted;
mod density;
mod first_response;
mod images;
mod isolation;
mod least;
mod load;
pub(crate) mod measure;
mod numbered;
mod peers;
pub(crate) mod rate;
mod report;
mod request;
mod rows;
mod scale;
mod server;
pub(crate) mod session;
mod table;
mod translation;
mod warm;
mod waterfall;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgGroup, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use crate::peer::Peer;

/// Memory of each machine that is measured beside others: what the largest of them needs.
const MEMORY_MIB: u32 = 256;

/// How long a machine may take for anything that is asked of it, on a busy host too: firmware that boots a disk takes longest.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// A machine that was quiet for so long rests: it is longer than it takes the client's acknowledgement to arrive.
pub(crate) const QUIET: Duration = Duration::from_millis(20);

/// Measures an image, or this source tree against another revision of it.
#[derive(clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    arg_required_else_help = true,
    group = ArgGroup::new("instead").args(["prepare", "against"]),
    after_help = "Examples:\n  mayfly bench boot --runs 50\n  mayfly bench --against HEAD~1\n  \
        mayfly bench --against v0.1 functions/echo --metric insn"
)]
pub struct Args {
    /// Prepare a system that Mayfly is measured beside, such as linux, instead of measuring.
    #[arg(long, value_name = "PEER")]
    prepare: Option<String>,
    #[command(flatten)]
    against: against::Comparison,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand)]
enum What {
    All(all::Args),
    Boot(boot::Args),
    Cold(cold::Args),
    Density(density::Args),
    Isolation(isolation::Args),
    Load(load::Args),
    Scale(scale::Args),
    Warm(warm::Args),
}

/// Carries out `mayfly bench`.
pub fn main(args: Args) -> anyhow::Result<ExitCode> {
    match args.what {
        Some(What::All(args)) => all::main(args),
        Some(What::Boot(args)) => boot::main(args),
        Some(What::Cold(args)) => cold::main(args),
        Some(What::Density(args)) => density::main(args),
        Some(What::Isolation(args)) => isolation::main(args),
        Some(What::Load(args)) => load::main(args),
        Some(What::Scale(args)) => scale::main(args),
        Some(What::Warm(args)) => warm::main(args),
        None => match args.prepare {
            Some(peer) => prepare(&Peer::named(&peer)?).map(|()| ExitCode::SUCCESS),
            None => against::main(&args.against),
        },
    }
}

/// Prepares a peer.
fn prepare(peer: &Peer) -> anyhow::Result<()> {
    let bar = ProgressBar::new_spinner().with_message(format!("preparing {}: {}", peer.name, peer.what));
    bar.enable_steady_tick(Duration::from_millis(100));
    let folder = peer.prepare()?;
    bar.finish_and_clear();
    println!("{} is prepared: {}, in {}", peer.name, peer.version()?, folder.display());
    Ok(())
}

/// Measures `runs` boots of `image` as `mayfly bench boot` does, and prints the same.
pub(crate) fn boot(image: &Path, runs: u32) -> anyhow::Result<ExitCode> {
    boot::main(boot::Args::new(image, runs))
}

/// Takes a path to ask for from a command line.
pub(crate) fn path(text: &str) -> Result<String, String> {
    if text.starts_with('/') { Ok(text.to_owned()) } else { Err("a path begins with `/`, such as /hello".to_owned()) }
}

/// Shows how much of `len` steps is done.
pub(crate) fn progress(len: u32) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{msg} {bar:40} {pos}/{len}, {eta} left")?;
    Ok(ProgressBar::new(u64::from(len)).with_style(style).with_message("measuring"))
}

/// A time in the unit of boots.
pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A time in the unit of requests.
pub(crate) fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
