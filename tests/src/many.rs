//! Thousands of distinct functions, made without a compiler: each answers with its own number.

use std::path::{Path, PathBuf};
use std::{env, fs, io, process};

use mayfly::build::{Generated, Work};

use crate::{Exchange, Request};

/// Folders of functions, removed when this is dropped.
#[derive(Debug)]
pub struct Folders(PathBuf);

impl Folders {
    /// Writes the folders of functions number 0 to `count - 1`, in memory where the system offers that: disks take long
    /// for thousands of files.
    pub fn write(count: u32) -> io::Result<Self> {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { env::temp_dir() };
        let folders = Self(parent.join(format!("mayfly-many-{}", process::id())));
        for function in (0..count).map(function) {
            let folder = folders.0.join(&function.name);
            fs::create_dir_all(&folder)?;
            fs::write(folder.join("mayfly.toml"), function.manifest("function.elf"))?;
            fs::write(folder.join("function.elf"), function.program().map_err(io::Error::other)?)?;
        }
        Ok(folders)
    }

    /// The folder that holds them.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folders {
    fn drop(&mut self) {
        // If it fails, there is nobody left to tell.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What function `number` is asked, and its only right answer.
pub fn exchange(number: u32) -> Exchange {
    let Generated { name, work, .. } = function(number);
    Exchange::bytes(Request::get(format!("/{name}")), work.answer())
}

/// Function `number`, of a page.
fn function(number: u32) -> Generated {
    Generated { name: format!("many-{number}"), work: Work::Number(number), pages: 1 }
}
