//! Reads static x86-64 executables (functions, loader, kernel, images) into their load segments.

use std::ops::Range;

use mayfly_abi::{PAGE, page_up};
use object::LittleEndian;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader, Sym};

/// A static x86-64 executable: what of it is loaded, and where it starts.
#[derive(Debug)]
pub(crate) struct Executable<'a> {
    /// Address of the entry point.
    pub entry: u64,
    /// Its non-empty `PT_LOAD` segments, in the file's order.
    pub segments: Vec<Segment<'a>>,
    /// Contents of its `PT_NOTE` segments.
    pub notes: Vec<&'a [u8]>,
}

/// One `PT_LOAD` segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment<'a> {
    /// Virtual address.
    pub address: u64,
    /// Physical address.
    pub physical: u64,
    /// Bytes in memory; what is beyond `bytes` starts as zero.
    pub memory_len: u64,
    /// May be written.
    pub write: bool,
    /// May be executed.
    pub execute: bool,
    /// Its bytes in the file.
    pub bytes: &'a [u8],
}

/// Why a file is not an executable that can be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ElfError {
    /// It does not start like one.
    #[error("it is not an ELF file")]
    NotElf,
    /// Built for another processor.
    #[error("it is for another machine (ELF machine {0}); build it for x86-64 (ELF machine 62)")]
    WrongMachine(u16),
    /// 32-bit or big-endian.
    #[error("it is not a 64-bit little-endian ELF file; build it for x86-64")]
    WrongClass,
    /// Needs an interpreter or relocation at run time.
    #[error("it is dynamic or position-independent; link it with `-static -no-pie`")]
    Dynamic,
    /// An object file or a core dump.
    #[error("it is an ELF file but not an executable (type {0}); link it first")]
    NotExecutable(u16),
    /// Uses thread-local storage, which nothing sets up.
    #[error("it uses thread-local storage, which there is not; use plain statics")]
    ThreadLocal,
    /// A header or segment lies outside the file, or contradicts itself.
    #[error("it is truncated or damaged: {0}; build it again")]
    Damaged(&'static str),
    /// A segment does not start on a page.
    #[error("its segment at {address:#x} does not start on a page; link it with the linker script of the source tree")]
    Unaligned {
        /// Where the segment starts.
        address: u64,
    },
    /// A segment lies where it must not.
    #[error(
        "its segment {address:#x}..{end:#x} does not lie in {:#x}..{:#x}; link it with the linker script of the source \
         tree, and make it smaller if it does not fit", room.start, room.end
    )]
    Outside {
        /// Where the segment starts.
        address: u64,
        /// Where it ends.
        end: u64,
        /// Where it should be.
        room: Range<u64>,
    },
    /// A segment could be written and executed.
    #[error("its segment at {address:#x} is both writable and executable; keep code and data apart")]
    WritableCode {
        /// Where the segment starts.
        address: u64,
    },
    /// Two segments share a page.
    #[error("its segment at {address:#x} shares a page with another; align segments to pages")]
    Overlap {
        /// Where the second segment starts.
        address: u64,
    },
    /// The entry point is not in code.
    #[error("its entry point {0:#x} does not lie in an executable segment; is `_start` there?")]
    BadEntry(u64),
}

impl Executable<'_> {
    /// Checks what the image asks of everything in it: whole pages inside `room`, none writable and executable, none
    /// in two segments, and an entry point in code.
    pub(crate) fn check_placement(&self, room: Range<u64>) -> Result<(), ElfError> {
        for (at, segment) in self.segments.iter().enumerate() {
            let (address, end) = (segment.address, segment.end());
            if !address.is_multiple_of(PAGE) {
                return Err(ElfError::Unaligned { address });
            }
            if address < room.start || end > room.end {
                return Err(ElfError::Outside { address, end, room });
            }
            if segment.write && segment.execute {
                return Err(ElfError::WritableCode { address });
            }
            if self.segments[..at].iter().any(|other| address < page_up(other.end()) && other.address < page_up(end)) {
                return Err(ElfError::Overlap { address });
            }
        }
        let is_entry = |segment: &&Segment<'_>| {
            segment.execute && self.entry.wrapping_sub(segment.address) < segment.bytes.len() as u64
        };
        match self.segments.iter().find(is_entry) {
            Some(_) => Ok(()),
            None => Err(ElfError::BadEntry(self.entry)),
        }
    }
}

impl Segment<'_> {
    /// First address behind it.
    pub(crate) fn end(&self) -> u64 {
        // `read` has refused segments for which this wraps.
        self.address + self.memory_len
    }
}

/// Address of the symbol `name` in an executable that [`read`] has taken; none if it has no such symbol.
pub(crate) fn symbol(bytes: &[u8], name: &str) -> Option<u64> {
    let header = FileHeader64::<LittleEndian>::parse(bytes).ok()?;
    let sections = header.sections(LittleEndian, bytes).ok()?;
    let symbols = sections.symbols(LittleEndian, bytes, elf::SHT_SYMTAB).ok()?;
    let found = symbols.iter().find(|symbol| symbol.name(LittleEndian, symbols.strings()) == Ok(name.as_bytes()))?;
    Some(found.st_value(LittleEndian))
}

