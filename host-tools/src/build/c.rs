//! Builds C functions with the system's C compiler.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::progress::Progress;

/// Freestanding code for a fixed place; each function in a section of its own, so that unused ones are left out. Line
/// tables and frame pointers are for faults: they lead from an address to its line, and from a function to its callers.
const FLAGS: [&str; 16] = [
    "-std=c11",
    "-O2",
    "-g1",
    "-fno-omit-frame-pointer",
    "-Wall",
    "-Wextra",
    "-ffreestanding",
    "-fno-stack-protector",
    "-fno-pic",
    "-fno-pie",
    "-fno-asynchronous-unwind-tables",
    "-ffunction-sections",
    "-static",
    "-no-pie",
    "-nostdlib",
    "-Wl,--build-id=none,--gc-sections,-z,max-page-size=4096",
];

/// Builds all `*.c` in `dir` as the function `name`, against the header in `sdk`, and gives the executable.
/// `scratch` is the folder in which it is built.
pub(super) fn function(name: &str, dir: &Path, sdk: &Path, scratch: &Path) -> Result<Vec<u8>> {
    let sources = sources(dir)?;
    if sources.is_empty() {
        bail!(
            "{} has neither a Cargo.toml nor *.c files, and its manifest names no `program`; `mayfly new NAME` shows what \
             a function needs",
            dir.display()
        );
    }
    let progress = Progress::start(&format!("building {name}"));
    fs::create_dir_all(scratch).with_context(|| format!("cannot make the folder {}", scratch.display()))?;
    let program = scratch.join(format!("{name}.elf"));
    let output = Command::new("cc")
        .args(FLAGS)
        .arg("-I")
        .arg(sdk.join("include"))
        .arg("-T")
        .arg(sdk.join("function.ld"))
        .arg("-o")
        .arg(&program)
        .args(&sources)
        .output()
        .context("cannot run the C compiler `cc`; install one, on Debian with `apt install gcc`")?;
    let messages = String::from_utf8_lossy(&output.stderr);
    if !messages.is_empty() {
        progress.print(messages.trim_end());
    }
    if !output.status.success() {
        bail!("building {name} failed; the C compiler's messages above say why");
    }
    fs::read(&program).with_context(|| format!("cannot read {}", program.display()))
}

/// The C files in `dir`, by name: the same order every time makes the same program every time.
fn sources(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))? {
        let path = entry.with_context(|| format!("cannot list {}", dir.display()))?.path();
        if path.extension() == Some(OsStr::new("c")) {
            sources.push(path);
        }
    }
    sources.sort();
    Ok(sources)
}
