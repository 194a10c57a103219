//! `mayfly build`.

use std::process::ExitCode;

/// What `mayfly build` is told.
#[derive(clap::Args)]
pub struct Args {}

/// Carries out `mayfly build`.
pub fn main(_args: Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`mayfly build` is not there yet")
}
