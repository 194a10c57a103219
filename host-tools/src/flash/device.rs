//! A disk of this computer: what Linux says about it in /sys and /proc, and whether it may be written.

use std::fmt;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

/// Bytes of a block in which Linux counts, whatever the disk has.
const BLOCK: u64 = 512;

/// Bytes of a block of the disks that an image is made for: its partition table lies in the second one (UEFI 5.3.1).
const BOOTED: u64 = 512;

/// A block device, and what is known about it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Device {
    /// Where it can be opened.
    pub(super) path: PathBuf,
    /// Its name in /sys/block, such as sdb.
    pub(super) name: String,
    /// Which disk it is of all that there were since this computer started, if Linux says.
    sequence: String,
    /// Maker and model, if it says.
    model: String,
    /// Bytes.
    len: u64,
    /// Bytes of one of its own blocks, if Linux says.
    block: Option<u64>,
    removable: bool,
    read_only: bool,
    /// The disk that it is a part of, if it is no whole one.
    part_of: Option<String>,
    /// Its partitions.
    partitions: Vec<String>,
    /// Why it is in use: what is mounted where, swap, and what was built on it.
    uses: Vec<String>,
}

impl Device {
    /// Looks a device up. `root` is `/`, or where a test keeps another /sys and /proc.
    pub(super) fn find(path: &Path, root: &Path) -> Result<Self> {
        let metadata = fs::metadata(path).with_context(|| format!("cannot find the device {}", path.display()))?;
        ensure!(
            metadata.file_type().is_block_device(),
            "{} is no disk; `lsblk` lists the disks that there are",
            path.display()
        );
        Self::numbered(path, numbers(metadata.rdev()), root)
    }

    /// The block device with these numbers.
    fn numbered(path: &Path, (major, minor): (u64, u64), root: &Path) -> Result<Self> {
        let link = root.join(format!("sys/dev/block/{major}:{minor}"));
        let sys = fs::canonicalize(&link).with_context(|| format!("Linux does not know {}", path.display()))?;
        let name = name_of(&sys);
        let is_part = sys.join("partition").exists();
        let partitions: Vec<PathBuf> =
            entries(&sys).into_iter().filter(|entry| entry.join("partition").exists()).collect();
        let mut device = Self {
            path: path.to_owned(),
            sequence: word(&sys, "diskseq"),
            model: [word(&sys, "device/vendor"), word(&sys, "device/model")].join(" ").trim().to_owned(),
            len: word(&sys, "size").parse::<u64>().unwrap_or(0) * BLOCK,
            block: word(&sys, "queue/logical_block_size").parse().ok(),
            removable: word(&sys, "removable") == "1",
            read_only: word(&sys, "ro") == "1",
            part_of: is_part.then(|| sys.parent().map(name_of).unwrap_or_default()),
            partitions: partitions.iter().map(name_of).collect(),
            uses: Vec::new(),
            name,
        };
        for part in std::iter::once(&sys).chain(&partitions) {
            device.uses.extend(uses(part, root)?);
        }
        Ok(device)
    }

    /// Refuses a device that must not be written, or cannot hold `len` bytes.
    pub(super) fn check(&self, len: u64) -> Result<()> {
        let path = self.path.display();
        if let Some(disk) = &self.part_of {
            bail!("{path} is a partition of {disk}, and firmware boots whole disks; name /dev/{disk} if you mean it");
        }
        ensure!(self.uses.is_empty(), "{path} is in use: {}; free it first", self.uses.join("; "));
        ensure!(!self.read_only, "{path} is write-protected");
        if let Some(block) = self.block.filter(|block| *block != BOOTED) {
            bail!(
                "{path} has blocks of {block} bytes, and firmware finds an image on blocks of {BOOTED}; use another disk"
            );
        }
        ensure!(self.len >= len, "{path} is too small: it has {}, and the image needs {}", show(self.len), show(len));
        Ok(())
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let model = if self.model.is_empty() { "a disk that does not name its model" } else { &self.model };
        let removable = if self.removable { "removable" } else { "NOT REMOVABLE: is it a disk of this computer?" };
        write!(f, "{}: {model}, {}, {removable}", self.path.display(), show(self.len))?;
        match self.partitions.as_slice() {
            [] => write!(f, "; no partitions"),
            partitions => write!(f, "; partitions: {}", partitions.join(", ")),
        }
    }
}

