//! Files that live as long as their owner, in memory where the system offers that.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Error;

/// A path that no other process and no other part of this one uses, in `/dev/shm` if there is one.
pub(crate) fn fresh_path(kind: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    static SWEPT: Once = Once::new();
    let memory = Path::new("/dev/shm");
    let directory = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    SWEPT.call_once(|| sweep(&directory));
    directory.join(format!("mayfly-{}-{}.{kind}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed)))
}

/// Removes what processes left behind that were killed before they could tidy up. It fails for other users' files.
fn sweep(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_name().to_str().and_then(owner).is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The process number in a name that [`fresh_path`] made.
fn owner(name: &str) -> Option<&str> {
    let (pid, rest) = name.strip_prefix("mayfly-")?.split_once('-')?;
    let (count, _kind) = rest.split_once('.')?;
    let is_number = |text: &str| text.parse::<u32>().is_ok();
    (is_number(pid) && is_number(count)).then_some(pid)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_kind_of_name_has_an_owner() {
        let path = fresh_path("ram");
        let name = path.file_name().and_then(|name| name.to_str()).expect("it is ASCII");
        assert_eq!(owner(name), Some(process::id().to_string().as_str()));
        for other in ["mayfly-12", "mayfly-12-", "mayfly-12-x.ram", "mayfly-x-1.ram", "sdk-12-1.ram"] {
            assert_eq!(owner(other), None, "{other}");
        }
    }

    #[test]
    fn files_of_the_dead_are_swept_and_those_of_the_living_stay() {
        let directory = std::env::temp_dir().join(format!("mayfly-sweep-{}", process::id()));
        fs::create_dir_all(&directory).expect("there is room");
        // No process number is that high.
        let dead = directory.join(format!("mayfly-{}-0.ram", u32::MAX));
        let living = directory.join(format!("mayfly-{}-0.ram", process::id()));
        for path in [&dead, &living] {
            fs::write(path, "").expect("there is room");
        }
        sweep(&directory);
        assert!(!dead.exists() && living.exists());
        fs::remove_dir_all(&directory).expect("it is ours");
    }
}
