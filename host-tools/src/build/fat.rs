//! The file system that firmware reads: FAT, with the UEFI loader where removable disks have it, the image, and its words.

use std::io::{self, Cursor};

use hadris_fat::format::{FatFormatOptions, FatTypeSelection, FatVolumeFormatter};
use hadris_fat::{Error, FatVolume, FatVolumeReadExt, FatVolumeWriteExt};

/// Bytes of a sector, and of a cluster of FAT32: small files waste little.
pub(super) const SECTOR: u64 = 512;
/// Room beside the files' own: directories, boot sector, and what is left free.
const SPARE: u64 = 256 << 10;
/// FAT32 has at least 65,525 clusters (Microsoft's FAT specification), and two tables of them.
const FAT32_LEAST: u64 = 34 << 20;
/// Up to this length the library takes FAT12, which has at most 4,084 clusters; the specification advises to stay 16 away. The
/// library's own choice of a cluster's size is too small just below where it becomes larger.
const FAT12_LEN: u64 = 32 << 20;
const FAT12_MOST: u64 = 4_084 - 16;

/// Where firmware looks on a disk that it does not know (UEFI 3.5.1.1).
const APPLICATION: &str = "EFI/BOOT/BOOTX64.EFI";
/// Where the loader looks.
pub(crate) const IMAGE: &str = "mayfly.elf";
const COMMAND_LINE: &str = "mayfly.cmd";

/// What goes into the file system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Files<'a> {
    /// The UEFI loader, as a PE file.
    pub application: &'a [u8],
    /// The image.
    pub image: &'a [u8],
    /// Words for the kernel's command line.
    pub command_line: &'a str,
}

/// Which kind of FAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What every firmware reads on every disk.
    Fat32,
    /// The smallest that holds everything, for removable media (UEFI 13.3.1.1).
    Small,
}

/// A file system with `files`, as the bytes of its partition. The same files give the same bytes. `volume_id` is its number.
pub(crate) fn volume(files: &Files<'_>, kind: Kind, volume_id: u32) -> io::Result<Vec<u8>> {
    write(files, kind, volume_id).map_err(failed)
}

fn write(files: &Files<'_>, kind: Kind, volume_id: u32) -> Result<Vec<u8>, Error> {
    let Files { application, image, command_line } = files;
    let content = (application.len() + image.len() + command_line.len()) as u64;
    // Each cluster has an entry of at most 4 bytes in each of two tables.
    let needed = content + content / SECTOR * 8 + SPARE;
    let (least, fat_type) =
        if kind == Kind::Fat32 { (FAT32_LEAST, FatTypeSelection::Fat32) } else { (0, FatTypeSelection::Auto) };
    let len = needed.max(least).next_multiple_of(SPARE);
    let mut options = FatFormatOptions::new(len).volume_label("MAYFLY").volume_id(volume_id).fat_type(fat_type);
    if kind == Kind::Fat32 {
        options = options.sectors_per_cluster(1);
    } else if len <= FAT12_LEN {
        options = options.sectors_per_cluster((len / SECTOR).div_ceil(FAT12_MOST).next_power_of_two() as u8);
    }
    let mut bytes = vec![0; len as usize];
    let system = FatVolumeFormatter::format(Cursor::new(bytes.as_mut_slice()), options)?;
    for (path, bytes) in [(APPLICATION, *application), (IMAGE, image), (COMMAND_LINE, command_line.as_bytes())] {
        let mut dir = system.root_dir();
        let mut names: Vec<&str> = path.split('/').collect();
        let name = names.pop().unwrap_or_default();
        for folder in names {
            dir = system.create_dir(&dir, folder)?;
        }
        let entry = system.create_file(&dir, name)?;
        let mut writer = system.write_file(&entry)?;
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = &rest[writer.write(rest)?..];
        }
        writer.finish()?;
    }
    drop(system);
    Ok(bytes)
}

/// The image in a file system that [`volume`] made.
pub(crate) fn image_in(volume: &[u8]) -> io::Result<Vec<u8>> {
    read(volume, IMAGE).map_err(failed)
}

/// The library's errors are none of the standard library's, without its clock.
fn failed(error: Error) -> io::Error {
    io::Error::other(error.to_string())
}

fn read(volume: &[u8], path: &str) -> Result<Vec<u8>, Error> {
    let system = FatVolume::open(Cursor::new(volume))?;
    let entry = system.open_path(path)?;
    let mut bytes = vec![0; entry.len() as usize];
    let mut reader = system.read_file(&entry)?;
    let mut len = 0;
    while len < bytes.len() {
        match reader.read(&mut bytes[len..])? {
            0 => break,
            more => len += more,
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadris_fat::FatType;

    const FILES: Files<'_> = Files { application: b"MZ...", image: &[7; 70_000], command_line: "ip=10.0.0.2/24" };

    #[test]
    fn every_file_is_where_firmware_and_loader_look() {
        for (kind, fat) in [(Kind::Fat32, FatType::Fat32), (Kind::Small, FatType::Fat12)] {
            let volume = volume(&FILES, kind, 7).expect("written");
            let read = |path| read(&volume, path).expect("a file");
            assert_eq!(read("EFI/BOOT/BOOTX64.EFI"), FILES.application);
            assert_eq!(read("mayfly.elf"), FILES.image);
            assert_eq!(read("mayfly.cmd"), FILES.command_line.as_bytes());
            let system = FatVolume::open(Cursor::new(volume.as_slice())).expect("a file system");
            assert_eq!((system.fat_type(), system.volume_info().volume_id()), (fat, 7));
        }
    }

    #[test]
    fn large_images_get_the_room_that_they_need() {
        // Among them those that nearly fill a kind of FAT, or a size of its clusters.
        for kibibytes in [2 << 10, 3 << 10, 4 << 10, 8 << 10, 16 << 10, 32_000, 33 << 10, 50 << 10] {
            let image = vec![1; kibibytes << 10];
            for kind in [Kind::Fat32, Kind::Small] {
                let volume = volume(&Files { image: &image, ..FILES }, kind, 1).expect("written");
                assert!(image_in(&volume).expect("a file") == image, "{kibibytes} KiB as {kind:?}");
            }
        }
    }

    #[test]
    fn the_same_files_give_the_same_bytes() {
        assert!(volume(&FILES, Kind::Fat32, 1).expect("written") == volume(&FILES, Kind::Fat32, 1).expect("written"));
    }
}
