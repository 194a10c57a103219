//! The executables that an image was made from, kept beside it: build/mayfly.elf has build/mayfly.symbols/NAME.elf.
//!
//! They hold what the image leaves out: symbols and line tables, for faults and debuggers.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf, absolute};

use anyhow::{Context, Result};

use super::folder_of;
use crate::unfinished::Unfinished;

/// What the kernel is called among the functions: a name that none of them can have.
pub(super) const KERNEL: &str = "_kernel";

/// Where the executable of the function `name` is kept, whose image is `image`.
pub fn symbols(image: &Path, name: &str) -> PathBuf {
    folder(image).join(format!("{name}.elf"))
}

/// Where the executable of the image's kernel is kept.
pub fn kernel_symbols(image: &Path) -> PathBuf {
    symbols(image, KERNEL)
}

fn folder(image: &Path) -> PathBuf {
    image.with_extension("symbols")
}

/// A function's executable, or the kernel's, and its name.
pub(super) struct Executable {
    pub(super) name: String,
    pub(super) origin: Origin,
}

/// Where an executable comes from.
pub(super) enum Origin {
    /// It was built for the image.
    Built(Vec<u8>),
    /// It was there already, and stays where it is.
    There(PathBuf),
}

/// Keeps executables beside `image`, instead of those that an earlier build has left.
pub(super) fn keep(image: &Path, executables: &[Executable]) -> Result<()> {
    let (place, parent) = (folder(image), folder_of(image));
    let written = || {
        fs::create_dir_all(parent)?;
        let unfinished = Unfinished::folder(parent)?;
        for Executable { name, origin } in executables {
            let path = unfinished.path().join(format!("{name}.elf"));
            match origin {
                Origin::Built(bytes) => fs::write(path, bytes)?,
                Origin::There(program) => symlink(absolute(program)?, path)?,
            }
        }
        unfinished.replace_folder(&place)
    };
    written().with_context(|| format!("cannot write the folder {}", place.display()))
}
