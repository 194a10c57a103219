//! A copy of the source in cargo's target folder, to be changed and built.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::images;

/// The source as it is now, and a target folder of its own. Both are kept, so that the next run has little to build.
#[derive(Debug)]
pub struct SourceCopy {
    tree: PathBuf,
    target: PathBuf,
}

impl SourceCopy {
    /// Brings the copy called `name` up to date: what git tracks, each file as `change` makes it of its path and its bytes.
    pub fn new(name: &str, change: impl Fn(&str, Vec<u8>) -> Vec<u8>) -> Self {
        // This program is PROFILE/deps/NAME in cargo's target folder.
        let program = std::env::current_exe().expect("a program knows where it is");
        let here = program.ancestors().nth(3).expect("cargo puts it three folders deep").join(name);
        let copy = Self { tree: here.join("tree"), target: here.join("target") };
        let wanted = tracked(images::source_root());
        for gone in files(&copy.tree, "").difference(&wanted) {
            fs::remove_file(copy.tree.join(gone)).unwrap_or_else(|error| panic!("{gone}: {error}"));
        }
        for file in &wanted {
            let bytes = fs::read(images::source_root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
            copy.write(file, &change(file, bytes));
        }
        copy
    }

    /// The folder of the source.
    pub fn tree(&self) -> &Path {
        &self.tree
    }

    /// The folder for what is built of it.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Writes a file of the copy, unless it is so already: what is new is built again.
    pub fn write(&self, file: &str, bytes: &[u8]) {
        let copy = self.tree.join(file);
        if fs::read(&copy).is_ok_and(|there| there == bytes) {
            return;
        }
        fs::create_dir_all(copy.parent().expect("it lies in a folder")).expect("there is room");
        fs::write(&copy, bytes).expect("there is room");
    }
}

/// The files that git tracks.
fn tracked(root: &Path) -> BTreeSet<String> {
    let output = Command::new("git").current_dir(root).args(["ls-files", "-z"]).output().expect("git runs");
    assert!(output.status.success(), "the source is no git repository");
    let list = String::from_utf8(output.stdout).expect("names are UTF-8");
    list.split_terminator('\0').map(str::to_owned).collect()
}

/// The files in a folder and below it. None if there is no such folder.
fn files(root: &Path, folder: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(root.join(folder)).into_iter().flatten().flatten() {
        let path = format!("{folder}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            found.append(&mut files(root, &format!("{path}/")));
        } else {
            found.insert(path);
        }
    }
    found
}
