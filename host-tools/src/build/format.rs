//! What an image is wrapped in: nothing, a disk, or an ISO.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use mayfly_abi::boot::COMMAND_LINE_MAX;
use mayfly_core::command_line::CommandLine;

use super::fat::Files;
use super::{disk, iso};

/// The kind of file to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The image itself, for machine monitors: QEMU's `-kernel`, Firecracker.
    Elf,
    /// A disk that UEFI firmware boots, for `mayfly flash` and for virtual machines.
    Disk,
    /// An ISO that UEFI firmware boots, and a BIOS through GRUB.
    Iso,
}

impl Format {
    /// Where it goes if nothing else is said.
    pub(crate) const fn default_output(self) -> &'static str {
        match self {
            Self::Elf => super::DEFAULT_IMAGE,
            Self::Disk => "build/mayfly.img",
            Self::Iso => "build/mayfly.iso",
        }
    }

    /// What a file of this name holds, if it is named like [`Format::default_output`].
    pub(crate) fn of(path: &Path) -> Self {
        let alike = |format: &&Self| Path::new(format.default_output()).extension() == path.extension();
        Self::value_variants().iter().find(alike).copied().unwrap_or(Self::Elf)
    }

    /// Puts an image, its UEFI loader and its command line into such a file.
    pub(super) fn wrap(self, image: Vec<u8>, application: &[u8], command_line: &str) -> Result<Vec<u8>> {
        let files = Files { application, image: &image, command_line };
        match self {
            Self::Elf => Ok(image),
            Self::Disk => disk::write(&files).context("cannot make the disk"),
            Self::Iso => iso::write(&files).context("cannot make the ISO"),
        }
    }
}

/// Checks words that are to go onto a disk: the kernel would ignore wrong ones, and nobody might see it say so.
pub(super) fn check_words(words: &str) -> Result<()> {
    ensure!(
        words.len() as u64 <= COMMAND_LINE_MAX && words.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
        "--append: a command line has at most {COMMAND_LINE_MAX} characters, all of them plain ASCII"
    );
    let mut wrong = Vec::new();
    CommandLine::parse(words.as_bytes(), |notice| wrong.push(notice.to_string()));
    ensure!(wrong.is_empty(), "--append: {}", wrong.join("\n"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_the_kernel_would_ignore_are_refused() {
        assert!(check_words("").is_ok() && check_words("ip=10.0.0.2/24 gw=10.0.0.1").is_ok());
        let error = check_words("colour=red").expect_err("no such key").to_string();
        assert!(error.starts_with("--append: command line: `colour=red` is ignored: there is no such key"), "{error}");
        for wrong in ["ip=10.0.0.2/24\n", &"tsc_hz=1 ".repeat(300)] {
            let error = check_words(wrong).expect_err("no command line").to_string();
            assert!(error.contains("at most 2048 characters"), "{error}");
        }
    }
}
