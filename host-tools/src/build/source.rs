//! Where things are in the source tree that this tool was built from: it builds kernel, loader and functions from it.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result, bail};

use super::folder;

/// The source tree's root.
pub fn source_root() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.parent().unwrap_or(here);
    if !root.join("sdk/function.ld").is_file() {
        bail!("the Mayfly source tree {} is gone; build this tool again where the sources are now", root.display());
    }
    // As cargo names it in its messages.
    fs::canonicalize(root).with_context(|| format!("cannot find the source tree {}", root.display()))
}

/// Where cargo puts what it builds for the machine.
pub(super) fn target_dir(root: &Path) -> Result<PathBuf> {
    let dir = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    std::path::absolute(&dir).with_context(|| format!("cannot find the target folder {}", dir.display()))
}

/// The folders of the example functions, by name. The hostile ones lie deeper and are not among them.
pub fn examples() -> Result<Vec<PathBuf>> {
    folder::functions_in(&source_root()?.join("functions"))
}
