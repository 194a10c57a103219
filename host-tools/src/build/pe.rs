//! Turns the UEFI loader, a static position-independent ELF executable, into the PE file that firmware loads.
//!
//! The toolchain has no UEFI target, and the linker that comes with it writes no PE file from ELF objects. So the segments
//! become sections, a page behind where they were because a PE file's headers are loaded too, and the relative relocations
//! become base relocations. `object` writes the file.

use object::elf::{self, FileHeader64};
use object::pe;
use object::read::elf::{FileHeader, ProgramHeader, Rela, SectionHeader};
use object::write::pe::{NtHeaders, Writer};
use object::{LittleEndian, SectionIndex};

/// How far behind its place in the ELF file a byte is loaded.
const SHIFT: u64 = 0x1000;
const SECTION_ALIGN: u32 = 0x1000;
const FILE_ALIGN: u32 = 0x200;
/// Data directories that a PE file always has.
const DIRECTORIES: usize = 16;

/// Why an executable cannot become an EFI application.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PeError {
    /// Damaged, or not what the linker makes of the loader.
    #[error("it is not a position-independent x86-64 executable: {0}")]
    Elf(&'static str),
    /// Something other than a distance from where it is loaded.
    #[error("it has a relocation of type {0}, and only relative ones (type 8) can be turned into those of a PE file")]
    Relocation(u32),
    /// The file could not be written in memory.
    #[error("the PE file cannot be written: {0}")]
    Write(String),
}

/// A segment, as a section.
struct Part {
    address: u64,
    memory_len: u64,
    bytes: Vec<u8>,
    write: bool,
    execute: bool,
}

/// The EFI application made of an ELF executable. The same input gives the same bytes.
pub(crate) fn application(program: &[u8]) -> Result<Vec<u8>, PeError> {
    let header = FileHeader64::<LittleEndian>::parse(program).map_err(|_| PeError::Elf("its header is cut off"))?;
    if header.e_type(LittleEndian) != elf::ET_DYN || header.e_machine(LittleEndian) != elf::EM_X86_64 {
        return Err(PeError::Elf("its type or machine is another"));
    }
    let mut parts = parts(header, program)?;
    let places = relocate(header, program, &mut parts)?;
    write(header.e_entry(LittleEndian), &parts, &places)
}

fn parts(header: &FileHeader64<LittleEndian>, program: &[u8]) -> Result<Vec<Part>, PeError> {
    let headers =
        header.program_headers(LittleEndian, program).map_err(|_| PeError::Elf("its program headers are cut off"))?;
    let loads = headers.iter().filter(|header| header.p_type(LittleEndian) == elf::PT_LOAD);
    loads
        .map(|load| {
            let bytes = load.data(LittleEndian, program).map_err(|()| PeError::Elf("a segment is cut off"))?;
            let flags = load.p_flags(LittleEndian);
            // Sections start on pages; what is before a segment on its first page is padding.
            let address = load.p_vaddr(LittleEndian);
            let lead = address % SHIFT;
            Ok(Part {
                address: address - lead,
                memory_len: lead + load.p_memsz(LittleEndian),
                bytes: [vec![0; lead as usize].as_slice(), bytes].concat(),
                write: flags.0 & elf::PF_W.0 != 0,
                execute: flags.0 & elf::PF_X.0 != 0,
            })
        })
        .collect()
}

