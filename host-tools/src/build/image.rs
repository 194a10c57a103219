//! Writes ELF files of one note and segments that go where they say: images, which a machine monitor boots, and cores.

use std::iter;

use object::Endianness;
use object::elf::{self, FileType, ProgramFlags, ProgramType};
use object::write::elf::{FileHeader, ProgramHeader, Writer};

/// Type of the note that names the 32-bit entry point (`XEN_ELFNOTE_PHYS32_ENTRY`).
pub(crate) const PVH_NOTE_TYPE: u32 = 18;
/// Owner of that note.
pub(crate) const PVH_NOTE_NAME: &[u8; 4] = b"Xen\0";

/// Where segments may start in the file. Machine monitors and debuggers read the file and do not map it, so they need
/// not lie on pages of it.
const FILE_ALIGN: u64 = 64;

/// Bytes and the address they belong at.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// In an image the physical address, a multiple of a page; in a core the domain's.
    pub address: u64,
    /// Bytes in memory; what is beyond `bytes` starts as zero.
    pub memory_len: u64,
    /// May be written, says the header. In an image nothing enforces it but the page tables.
    pub write: bool,
    /// May be executed, likewise.
    pub execute: bool,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Load {
    /// Data that is all in the file.
    pub(crate) fn data(address: u64, write: bool, bytes: Vec<u8>) -> Self {
        Self { address, memory_len: bytes.len() as u64, write, execute: false, bytes }
    }
}

/// The ELF file that loads `loads` and starts, in 32-bit mode without paging, at physical address `entry`.
pub(crate) fn write(entry: u32, loads: &[Load]) -> Result<Vec<u8>, object::write::Error> {
    write_elf(elf::ET_EXEC, u64::from(entry), pvh_note(entry), loads)
}

/// An ELF file of this kind, of one `PT_NOTE` segment and a `PT_LOAD` for each of `loads`.
pub(crate) fn write_elf(
    kind: FileType,
    entry: u64,
    notes: Vec<u8>,
    loads: &[Load],
) -> Result<Vec<u8>, object::write::Error> {
    let mut out = Vec::new();
    let mut writer = Writer::new(Endianness::Little, true, &mut out);
    writer.reserve_file_header();
    writer.reserve_program_headers(1 + loads.len() as u32);
    let notes_at = writer.reserve(notes.len() as u64, 4);
    let offsets: Vec<u64> = loads.iter().map(|load| writer.reserve(load.bytes.len() as u64, FILE_ALIGN)).collect();

    writer.write_file_header(&FileHeader {
        e_type: kind,
        e_machine: elf::EM_X86_64,
        e_entry: entry,
        ..Default::default()
    })?;
    writer.write_align_program_headers();
    let notes = Load::data(0, false, notes);
    let notes_header = header(elf::PT_NOTE, &notes, notes_at, 4);
    let load_headers = loads.iter().zip(&offsets).map(|(load, &offset)| header(elf::PT_LOAD, load, offset, FILE_ALIGN));
    for header in iter::once(notes_header).chain(load_headers) {
        writer.write_program_header(&header);
    }
    writer.pad_until(notes_at);
    writer.write(&notes.bytes);
    for (load, &offset) in loads.iter().zip(&offsets) {
        writer.pad_until(offset);
        writer.write(&load.bytes);
    }
    Ok(out)
}

fn header(kind: ProgramType, load: &Load, offset: u64, align: u64) -> ProgramHeader {
    let write = if load.write { elf::PF_W.0 } else { 0 };
    let execute = if load.execute { elf::PF_X.0 } else { 0 };
    ProgramHeader {
        p_type: kind,
        p_flags: ProgramFlags(elf::PF_R.0 | write | execute),
        p_offset: offset,
        // An image describes physical memory: there are no other addresses before the loader has run. Of a core only
        // the first counts.
        p_vaddr: load.address,
        p_paddr: load.address,
        p_filesz: load.bytes.len() as u64,
        p_memsz: load.memory_len,
        p_align: align,
    }
}

/// Names the 32-bit entry point.
fn pvh_note(entry: u32) -> Vec<u8> {
    note(PVH_NOTE_NAME, PVH_NOTE_TYPE, &entry.to_le_bytes())
}

/// A note: name length, description length, type, name, description. `name` ends in a zero, and the length of
/// `description` is a multiple of four.
pub(crate) fn note(name: &[u8], kind: u32, description: &[u8]) -> Vec<u8> {
    let mut note = Vec::new();
    for word in [name.len() as u32, description.len() as u32, kind] {
        note.extend_from_slice(&word.to_le_bytes());
    }
    note.extend_from_slice(name);
    note.resize(note.len().next_multiple_of(4), 0);
    note.extend_from_slice(description);
    note
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::elf::read;

    #[test]
    fn what_is_written_reads_back() {
        let code = Load { address: 0x10_0000, memory_len: 4, write: false, execute: true, bytes: b"code".to_vec() };
        let bss = Load { address: 0x10_2000, memory_len: 9000, write: true, execute: false, bytes: vec![] };
        let image = write(0x10_0002, &[code, Load::data(0x10_1000, false, vec![7; 5000]), bss]).expect("written");
        let read = read(&image).expect("readable");
        assert_eq!(read.entry, 0x10_0002);
        assert_eq!(read.notes, [b"\x04\0\0\0\x04\0\0\0\x12\0\0\0Xen\0\x02\0\x10\0"]);
        let found: Vec<_> = read.segments.iter().map(|s| (s.physical, s.bytes.len(), s.memory_len, s.write)).collect();
        assert_eq!(found, [(0x10_0000, 4, 4, false), (0x10_1000, 5000, 5000, false), (0x10_2000, 0, 9000, true)]);
        assert!(image.len() < 5500, "segments lie close together in the file: {}", image.len());
    }
}