/// Reads `bytes` as a static x86-64 executable.
pub(crate) fn read(bytes: &[u8]) -> Result<Executable<'_>, ElfError> {
    if !bytes.starts_with(&elf::ELFMAG) {
        return Err(ElfError::NotElf);
    }
    // Class, byte order and machine lie at the same place in every ELF file, so they are told apart before the rest.
    let ident = bytes.get(..20).ok_or(ElfError::Damaged("its header is cut off"))?;
    let wide = ident[4] == elf::ELFCLASS64.0 && ident[5] == elf::ELFDATA2LSB.0;
    let machine = if ident[5] == elf::ELFDATA2LSB.0 {
        u16::from_le_bytes([ident[18], ident[19]])
    } else {
        u16::from_be_bytes([ident[18], ident[19]])
    };
    if machine != elf::EM_X86_64.0 {
        return Err(ElfError::WrongMachine(machine));
    }
    if !wide {
        return Err(ElfError::WrongClass);
    }

    let header = FileHeader64::<LittleEndian>::parse(bytes).map_err(|_| ElfError::Damaged("its header is cut off"))?;
    match header.e_type(LittleEndian) {
        elf::ET_EXEC => {}
        elf::ET_DYN => return Err(ElfError::Dynamic),
        other => return Err(ElfError::NotExecutable(other.0)),
    }
    let headers = header
        .program_headers(LittleEndian, bytes)
        .map_err(|_| ElfError::Damaged("its program headers lie outside the file"))?;
    let mut read = Executable { entry: header.e_entry(LittleEndian), segments: Vec::new(), notes: Vec::new() };
    for header in headers {
        let data =
            || header.data(LittleEndian, bytes).map_err(|()| ElfError::Damaged("a segment lies outside the file"));
        match header.p_type(LittleEndian) {
            elf::PT_INTERP | elf::PT_DYNAMIC => return Err(ElfError::Dynamic),
            elf::PT_TLS => return Err(ElfError::ThreadLocal),
            elf::PT_NOTE => read.notes.push(data()?),
            elf::PT_LOAD if header.p_memsz(LittleEndian) > 0 => {
                let (flags, bytes) = (header.p_flags(LittleEndian), data()?);
                let (address, memory_len) = (header.p_vaddr(LittleEndian), header.p_memsz(LittleEndian));
                if memory_len < bytes.len() as u64 {
                    return Err(ElfError::Damaged("a segment is longer in the file than in memory"));
                }
                if address.checked_add(memory_len).is_none() {
                    return Err(ElfError::Damaged("a segment wraps around the end of memory"));
                }
                read.segments.push(Segment {
                    address,
                    physical: header.p_paddr(LittleEndian),
                    memory_len,
                    write: flags.0 & elf::PF_W.0 != 0,
                    execute: flags.0 & elf::PF_X.0 != 0,
                    bytes,
                });
            }
            _ => {}
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::sample;

    #[test]
    fn a_static_executable_is_read() {
        let bytes = sample::elf(0x1000, &[(0x1000, 5, b"code"), (0x2000, 6, b"data")]);
        let read = read(&bytes).expect("valid");
        assert_eq!(read.entry, 0x1000);
        assert_eq!(read.segments.len(), 2);
        assert_eq!((read.segments[0].execute, read.segments[0].write), (true, false));
        assert_eq!((read.segments[1].execute, read.segments[1].write), (false, true));
        assert_eq!(read.segments[1].bytes, b"data");
        assert_eq!(read.check_placement(0x1000..0x3000), Ok(()));
    }

    #[test]
    fn what_is_no_static_x86_64_executable_is_told_apart() {
        let good = sample::elf(0x1000, &[(0x1000, 5, b"code")]);
        let with = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            read(&bytes).expect_err("damaged")
        };
        assert_eq!(read(b"#!/bin/sh").expect_err("script"), ElfError::NotElf);
        assert_eq!(with(4, 1), ElfError::WrongClass);
        assert_eq!(with(18, 183), ElfError::WrongMachine(183));
        assert_eq!(with(16, 3), ElfError::Dynamic);
        assert_eq!(with(16, 1), ElfError::NotExecutable(1));
        let program_header = 64;
        assert_eq!(with(program_header, 2), ElfError::Dynamic, "PT_DYNAMIC");
        assert_eq!(with(program_header, 3), ElfError::Dynamic, "PT_INTERP");
        assert_eq!(with(program_header, 7), ElfError::ThreadLocal);
    }

    #[test]
    fn no_truncation_is_read_as_whole() {
        let good = sample::elf(0x1000, &[(0x1000, 5, b"code"), (0x2000, 6, b"data")]);
        for len in 0..good.len() {
            assert!(read(&good[..len]).is_err(), "the first {len} of {} bytes", good.len());
        }
    }

    #[test]
    fn misplaced_segments_are_refused() {
        let check = |entry: u64, segments: &[(u64, u32, &[u8])]| {
            let bytes = sample::elf(entry, segments);
            read(&bytes).expect("readable").check_placement(0x1000..0x4000).map_err(|error| error.to_string())
        };
        let error = check(0x1010, &[(0x1010, 5, b"code")]).expect_err("unaligned");
        assert!(error.contains("0x1010 does not start on a page"), "{error}");
        let error = check(0x0, &[(0x0, 5, b"code")]).expect_err("below");
        assert!(error.contains("0x0..0x4 does not lie in 0x1000..0x4000"), "{error}");
        let error = check(0x3000, &[(0x3000, 5, &[0; 0x1001])]).expect_err("above");
        assert!(error.contains("0x3000..0x4001 does not lie in"), "{error}");
        let error = check(0x1000, &[(0x1000, 7, b"code")]).expect_err("writable and executable");
        assert!(error.contains("both writable and executable"), "{error}");
        let error = check(0x1000, &[(0x1000, 5, &[0; 0x1001]), (0x2000, 6, b"data")]).expect_err("overlapping");
        assert!(error.contains("0x2000 shares a page"), "{error}");
        let error = check(0x2000, &[(0x1000, 5, b"code"), (0x2000, 6, b"data")]).expect_err("entry in data");
        assert!(error.contains("entry point 0x2000"), "{error}");
        assert!(check(0x1004, &[(0x1000, 5, b"code")]).is_err(), "the entry point is behind the code");
    }
}
