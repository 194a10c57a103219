//! Files that live as long as their owner, in memory where the system offers that.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Error;

/// A path that no other process and no other part of this one uses, in `/dev/shm` if there is one.
pub(crate) fn fresh_path(kind: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let memory = Path::new("/dev/shm");
    let directory = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    directory.join(format!("mayfly-{}-{}.{kind}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed)))
}

/// A file that is removed when this value is dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    file: File,
}

impl Scratch {
    /// Makes an empty file. One that a crashed process with our number left behind is replaced.
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)
            .map_err(Error::io(format!("create {}", path.display())))?;
        Ok(Self { path: path.to_owned(), file })
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It may be gone already, and there is nobody left to tell.
        let _ = fs::remove_file(&self.path);
    }
}
