//! Another revision's source, in a git worktree that is gone when this value is, and an image built from it by its own tool.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use indicatif::ProgressBar;

/// Pause between two looks whether a build has ended.
const PAUSE: Duration = Duration::from_millis(50);
/// Lines of a build's messages that an error shows.
const LAST_WORDS: usize = 30;

/// Whether the user has had enough (Ctrl-C, or a signal to end): then what was made is put away in order.
#[derive(Clone, Debug)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Catches Ctrl-C from now on.
    pub(super) fn on_ctrl_c() -> anyhow::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed)).context("cannot catch Ctrl-C")?;
        Ok(Self(stop))
    }

    /// An error once it was pressed.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        ensure!(!self.0.load(Ordering::Relaxed), "stopped");
        Ok(())
    }
}

/// A revision, checked out. Dropping it removes the worktree; what was compiled is kept for the next time.
#[derive(Debug)]
pub(super) struct Tree {
    /// The checkout that has the revision.
    root: PathBuf,
    /// Where the worktree, the build and the lock are.
    folder: PathBuf,
    /// As the user named it.
    pub(super) revision: String,
    /// Its commit's number, shortened.
    pub(super) commit: String,
    /// Held as long as the worktree is there.
    _lock: File,
}

impl Tree {
    /// Checks `revision` of the checkout at `root` out in `folder`.
    pub(super) fn check_out(root: &Path, revision: &str, folder: &Path) -> anyhow::Result<Self> {
        ensure!(
            git(root, ["rev-parse", "--git-dir"]).is_ok(),
            "{} is not a git checkout, so it has no other revision to be measured against",
            root.display()
        );
        let commit =
            git(root, ["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{revision}^{{commit}}")]);
        let Ok(commit) = commit else { bail!("git knows no revision `{revision}` here; `git log` lists them") };
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let lock = folder.join("lock");
        let lock = File::create(&lock).with_context(|| format!("cannot make {}", lock.display()))?;
        ensure!(
            lock.try_lock().is_ok(),
            "another `mayfly bench --against` is running in this checkout: let it end first"
        );
        let short = git(root, ["rev-parse", "--short=12", &commit])?;
        let tree = Self {
            root: root.to_owned(),
            folder: folder.to_owned(),
            revision: revision.to_owned(),
            commit: short,
            _lock: lock,
        };
        // One whose owner was killed before it could tidy up.
        tree.remove();
        let path = tree.path();
        git(root, [OsStr::new("worktree"), "add".as_ref(), "--detach".as_ref(), path.as_ref(), commit.as_ref()])
            .with_context(|| format!("cannot check `{revision}` out"))?;
        Ok(tree)
    }

    /// The revision's files.
    pub(super) fn path(&self) -> PathBuf {
        self.folder.join("tree")
    }

    /// Has the revision's own `mayfly` build an image of `dirs`, which are relative to its files or absolute.
    pub(super) fn build(&self, dirs: &[PathBuf], output: &Path, stop: &Stop) -> anyhow::Result<()> {
        let Self { revision, .. } = self;
        let log = self.folder.join("log");
        let messages = File::create(&log).with_context(|| format!("cannot make {}", log.display()))?;
        // Set when cargo runs us: its own path, so that the same toolchain goes on.
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .current_dir(self.path())
            .env("CARGO_TARGET_DIR", self.folder.join("target"))
            // Pieces of another revision's build, or of one that was stopped, are not to be linked into this one.
            .env("CARGO_INCREMENTAL", "0")
            .args(["run", "--quiet", "--package", "mayfly", "--bin", "mayfly", "--", "build"])
            .args(dirs)
            .arg("--output")
            .arg(output)
            .stdin(Stdio::null())
            .stdout(messages.try_clone().context("cannot keep what cargo says")?)
            .stderr(messages)
            // A group of its own, so that it can be ended with all that it has started.
            .process_group(0);
        let bar = ProgressBar::new_spinner()
            .with_message(format!("building {revision} by its own tool, which takes minutes the first time"));
        bar.enable_steady_tick(Duration::from_millis(100));
        let mut child = cargo.spawn().context("cannot run cargo; install Rust from https://rustup.rs")?;
        let status = loop {
            if let Some(status) = child.try_wait().context("cannot wait for cargo")? {
                break status;
            }
            if let Err(stopped) = stop.check() {
                // Fails only if all of it has ended by itself.
                let _ = Command::new("sh").arg("-c").arg(format!("kill -- -{}", child.id())).status();
                let _ = child.wait();
                return Err(stopped);
            }
            thread::sleep(PAUSE);
        };
        bar.finish_and_clear();
        if !status.success() {
            let text = fs::read_to_string(&log).unwrap_or_default();
            let lines: Vec<_> = text.lines().collect();
            let last = lines[lines.len().saturating_sub(LAST_WORDS)..].join("\n");
            bail!("`{revision}` does not build, so there is nothing to measure against:\n{last}");
        }
        Ok(())
    }

    /// Removes the worktree, if it is there, and git's note of it.
    fn remove(&self) {
        let path = self.path();
        // What fails is not there, or is removed by the next.
        let _ = git(&self.root, [OsStr::new("worktree"), "remove".as_ref(), "--force".as_ref(), path.as_ref()]);
        let _ = fs::remove_dir_all(&path);
        let _ = git(&self.root, ["worktree", "prune"]);
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.remove();
    }
}

