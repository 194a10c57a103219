//! Folders of functions: those that a command line means, and what each is built from.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use mayfly_abi::image::Isolation;

use super::manifest::{self, Manifest};

/// A function's folder.
pub(super) struct Folder {
    pub(super) dir: PathBuf,
    pub(super) manifest: Manifest,
    pub(super) kind: Kind,
}

/// What a function is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An executable that is there already.
    Program(PathBuf),
    /// A Cargo package.
    Rust,
    /// C files.
    C,
}

/// Reads the folders that `dirs` mean: each one a function's, or one that holds functions' folders. `isolation` counts
/// more than what the manifests say.
pub(super) fn read_all(dirs: &[PathBuf], isolation: Option<Isolation>) -> Result<Vec<Folder>> {
    let mut folders = Vec::new();
    for dir in dirs {
        for dir in meant_by(dir)? {
            let mut folder = Folder::read(dir)?;
            folder.manifest.isolation = isolation.unwrap_or(folder.manifest.isolation);
            folders.push(folder);
        }
    }
    Manifest::check_distinct(folders.iter().map(|folder| &folder.manifest))?;
    Ok(folders)
}

/// The functions' folders that `dir` means: itself, unless it holds some and is none.
fn meant_by(dir: &Path) -> Result<Vec<PathBuf>> {
    let inside = if is_function(dir) || !dir.is_dir() { Vec::new() } else { functions_in(dir)? };
    Ok(if inside.is_empty() { vec![dir.into()] } else { inside })
}

/// The functions' folders in `dir`, by name. Those that lie deeper are not among them.
pub(super) fn functions_in(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))? {
        let path = entry.with_context(|| format!("cannot list {}", dir.display()))?.path();
        if is_function(&path) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn is_function(dir: &Path) -> bool {
    dir.join(manifest::FILE_NAME).is_file()
}

impl Folder {
    fn read(dir: PathBuf) -> Result<Self> {
        let manifest = Manifest::read(&dir)?;
        let is_rust = dir.join("Cargo.toml").is_file();
        let kind = match &manifest.program {
            Some(_) if is_rust => bail!(
                "{} names a `program`, but there is a Cargo.toml beside it; remove the one that is not to be used",
                manifest.file.display()
            ),
            Some(program) => Kind::Program(program.clone()),
            None if is_rust => Kind::Rust,
            None => Kind::C,
        };
        Ok(Self { dir, manifest, kind })
    }
}

/// Reads the executable that a manifest names.
pub(super) fn read_program(manifest: &Manifest, program: &Path) -> Result<Vec<u8>> {
    let file = manifest.file.display();
    fs::read(program).with_context(|| format!("{file} names a `program` that cannot be read: {}", program.display()))
}
