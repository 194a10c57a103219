//! `mayfly bench`.

use std::process::ExitCode;

/// What `mayfly bench` is told.
#[derive(clap::Args)]
pub struct Args {}

/// Carries out `mayfly bench`.
pub fn main(_args: Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`mayfly bench` is not there yet")
}
