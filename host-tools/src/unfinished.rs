//! Files and folders that appear whole or not at all: made under another name, renamed when they are complete.
//!
//! The usual crate for this would switch on `std` in a crate that the kernel shares with it, and the kernel could no
//! longer be checked together with the rest of the workspace.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// A file or folder that is removed again unless it is finished.
#[derive(Debug)]
pub struct Unfinished {
    path: PathBuf,
}

impl Unfinished {
    /// A new file in `folder`, open for writing.
    pub fn file(folder: &Path) -> io::Result<(Self, File)> {
        let unfinished = Self::named(folder);
        let file = File::create_new(&unfinished.path)?;
        Ok((unfinished, file))
    }

    /// A new folder in `parent`.
    pub fn folder(parent: &Path) -> io::Result<Self> {
        let unfinished = Self::named(parent);
        fs::create_dir(&unfinished.path)?;
        Ok(unfinished)
    }

    /// A name that nobody else uses.
    fn named(folder: &Path) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self { path: folder.join(format!(".mayfly-{}-{count}.unfinished", process::id())) }
    }

    /// Where it is until it is finished.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name. A file that had the name is replaced; a folder is not.
    pub fn finish(self, name: &Path) -> io::Result<()> {
        fs::rename(&self.path, name)
    }

    /// Gives a folder its name in the same parent; a folder that had the name is removed with all that is in it.
    pub fn replace_folder(self, name: &Path) -> io::Result<()> {
        let old = Self::folder(self.path.parent().unwrap_or(Path::new(".")))?;
        match fs::rename(name, old.path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => self.finish(name),
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Gone if it was finished; otherwise there is nobody left to tell.
        let _ = fs::remove_file(&self.path).or_else(|_| fs::remove_dir_all(&self.path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finished_leaves_nothing_behind() {
        let parent = Unfinished::folder(&std::env::temp_dir()).expect("a folder");
        drop(Unfinished::file(parent.path()).expect("a file"));
        drop(Unfinished::folder(parent.path()).expect("a folder"));
        assert_eq!(fs::read_dir(parent.path()).expect("a folder").count(), 0);

        let (file, _) = Unfinished::file(parent.path()).expect("a file");
        file.finish(&parent.path().join("done")).expect("a name");
        let names: Vec<_> = fs::read_dir(parent.path()).expect("a folder").flatten().map(|e| e.file_name()).collect();
        assert_eq!(names, ["done"]);
    }

    #[test]
    fn a_folder_is_replaced_as_a_whole() {
        let parent = Unfinished::folder(&std::env::temp_dir()).expect("a folder");
        let name = parent.path().join("name");
        for file in ["old", "new"] {
            let folder = Unfinished::folder(parent.path()).expect("a folder");
            fs::write(folder.path().join(file), "").expect("a file");
            folder.replace_folder(&name).expect("a name");
        }
        assert!(name.join("new").exists() && !name.join("old").exists());
        assert_eq!(fs::read_dir(parent.path()).expect("a folder").count(), 1);
    }
}
