//! An ISO that boots from CD, and from a stick that it was copied to: on UEFI by a FAT image of its own (El Torito), on a BIOS
//! through GRUB, which loads the image by its Multiboot2 header.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::disk;
use super::fat::{self, Files, Kind};
use crate::unfinished::Unfinished;

/// What GRUB needs to read the CD and start the image.
const MODULES: [&str; 3] = ["biosdisk", "iso9660", "multiboot2"];
/// Where GRUB is and what it loads, on the CD.
const GRUB: &str = "boot/grub.img";
const IMAGE: &str = "boot/mayfly.elf";
/// The FAT image that UEFI firmware boots from.
const EFI: &str = "boot/efi.img";
/// The date of everything on the CD, as xorriso and mkisofs write it: the same always.
const DATE: &str = "2020010100000000";

/// The bytes of an ISO with `files`. The same files give the same bytes, as far as GRUB and xorriso are the same.
pub(super) fn write(files: &Files<'_>) -> Result<Vec<u8>> {
    let folder = Unfinished::folder(&std::env::temp_dir()).context("cannot make a folder for what goes onto the CD")?;
    let (tree, iso, script) =
        (folder.path().join("tree"), folder.path().join("mayfly.iso"), folder.path().join("grub.cfg"));
    let identity = disk::identity(files);
    let volume_id = u32::from_le_bytes([identity[0], identity[1], identity[2], identity[3]]);
    fs::create_dir_all(tree.join("boot"))?;
    fs::write(tree.join(IMAGE), files.image)?;
    fs::write(tree.join(EFI), fat::volume(files, Kind::Small, volume_id)?)?;
    fs::write(&script, format!("multiboot2 /{IMAGE} {}\nboot\n", files.command_line))?;
    run(
        Command::new("grub-mkimage")
            .args(["--format=i386-pc-eltorito", "--prefix=/boot", "--config"])
            .arg(&script)
            .arg("--output")
            .arg(tree.join(GRUB))
            .args(MODULES),
        "grub-common and grub-pc-bin",
    )?;
    run(&mut xorriso(&tree, &iso), "xorriso")?;
    fs::read(&iso).with_context(|| format!("cannot read {}", iso.display()))
}

fn xorriso(tree: &Path, iso: &Path) -> Command {
    let mut command = Command::new("xorriso");
    command.args(["-as", "mkisofs", "-quiet", "-volid", "MAYFLY", "-rock"]);
    command.arg(format!("--modification-date={DATE}"));
    command.args(["--set_all_file_dates", DATE]);
    command.args(["-uid", "0", "-gid", "0"]);
    command.args(["-eltorito-boot", GRUB, "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table"]);
    command.args(["-eltorito-alt-boot", "-e", EFI, "-no-emul-boot"]);
    command.arg("-output").arg(iso).arg(tree);
    command
}

/// Runs a program that the Debian package `package` brings, and shows what it says if it fails.
fn run(command: &mut Command, package: &str) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => anyhow::anyhow!(
            "there is no program `{program}`, which an ISO is made with; install it, on Debian with `apt install {package}`"
        ),
        _ => anyhow::Error::new(error).context(format!("cannot run {program}")),
    })?;
    if !output.status.success() {
        bail!("{program} failed:\n{}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(())
}