/// Writes what each relocation stands for, as for an image loaded at 0, and gives their addresses.
fn relocate(header: &FileHeader64<LittleEndian>, program: &[u8], parts: &mut [Part]) -> Result<Vec<u64>, PeError> {
    let mut places = Vec::new();
    let sections =
        header.section_headers(LittleEndian, program).map_err(|_| PeError::Elf("its section headers are cut off"))?;
    for section in sections {
        let Ok(Some((relocations, _))) = section.rela(LittleEndian, program) else { continue };
        if section.info_link(LittleEndian) != SectionIndex(0) {
            continue;
        }
        for relocation in relocations {
            let kind = relocation.r_type(LittleEndian, false);
            if kind != elf::R_X86_64_RELATIVE {
                return Err(PeError::Relocation(kind.0));
            }
            let place = relocation.r_offset(LittleEndian);
            let value = relocation.r_addend(LittleEndian) as u64 + SHIFT;
            let slot = parts.iter_mut().find_map(|part| {
                let at = usize::try_from(place.checked_sub(part.address)?).ok()?;
                part.bytes.get_mut(at..at.checked_add(8)?)
            });
            slot.ok_or(PeError::Elf("a relocation lies outside its segments"))?.copy_from_slice(&value.to_le_bytes());
            places.push(place + SHIFT);
        }
    }
    places.sort_unstable();
    Ok(places)
}

