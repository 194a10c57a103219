//! `mayfly invoke`.

use std::process::ExitCode;

/// What `mayfly invoke` is told.
#[derive(clap::Args)]
pub struct Args {}

/// Carries out `mayfly invoke`.
pub fn main(_args: Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`mayfly invoke` is not there yet")
}
