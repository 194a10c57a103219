//! Loader and kernel, built once for many images: benchmarks compare images that differ in nothing but their functions.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{Function, cargo, compose, folder, source, write_whole};

/// What is in every image.
pub(crate) struct Base {
    loader: Vec<u8>,
    kernel: Vec<u8>,
}

impl Base {
    /// Builds it.
    pub(crate) fn build() -> Result<Self> {
        let root = source::source_root()?;
        let (loader, kernel) = cargo::loader_and_kernel(&root, &source::target_dir(&root)?)?;
        Ok(Self { loader, kernel })
    }

    /// Writes the image of these functions, without symbols beside it. None of them is initialised at build time.
    pub(crate) fn write_image(&self, functions: &[Function], output: &Path) -> Result<()> {
        let image = compose(&self.loader, &self.kernel, functions)?;
        write_whole(output, &image).with_context(|| format!("cannot write the image {}", output.display()))
    }
}

/// Builds the functions of these folders, for [`Base::write_image`].
pub(crate) fn functions_of(dirs: &[PathBuf]) -> Result<Vec<Function>> {
    let root = source::source_root()?;
    let target_dir = source::target_dir(&root)?.join("functions");
    let (functions, _) = super::build_functions(folder::read_all(dirs, None)?, &root.join("sdk"), &target_dir)?;
    Ok(functions)
}
