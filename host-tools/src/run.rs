//! `mayfly run`.

use std::process::ExitCode;

/// What `mayfly run` is told.
#[derive(clap::Args)]
pub struct Args {}

/// Carries out `mayfly run`.
pub fn main(_args: Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`mayfly run` is not there yet")
}
