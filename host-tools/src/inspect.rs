//! `mayfly inspect`.

use std::process::ExitCode;

/// What `mayfly inspect` is told.
#[derive(clap::Args)]
pub struct Args {}

/// Carries out `mayfly inspect`.
pub fn main(_args: Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`mayfly inspect` is not there yet")
}
