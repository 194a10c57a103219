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

/// A folder of executables that is being filled.
pub(super) struct Folder {
    unfinished: Unfinished,
    place: PathBuf,
}

impl Folder {
    /// Will lie beside `image`.
    pub(super) fn beside(image: &Path) -> Result<Self> {
        let (place, parent) = (folder(image), folder_of(image));
        let made = fs::create_dir_all(parent).and_then(|()| Unfinished::folder(parent));
        let unfinished = made.with_context(|| format!("cannot make the folder {}", place.display()))?;
        Ok(Self { unfinished, place })
    }

    /// Keeps an executable.
    pub(super) fn keep(&self, name: &str, program: &[u8]) -> Result<()> {
        let path = self.unfinished.path().join(format!("{name}.elf"));
        fs::write(&path, program).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Keeps a link to an executable that is not ours. It is compared with the image before it is used.
    pub(super) fn refer(&self, name: &str, program: &Path) -> Result<()> {
        let link = self.unfinished.path().join(format!("{name}.elf"));
        let linked = absolute(program).and_then(|program| symlink(program, &link));
        linked.with_context(|| format!("cannot make the link {}", link.display()))
    }

    /// Takes the place of the folder that an earlier build has left.
    pub(super) fn finish(self) -> Result<()> {
        let Self { unfinished, place } = self;
        unfinished.replace_folder(&place).with_context(|| format!("cannot write the folder {}", place.display()))
    }
}
