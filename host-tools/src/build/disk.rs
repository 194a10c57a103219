//! A whole disk: a GUID partition table with one EFI system partition. To be written to a USB stick, or given to QEMU.

use std::collections::BTreeMap;
use std::io::{self, Cursor};

use gpt::disk::LogicalBlockSize;
use gpt::mbr::ProtectiveMBR;
use gpt::partition::Partition;
use gpt::{GptConfig, partition_types};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::fat::{self, Files, Kind, SECTOR};

/// The partition starts here, where every kind of disk has the start of a block of its own.
const START: u64 = 1 << 20;
/// Behind the partition: the second copy of the table, and the rest of a MiB.
const END: u64 = 1 << 20;

/// Why no disk can be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiskError {
    /// The file system could not be written in memory.
    #[error("the file system of the disk cannot be written")]
    Fat(#[from] io::Error),
    /// Neither could the partition table.
    #[error("the partition table of the disk cannot be written: {0}")]
    Gpt(String),
}

/// The bytes of a disk with `files`. The same files give the same bytes, numbers included that should be unique: they are
/// made of what is on the disk.
pub(crate) fn write(files: &Files<'_>) -> Result<Vec<u8>, DiskError> {
    let identity = identity(files);
    let volume_id = u32::from_le_bytes([identity[0], identity[1], identity[2], identity[3]]);
    let volume = fat::volume(files, Kind::Fat32, volume_id)?;
    let len = (START + volume.len() as u64 + END).next_multiple_of(1 << 20);
    let mut disk = Cursor::new(vec![0; len as usize]);

    let failed = |error: &dyn std::fmt::Display| DiskError::Gpt(error.to_string());
    let mbr = ProtectiveMBR::with_lb_size((len / SECTOR - 1).try_into().unwrap_or(u32::MAX));
    mbr.overwrite_lba0(&mut disk).map_err(|error| failed(&error))?;
    let config = GptConfig::new().writable(true).logical_block_size(LogicalBlockSize::Lb512);
    let [disk_id, partition_id] = [0, 16].map(|at| unique(&identity[at..at + 16]));
    let mut table = config.create_from_device(disk, Some(disk_id)).map_err(|error| failed(&error))?;
    let first_lba = START / SECTOR;
    let partition = Partition {
        part_type_guid: partition_types::EFI,
        part_guid: partition_id,
        first_lba,
        last_lba: first_lba + volume.len() as u64 / SECTOR - 1,
        flags: 0,
        name: "Mayfly".to_owned(),
    };
    table.update_partitions(BTreeMap::from([(1, partition)])).map_err(|error| failed(&error))?;
    let disk = table.write().map_err(|error| failed(&error))?;
    let mut bytes = disk.into_inner();
    bytes[START as usize..][..volume.len()].copy_from_slice(&volume);
    Ok(bytes)
}

/// The image on a disk that [`write`] made; `None` if the bytes are no disk.
pub(crate) fn image_in(bytes: &[u8]) -> Option<io::Result<Vec<u8>>> {
    if bytes.get(SECTOR as usize..).is_none_or(|table| !table.starts_with(b"EFI PART")) {
        return None;
    }
    let read = || {
        let table = GptConfig::new().open_from_device(Cursor::new(bytes.to_vec())).map_err(io::Error::other)?;
        let partition = table.partitions().values().find(|partition| partition.part_type_guid == partition_types::EFI);
        let partition = partition.ok_or_else(|| io::Error::other("it has no EFI system partition"))?;
        let volume = bytes.get((partition.first_lba * SECTOR) as usize..((partition.last_lba + 1) * SECTOR) as usize);
        let volume = volume.ok_or_else(|| io::Error::other("its partition is cut off"))?;
        fat::image_in(volume)
    };
    Some(read())
}

/// A number that only a disk with these files has.
pub(super) fn identity(files: &Files<'_>) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in [files.application, files.image, files.command_line.as_bytes()] {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

fn unique(bytes: &[u8]) -> Uuid {
    let mut number = [0; 16];
    number.copy_from_slice(bytes);
    uuid::Builder::from_custom_bytes(number).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: Files<'_> = Files { application: b"MZ...", image: &[7; 70_000], command_line: "" };

    #[test]
    fn both_copies_of_the_table_name_one_system_partition_that_holds_the_files() {
        let disk = write(&FILES).expect("written");
        assert_eq!(disk[510..512], [0x55, 0xaa]);
        let table = GptConfig::new().open_from_device(Cursor::new(disk.clone())).expect("a table");
        assert!(table.primary_header().is_ok() && table.backup_header().is_ok());
        let partitions: Vec<_> = table.partitions().values().filter(|partition| partition.is_used()).collect();
        let [partition] = partitions.as_slice() else { panic!("{partitions:?}") };
        assert_eq!((&partition.part_type_guid, partition.name.as_str()), (&partition_types::EFI, "Mayfly"));
        assert_eq!(image_in(&disk).expect("a disk").expect("readable"), FILES.image);
        assert!(image_in(b"\x7fELF").is_none() && image_in(&disk[..2 << 20]).expect("a disk").is_err());
    }

    #[test]
    fn the_same_files_give_the_same_bytes_and_others_other_numbers() {
        let disk = write(&FILES).expect("written");
        assert!(disk == write(&FILES).expect("written"));
        let other = write(&Files { command_line: "x", ..FILES }).expect("written");
        let number = 512 + 56..512 + 72;
        assert_ne!(disk[number.clone()], other[number], "the disk's GUID");
    }
}
