//! `mayfly new`.

use std::process::ExitCode;

/// What `mayfly new` is told.
#[derive(clap::Args)]
pub struct Args {}

/// Carries out `mayfly new`.
pub fn main(_args: Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`mayfly new` is not there yet")
}
