//! `mayfly build`.

mod bundle;
mod compose;
pub(crate) mod elf;
mod floor;
pub(crate) mod image;
mod manifest;
mod program;
#[cfg(test)]
pub(crate) mod sample;
mod tables;

pub use compose::{ComposeError, compose};
pub use floor::floor_image;
pub use manifest::Manifest;
pub use program::{Function, ProgramError};

use std::process::ExitCode;

/// What `mayfly build` is told.
#[derive(clap::Args)]
pub struct Args {}

/// Carries out `mayfly build`.
pub fn main(_args: Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`mayfly build` is not there yet")
}