/// What git says to these arguments, or its error.
fn git(root: &Path, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> anyhow::Result<String> {
    let output = Command::new("git").arg("-C").arg(root).args(arguments).output().context("cannot run git")?;
    ensure!(output.status.success(), "git: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unfinished::Unfinished;

    /// A repository with two commits, whose file says which.
    fn repository() -> Unfinished {
        let folder = Unfinished::folder(&env::temp_dir()).expect("a folder");
        let run = |words: &[&str]| {
            let identity = ["-c", "user.name=nobody", "-c", "user.email=nobody@localhost"];
            git(folder.path(), identity.iter().chain(words)).expect("git does it");
        };
        run(&["init", "--quiet"]);
        for text in ["one", "two"] {
            fs::write(folder.path().join("file"), text).expect("there is room");
            run(&["add", "file"]);
            run(&["commit", "--quiet", "--no-gpg-sign", "-m", text]);
        }
        folder
    }

    /// How many worktrees git knows, the checkout itself not counted.
    fn worktrees(root: &Path) -> usize {
        git(root, ["worktree", "list"]).expect("it is a checkout").lines().count() - 1
    }

    #[test]
    fn a_revision_is_there_as_long_as_it_is_needed_and_alone() {
        let repository = repository();
        let (root, folder) = (repository.path(), repository.path().join("against"));
        let tree = Tree::check_out(root, "HEAD~1", &folder).expect("it is a revision");
        assert_eq!(fs::read_to_string(tree.path().join("file")).expect("it is checked out"), "one");
        assert_eq!((worktrees(root), tree.commit.len()), (1, 12));
        let error = Tree::check_out(root, "HEAD", &folder).expect_err("there is one already");
        assert!(error.to_string().contains("another `mayfly bench --against` is running"), "{error}");
        let path = tree.path();
        drop(tree);
        assert!(!path.exists() && worktrees(root) == 0);
    }

    #[test]
    fn what_a_killed_run_has_left_is_removed() {
        let repository = repository();
        let (root, folder) = (repository.path(), repository.path().join("against"));
        let left = folder.join("tree");
        git(root, ["worktree", "add", "--detach", &left.display().to_string(), "HEAD"]).expect("git does it");
        fs::write(left.join("file"), "changed").expect("there is room");
        let tree = Tree::check_out(root, "HEAD~1", &folder).expect("it is a revision");
        assert_eq!(fs::read_to_string(tree.path().join("file")).expect("it is checked out"), "one");
    }

    #[test]
    fn what_is_no_revision_or_no_checkout_is_said_so() {
        let repository = repository();
        let folder = repository.path().join("against");
        for word in ["no-such-thing", "--help", ""] {
            let error = Tree::check_out(repository.path(), word, &folder).expect_err("it is no revision");
            assert!(error.to_string().contains(&format!("git knows no revision `{word}` here")), "{error}");
        }
        let nowhere = Unfinished::folder(&env::temp_dir()).expect("a folder");
        let error = Tree::check_out(nowhere.path(), "HEAD", &folder).expect_err("there is no checkout");
        assert!(error.to_string().contains("is not a git checkout"), "{error}");
    }

    #[test]
    fn a_revision_that_does_not_build_is_said_so_with_the_reason() {
        let repository = repository();
        let tree = Tree::check_out(repository.path(), "HEAD", &repository.path().join("against")).expect("a revision");
        let stop = Stop(Arc::new(AtomicBool::new(false)));
        let output = repository.path().join("image.elf");
        let error = tree.build(&[], &output, &stop).expect_err("there is no Cargo.toml").to_string();
        assert!(error.starts_with("`HEAD` does not build") && error.contains("Cargo.toml"), "{error}");
        stop.0.store(true, Ordering::Relaxed);
        assert_eq!(tree.build(&[], &output, &stop).expect_err("it was stopped").to_string(), "stopped");
    }
}
