//! Prepares the Linux peer: Debian's cloud kernel, and an initramfs with a server and the modules of its network card.

mod kernel;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use super::cpio::Archive;
use super::{VERSION, debian};
use crate::build::source_root;
use crate::unfinished::Unfinished;

/// The package that stands for the newest kernel for virtual machines.
const PACKAGE: &str = "linux-image-cloud-amd64";
/// What the network card needs, in the order in which it is loaded.
const MODULES: [&str; 6] = ["virtio_ring", "virtio", "virtio_mmio", "failover", "net_failover", "virtio_net"];
/// How the server is built.
const FLAGS: [&str; 6] = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-static", "-s"];

/// Makes `folder` anew, with what was downloaded kept in `parent`.
pub(super) fn prepare(parent: &Path, folder: &Path) -> anyhow::Result<()> {
    let deb = debian::download(&debian::resolve(PACKAGE)?, &parent.join("downloads"))?;
    let made = Unfinished::folder(parent)?;
    let unpacked = Unfinished::folder(parent)?;
    debian::unpack(&deb, unpacked.path())?;

    let read = |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let image = read(&only(&unpacked.path().join("boot"), "vmlinuz-")?)?;
    let mut archive = Archive::default();
    archive.directory("modules");
    let modules = modules(&only(&unpacked.path().join("lib/modules"), "")?)?;
    for (number, module) in modules.iter().enumerate() {
        archive.file(&format!("modules/{number}.ko"), 0o644, module);
    }
    let server = made.path().join("server");
    build_server(&server)?;
    archive.file("init", 0o755, &read(&server)?);

    let kernel = kernel::unpack(&image).unwrap_or(image);
    let version = format!("{} {}", deb.version, PACKAGE);
    for (name, bytes) in [("kernel", kernel), ("initramfs.cpio", archive.finish()), (VERSION, version.into_bytes())] {
        fs::write(made.path().join(name), bytes).with_context(|| format!("cannot write {name}"))?;
    }
    made.replace_folder(folder).with_context(|| format!("cannot make {}", folder.display()))
}

/// The one entry of `folder` whose name begins so.
fn only(folder: &Path, prefix: &str) -> anyhow::Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| format!("the kernel's package has no {}", folder.display()))?;
    entries
        .flatten()
        .find(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .with_context(|| format!("the kernel's package has no {prefix}* in {}", folder.display()))
}

/// The contents of those of [`MODULES`] that are not part of the kernel, which `folder` has.
fn modules(folder: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    let built_in = fs::read_to_string(folder.join("modules.builtin")).unwrap_or_default();
    let mut modules = Vec::new();
    for name in MODULES {
        if built_in.lines().any(|line| line.ends_with(&format!("/{name}.ko"))) {
            continue;
        }
        let Some(path) = find(folder, &[format!("{name}.ko"), format!("{name}.ko.xz")]) else {
            bail!("the kernel's package has no module {name}");
        };
        modules.push(match path.extension().is_some_and(|extension| extension == "xz") {
            false => fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?,
            true => debian::output("xz", folder, &["-dc", &path.to_string_lossy()], &format!("unpack {name}"))?,
        });
    }
    Ok(modules)
}

/// A file with one of these names, somewhere in `folder`.
fn find(folder: &Path, names: &[String]) -> Option<PathBuf> {
    fs::read_dir(folder).ok()?.flatten().find_map(|entry| {
        let path = entry.path();
        match entry.file_type().ok()?.is_dir() {
            true => find(&path, names),
            false => names.iter().any(|name| entry.file_name() == name.as_str()).then_some(path),
        }
    })
}

/// Builds the server as the executable `output`, with the system's C compiler.
fn build_server(output: &Path) -> anyhow::Result<()> {
    let source = source_root()?.join("peers/linux/server.c");
    let built = Command::new("cc").args(FLAGS).arg("-o").arg(output).arg(&source).output();
    let built =
        built.context("cannot run the C compiler `cc`; install one, on Debian with `apt install gcc libc6-dev`")?;
    if !built.status.success() {
        bail!(
            "cannot build {}: is the static C library there (on Debian: `apt install libc6-dev`)? cc says\n{}",
            source.display(),
            String::from_utf8_lossy(&built.stderr).trim_end()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests;