fn write(entry: u64, parts: &[Part], places: &[u64]) -> Result<Vec<u8>, PeError> {
    let failed = |error: object::write::Error| PeError::Write(error.to_string());
    let mut out = Vec::new();
    let mut writer = Writer::new(true, SECTION_ALIGN, FILE_ALIGN, &mut out);
    writer.reserve_dos_header();
    writer.reserve_nt_headers(DIRECTORIES);
    writer.reserve_section_headers(parts.len() as u16 + u16::from(!places.is_empty()));
    let mut offsets = Vec::new();
    for part in parts {
        writer.reserve_virtual_until((part.address + SHIFT) as u32);
        let (name, kind) = match (part.execute, part.write) {
            (true, _) => (*b".text\0\0\0", pe::IMAGE_SCN_CNT_CODE | pe::IMAGE_SCN_MEM_EXECUTE),
            (false, true) => (*b".data\0\0\0", pe::IMAGE_SCN_CNT_INITIALIZED_DATA | pe::IMAGE_SCN_MEM_WRITE),
            (false, false) => (*b".rdata\0\0", pe::IMAGE_SCN_CNT_INITIALIZED_DATA),
        };
        let flags = kind | pe::IMAGE_SCN_MEM_READ;
        let range = writer.reserve_section(name, flags, part.memory_len as u32, part.bytes.len() as u32);
        offsets.push(range.file_offset);
    }
    for place in places {
        writer.add_reloc(*place as u32, pe::IMAGE_REL_BASED_DIR64);
    }
    if writer.has_relocs() {
        writer.reserve_reloc_section();
    }
    writer.write_empty_dos_header().map_err(failed)?;
    writer.write_nt_headers(NtHeaders {
        machine: pe::IMAGE_FILE_MACHINE_AMD64,
        time_date_stamp: 0,
        characteristics: pe::IMAGE_FILE_EXECUTABLE_IMAGE | pe::IMAGE_FILE_LARGE_ADDRESS_AWARE,
        major_linker_version: 0,
        minor_linker_version: 0,
        address_of_entry_point: (entry + SHIFT) as u32,
        image_base: 0,
        major_operating_system_version: 0,
        minor_operating_system_version: 0,
        major_image_version: 0,
        minor_image_version: 0,
        major_subsystem_version: 0,
        minor_subsystem_version: 0,
        subsystem: pe::IMAGE_SUBSYSTEM_EFI_APPLICATION,
        // Neither code that is written to nor data that is executed: firmware may hold it to that.
        dll_characteristics: pe::IMAGE_DLLCHARACTERISTICS_NX_COMPAT | pe::IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE,
        size_of_stack_reserve: 0,
        size_of_stack_commit: 0,
        size_of_heap_reserve: 0,
        size_of_heap_commit: 0,
    });
    writer.write_section_headers();
    for (part, offset) in parts.iter().zip(offsets) {
        writer.write_section(offset, &part.bytes);
    }
    if !places.is_empty() {
        writer.write_reloc_section();
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use object::read::pe::PeFile64;
    use object::{Object, ObjectSection};

    /// An executable as the linker makes it of the loader: code, and data of which a word is the code's address.
    fn sample(kind: u32, place: u64) -> Vec<u8> {
        use object::write::elf::{FileHeader, ProgramHeader, Rel, SectionHeader, Writer};
        let mut out = Vec::new();
        let mut writer = Writer::new(object::Endianness::Little, true, &mut out);
        writer.reserve_file_header();
        writer.reserve_program_headers(2);
        let code = writer.reserve(16, 16);
        let data = writer.reserve(24, 16);
        let relocations = writer.reserve(24, 8);
        writer.reserve_null_section_index();
        writer.reserve_section_index();
        writer.reserve_shstrtab_section_index();
        writer.reserve_shstrtab().expect("there is room");
        writer.reserve_section_headers();
        let header =
            FileHeader { e_type: elf::ET_DYN, e_machine: elf::EM_X86_64, e_entry: 0x604, ..Default::default() };
        writer.write_file_header(&header).expect("a header");
        writer.write_align_program_headers();
        let load = |flags: u32, offset, address, len, memory_len| ProgramHeader {
            p_type: elf::PT_LOAD,
            p_flags: elf::ProgramFlags(flags),
            p_offset: offset,
            p_vaddr: address,
            p_paddr: address,
            p_filesz: len,
            p_memsz: memory_len,
            p_align: 0x1000,
        };
        writer.write_program_header(&load(5, code, 0x600, 16, 16));
        writer.write_program_header(&load(6, data, 0x1620, 24, 64));
        writer.pad_until(code);
        writer.write(&[0x90; 16]);
        writer.pad_until(data);
        writer.write(&[0xdd; 24]);
        writer.pad_until(relocations);
        let relocation = Rel { r_offset: place, r_sym: 0, r_type: elf::RelocationType(kind), r_addend: 0x608 };
        writer.write_relocation(true, &relocation);
        writer.write_shstrtab();
        writer.write_null_section_header();
        writer.write_section_header(&SectionHeader {
            sh_type: elf::SHT_RELA,
            sh_offset: relocations,
            sh_size: 24,
            sh_entsize: 24,
            ..Default::default()
        });
        writer.write_shstrtab_section_header();
        out
    }

    #[test]
    fn segments_become_sections_and_relocations_what_firmware_applies() {
        let bytes = application(&sample(8, 0x1628)).expect("an application");
        let file = PeFile64::parse(&*bytes).expect("a PE file");
        let sections: Vec<_> =
            file.sections().map(|section| (section.name().expect("ASCII").to_owned(), section.address())).collect();
        let named = |name: &str, address| (name.to_owned(), address);
        assert_eq!(sections, [named(".text", 0x1000), named(".data", 0x2000), named(".reloc", 0x3000)]);
        assert_eq!(file.entry(), 0x1604);
        let data = file.section_by_name(".data").expect("data").data().expect("in the file");
        let value = u64::from_le_bytes(data[0x628..0x630].try_into().expect("eight bytes"));
        assert_eq!((value, data[0x620], data[0x630]), (0x1608, 0xdd, 0xdd));
        let blocks = file.data_directories().relocation_blocks(&*bytes, &file.section_table());
        let blocks = blocks.expect("relocations").expect("relocations");
        let places: Vec<_> = blocks.flat_map(|block| block.expect("whole")).collect();
        let [place] = places.as_slice() else { panic!("one relocation, not {}", places.len()) };
        assert_eq!((place.virtual_address, place.typ), (0x2628, pe::IMAGE_REL_BASED_DIR64));
    }

    #[test]
    fn what_cannot_be_turned_into_a_pe_file_is_refused() {
        assert_eq!(application(&sample(6, 0x1628)), Err(PeError::Relocation(6)));
        let outside = application(&sample(8, 0x1700)).expect_err("behind the data's bytes");
        assert!(outside.to_string().contains("outside its segments"), "{outside}");
        let fixed = crate::build::sample::elf(0x1000, &[(0x1000, 5, b"code")]);
        assert!(application(&fixed).is_err_and(|error| error.to_string().contains("position-independent")));
        let whole = sample(8, 0x1628);
        assert!((0..whole.len() - 64).all(|len| application(&whole[..len]).is_err()));
    }
}
