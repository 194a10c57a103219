//! Files and folders that appear whole or not at all: made under another name, renamed when they are complete.
//!
//! The usual crate for this would switch on `std` in a crate that the kernel shares with it, and the kernel could no
//! longer be checked together with the rest of the workspace.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// Numbers of the names that this process has tried.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// A file or folder that is removed again unless it is finished.
#[derive(Debug)]
pub struct Unfinished {
    path: PathBuf,
}

impl Unfinished {
    /// A new file in `folder`, open for writing.
    pub fn file(folder: &Path) -> io::Result<(Self, File)> {
        Self::make(folder, |path| File::create_new(path))
    }

    /// A new folder in `parent`.
    pub fn folder(parent: &Path) -> io::Result<Self> {
        Ok(Self::make(parent, |path| fs::create_dir(path))?.0)
    }

    /// Makes something under the next name that is free: a process that was killed, or one of another container that shares the
    /// folder, may have had the same number as this one.
    fn make<T>(folder: &Path, make: impl Fn(&Path) -> io::Result<T>) -> io::Result<(Self, T)> {
        loop {
            let path = folder.join(name(COUNT.fetch_add(1, Ordering::Relaxed)));
            match make(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return Ok((Self { path }, made?)),
            }
        }
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

fn name(count: u32) -> String {
    format!(".mayfly-{}-{count}.unfinished", process::id())
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
    fn what_another_process_left_under_the_next_names_is_passed_over() {
        let parent = Unfinished::folder(&std::env::temp_dir()).expect("a folder");
        // Other tests of this process may take some of these numbers meanwhile.
        let next = COUNT.load(Ordering::Relaxed);
        let names = (next..next + 200).map(|count| parent.path().join(name(count)));
        let left: Vec<_> = names.inspect(|name| fs::write(name, "theirs").expect("a file")).collect();
        let folder = Unfinished::folder(parent.path()).expect("a name is free");
        let (file, _) = Unfinished::file(parent.path()).expect("a name is free");
        assert!(!left.iter().any(|name| name == folder.path() || name == file.path()));
        drop((folder, file));
        assert!(left.iter().all(|name| fs::read(name).is_ok_and(|text| text == b"theirs")), "it is none of ours");
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