/// Why a disk or partition is in use.
fn uses(sys: &Path, root: &Path) -> Result<Vec<String>> {
    let name = name_of(sys);
    let number = word(sys, "dev");
    let read = |path: &str| {
        let path = root.join(path);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    // proc(5): the third field is the device's number, the fifth where it is mounted; behind a dash come the kind and what was
    // mounted. A file system may have a number of its own, as btrfs does.
    let mounts = read("proc/self/mountinfo")?;
    let mounts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let path = format!("/dev/{name}");
    let is_source = |fields: &[&str]| {
        let dash = fields.iter().position(|field| *field == "-");
        dash.and_then(|dash| fields.get(dash + 2)).is_some_and(|source| *source == path)
    };
    let mut uses: Vec<String> = mounts
        .filter(|fields| fields.get(2) == Some(&number.as_str()) || is_source(fields))
        .map(|fields| format!("{name} is mounted at {}", fields.get(4).unwrap_or(&"?")))
        .collect();
    let swaps = read("proc/swaps").unwrap_or_default();
    if swaps.lines().any(|line| line.split_whitespace().next() == Some(path.as_str())) {
        uses.push(format!("{name} is swap space"));
    }
    uses.extend(entries(&sys.join("holders")).iter().map(|holder| format!("{} is built on {name}", name_of(holder))));
    Ok(uses)
}

/// Major and minor number of a device (glibc's `gnu_dev_major` and `gnu_dev_minor`).
fn numbers(device: u64) -> (u64, u64) {
    let major = (device >> 8 & 0xfff) as u32 | (device >> 32 & !0xfff) as u32;
    let minor = (device & 0xff) as u32 | (device >> 12 & !0xff) as u32;
    (major.into(), minor.into())
}

/// A word that a file in /sys says; empty if there is none.
fn word(sys: &Path, file: &str) -> String {
    fs::read_to_string(sys.join(file)).unwrap_or_default().trim().to_owned()
}

fn name_of(path: impl AsRef<Path>) -> String {
    path.as_ref().file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// Bytes as the makers of disks count them.
fn show(len: u64) -> String {
    format!("{}.{:01} GB", len / 1_000_000_000, len / 100_000_000 % 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unfinished::Unfinished;

    const STICK: u64 = 31_000_000_000;

    /// A computer with a stick sdz and its partition sdz1, to be altered.
    fn computer(alter: impl FnOnce(&dyn Fn(&str, &str))) -> Unfinished {
        let folder = Unfinished::folder(&std::env::temp_dir()).expect("there is room");
        let root = folder.path();
        let put = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("there is room");
            fs::write(path, text).expect("there is room");
        };
        for (path, text) in [
            ("sys/block/sdz/dev", "8:400\n"),
            ("sys/block/sdz/size", &(STICK / BLOCK).to_string()),
            ("sys/block/sdz/removable", "1\n"),
            ("sys/block/sdz/ro", "0\n"),
            ("sys/block/sdz/device/vendor", "Sandy   \n"),
            ("sys/block/sdz/device/model", "Stick 3\n"),
            ("sys/block/sdz/sdz1/partition", "1\n"),
            ("sys/block/sdz/sdz1/dev", "8:401\n"),
            ("proc/self/mountinfo", "29 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"),
            ("proc/swaps", "Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n"),
        ] {
            put(path, text);
        }
        fs::create_dir_all(root.join("sys/dev/block")).expect("there is room");
        for (number, target) in [("8:400", "sdz"), ("8:401", "sdz/sdz1")] {
            let link = root.join("sys/dev/block").join(number);
            std::os::unix::fs::symlink(format!("../../block/{target}"), link).expect("there is room");
        }
        alter(&put);
        folder
    }

    fn look(computer: &Unfinished, numbers: (u64, u64)) -> Device {
        Device::numbered(Path::new("/dev/sdz"), numbers, computer.path()).expect("Linux knows it")
    }

    #[track_caller]
    fn expect_refusal(computer: &Unfinished, len: u64, words: &str) {
        let error = look(computer, (8, 400)).check(len).expect_err("it must not be written").to_string();
        assert!(error.contains(words), "{error}");
    }

    #[test]
    fn a_free_stick_is_shown_and_taken() {
        let device = look(&computer(|_| {}), (8, 400));
        let shown = device.to_string();
        assert_eq!(shown, "/dev/sdz: Sandy Stick 3, 31.0 GB, removable; partitions: sdz1");
        assert_eq!(device.name, "sdz");
        assert!(device.check(STICK).is_ok());
    }

    #[test]
    fn a_disk_that_is_in_use_is_refused() {
        let mounts = "29 1 8:1 / / rw - ext4 /dev/sda1 rw\n40 29 8:401 / /media/me rw,nosuid - vfat /dev/sdz1 rw\n";
        expect_refusal(&computer(|put| put("proc/self/mountinfo", mounts)), 1, "in use: sdz1 is mounted at /media/me");
        let swaps = "Filename Type Size Used Priority\n/dev/sdz partition 1 0 -2\n";
        expect_refusal(&computer(|put| put("proc/swaps", swaps)), 1, "in use: sdz is swap space");
        expect_refusal(&computer(|put| put("sys/block/sdz/sdz1/holders/dm-0", "")), 1, "dm-0 is built on sdz1");
    }

    #[test]
    fn a_file_system_with_a_number_of_its_own_is_found_by_what_it_was_mounted_from() {
        let mounts = "40 29 0:51 /@ /media/me rw shared:3 master:1 - btrfs /dev/sdz1 rw,space_cache\n";
        expect_refusal(&computer(|put| put("proc/self/mountinfo", mounts)), 1, "in use: sdz1 is mounted at /media/me");
        let other = "40 29 0:51 / /media/me rw - btrfs /dev/sdz11 rw\n41 29 0:52 / /sdz1 rw - tmpfs sdz1 rw\n";
        assert!(look(&computer(|put| put("proc/self/mountinfo", other)), (8, 400)).check(1).is_ok());
    }

    #[test]
    fn a_disk_with_long_blocks_is_refused() {
        expect_refusal(&computer(|put| put("sys/block/sdz/queue/logical_block_size", "4096\n")), 1, "blocks of 4096");
        let usual = computer(|put| put("sys/block/sdz/queue/logical_block_size", "512\n"));
        assert!(look(&usual, (8, 400)).check(1).is_ok());
    }

    #[test]
    fn another_disk_of_the_same_name_and_kind_is_another() {
        let [first, second] = ["20\n", "21\n"].map(|number| {
            let computer = computer(|put| put("sys/block/sdz/diskseq", number));
            look(&computer, (8, 400))
        });
        assert!(first != second);
        assert!(first == look(&computer(|put| put("sys/block/sdz/diskseq", "20\n")), (8, 400)));
    }

    #[test]
    fn a_disk_that_is_too_small_or_write_protected_is_refused() {
        expect_refusal(&computer(|_| {}), STICK + 1, "too small: it has 31.0 GB, and the image needs 31.0 GB");
        expect_refusal(&computer(|put| put("sys/block/sdz/ro", "1\n")), 1, "write-protected");
    }

    #[test]
    fn a_partition_is_refused_and_its_disk_named() {
        let error = look(&computer(|_| {}), (8, 401)).check(1).expect_err("a partition").to_string();
        assert!(error.contains("is a partition of sdz") && error.contains("name /dev/sdz if"), "{error}");
    }

    #[test]
    fn a_disk_that_cannot_be_taken_out_is_shown_as_such() {
        let computer = computer(|put| put("sys/block/sdz/removable", "0\n"));
        assert!(look(&computer, (8, 400)).to_string().contains("NOT REMOVABLE"));
    }

    #[test]
    fn what_is_no_block_device_is_refused() {
        for path in ["/dev/null", "/etc/passwd", "/"] {
            let error = Device::find(Path::new(path), Path::new("/")).expect_err("no disk").to_string();
            assert!(error.contains("is no disk; `lsblk` lists"), "{error}");
        }
        let error = Device::find(Path::new("/dev/no-such"), Path::new("/")).expect_err("none").to_string();
        assert!(error.contains("cannot find the device"), "{error}");
    }

    #[test]
    fn device_numbers_are_taken_apart_as_the_c_library_does() {
        assert_eq!(numbers(0x0811), (8, 0x11));
        assert_eq!(numbers(0x1234_5000_2367_89ab), (0x1234_5789, 0x0002_36ab));
    }
}
