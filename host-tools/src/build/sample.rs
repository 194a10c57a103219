//! Executables for tests, made without a compiler.

use std::path::Path;

use mayfly_abi::PAGE;
use mayfly_abi::boot::{KERNEL, KERNEL_MAP, LOADER};
use mayfly_abi::domain::PROGRAM_BASE;
use object::Endianness;
use object::elf;
use object::write::elf::{FileHeader, ProgramHeader, Writer};

use super::compose::compose;
use super::manifest::Manifest;
use super::program::Function;

/// A static executable with segments of (address, flags, bytes).
pub(crate) fn elf(entry: u64, segments: &[(u64, u32, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(Endianness::Little, true, &mut out);
    writer.reserve_file_header();
    writer.reserve_program_headers(segments.len() as u32);
    let offsets: Vec<u64> = segments.iter().map(|(_, _, bytes)| writer.reserve(bytes.len() as u64, 16)).collect();
    let header = FileHeader { e_type: elf::ET_EXEC, e_machine: elf::EM_X86_64, e_entry: entry, ..Default::default() };
    writer.write_file_header(&header).expect("a file header");
    writer.write_align_program_headers();
    for ((address, flags, bytes), offset) in segments.iter().zip(&offsets) {
        writer.write_program_header(&ProgramHeader {
            p_type: elf::PT_LOAD,
            p_flags: elf::ProgramFlags(*flags),
            p_offset: *offset,
            p_vaddr: *address,
            p_paddr: *address,
            p_filesz: bytes.len() as u64,
            p_memsz: bytes.len() as u64,
            p_align: 4096,
        });
    }
    for ((_, _, bytes), offset) in segments.iter().zip(&offsets) {
        writer.pad_until(*offset);
        writer.write(bytes);
    }
    out
}

/// The function `name`, of one page of code.
pub(crate) fn function(name: &str) -> Function {
    let manifest = Manifest::parse(&format!("name = \"{name}\""), Path::new("mayfly.toml")).expect("valid");
    Function::new(manifest, &elf(PROGRAM_BASE, &[(PROGRAM_BASE, 5, name.as_bytes())])).expect("valid")
}

/// A loader of one page.
pub(crate) fn loader() -> Vec<u8> {
    elf(LOADER, &[(LOADER, 5, b"loader")])
}

/// A kernel of two pages: text and data.
pub(crate) fn kernel() -> Vec<u8> {
    elf(KERNEL_MAP + KERNEL, &[(KERNEL_MAP + KERNEL, 5, b"text"), (KERNEL_MAP + KERNEL + PAGE, 6, b"data")])
}

/// An image of two functions, `a` and `b`.
pub(crate) fn image() -> Vec<u8> {
    compose(&loader(), &kernel(), &[function("a"), function("b")]).expect("composed")
}
