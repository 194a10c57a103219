//! A function's program: its segments, checked against the map of its domain and the limits of its manifest.

use mayfly_abi::domain::{PROGRAM_BASE, PROGRAM_END};
use mayfly_abi::image::SEGMENTS;
use mayfly_abi::{PAGE, page_up};

use super::elf::{self, ElfError, Segment};
use super::manifest::Manifest;
use super::quantity::show_size;

/// Symbol of the initialisation, which the SDK gives to functions that have one.
const INIT: &str = "mayfly_init";

/// A function, ready to be put into an image.
#[derive(Clone, Debug)]
pub struct Function {
    /// What its manifest says.
    pub manifest: Manifest,
    /// Address of its entry point.
    pub entry: u64,
    /// Address of its initialisation; 0 if it has none.
    pub init: u64,
    /// Its memory, by address; at most [`SEGMENTS`].
    pub segments: Vec<Memory>,
}

/// One run of a function's memory.
#[derive(Clone, Debug)]
pub struct Memory {
    /// First address in the domain, a multiple of a page.
    pub address: u64,
    /// Bytes in memory; what is beyond `bytes` starts as zero.
    pub memory_len: u32,
    /// May be written: private to each domain.
    pub write: bool,
    /// May be executed.
    pub execute: bool,
    /// What it starts as.
    pub bytes: Vec<u8>,
}

/// Why a program cannot be a function.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// Not a static executable at the place where functions lie.
    #[error(transparent)]
    Elf(#[from] ElfError),
    /// More segments than a record holds.
    #[error("it has {0} segments, but at most {SEGMENTS} are possible; link it with sdk/function.ld")]
    TooManySegments(usize),
    /// Read-only memory that is not in the file. It is mapped from the image, so there is nothing to map.
    #[error("its read-only segment at {0:#x} has pages that are not in the file; make that data constant or writable")]
    UnbackedConstants(u64),
    /// Its static data alone is beyond its limit.
    #[error(
        "its static data and one page of stack take {}, but its manifest allows {}; raise `memory` or use less",
        show_size(*.needed), show_size(*.allowed)
    )]
    DataTooBig {
        /// Bytes of writable segments and one page of stack.
        needed: u64,
        /// Bytes that the manifest allows.
        allowed: u64,
    },
}

impl Function {
    /// Reads `program`, an ELF executable, as the function that `manifest` describes.
    pub fn new(manifest: Manifest, program: &[u8]) -> Result<Self, ProgramError> {
        let init = elf::symbol(program, INIT).unwrap_or(0);
        let mut program = elf::read(program)?;
        program.check_placement(PROGRAM_BASE..PROGRAM_END)?;
        if program.segments.len() > SEGMENTS {
            return Err(ProgramError::TooManySegments(program.segments.len()));
        }
        let unbacked = |segment: &&Segment<'_>| {
            !segment.write && page_up(segment.memory_len) != page_up(segment.bytes.len() as u64)
        };
        if let Some(segment) = program.segments.iter().find(unbacked) {
            return Err(ProgramError::UnbackedConstants(segment.address));
        }
        let data: u64 = program.segments.iter().filter(|segment| segment.write).map(|s| page_up(s.memory_len)).sum();
        let needed = data + PAGE;
        if needed > manifest.memory {
            return Err(ProgramError::DataTooBig { needed, allowed: manifest.memory });
        }
        program.segments.sort_by_key(|segment| segment.address);
        let segments = program.segments.iter().map(|segment| Memory {
            address: segment.address,
            // Fits: it lies below PROGRAM_END.
            memory_len: segment.memory_len as u32,
            write: segment.write,
            execute: segment.execute,
            bytes: segment.bytes.to_vec(),
        });
        Ok(Self { manifest, entry: program.entry, init, segments: segments.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::sample;
    use std::path::Path;

    const TEXT: (u64, u32, &[u8]) = (PROGRAM_BASE, 5, b"code");

    fn function(segments: &[(u64, u32, &[u8])]) -> Result<Function, String> {
        let text = "name = \"f\"\nmemory = \"64K\"";
        let manifest = Manifest::parse(text, Path::new("f/mayfly.toml")).expect("valid");
        Function::new(manifest, &sample::elf(PROGRAM_BASE, segments)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_program_at_its_place_is_taken() {
        let function = function(&[TEXT, (PROGRAM_BASE + 0x2000, 6, b"data"), (PROGRAM_BASE + 0x1000, 4, b"constants")])
            .expect("valid");
        let addresses: Vec<u64> = function.segments.iter().map(|memory| memory.address).collect();
        assert_eq!(addresses, [PROGRAM_BASE, PROGRAM_BASE + 0x1000, PROGRAM_BASE + 0x2000]);
        assert_eq!(function.entry, PROGRAM_BASE);
    }

    #[test]
    fn a_program_outside_its_place_is_refused() {
        let error = function(&[TEXT, (PROGRAM_END, 6, b"data")]).expect_err("behind the end");
        assert!(error.contains("does not lie in 0x241000..0x10000000"), "{error}");
        let error = function(&[TEXT, (0x24_0000, 6, b"data")]).expect_err("in the guard page");
        assert!(error.contains("does not lie in 0x241000..0x10000000"), "{error}");
    }

    #[test]
    fn a_fifth_segment_is_refused() {
        let segments: Vec<_> = (0..5).map(|at| (PROGRAM_BASE + at * PAGE, 5, b"code".as_slice())).collect();
        assert!(function(&segments[..4]).is_ok());
        let error = function(&segments).expect_err("too many");
        assert!(error.contains("5 segments, but at most 4"), "{error}");
    }

    #[test]
    fn static_data_beyond_the_memory_limit_is_refused() {
        let data = [0; 61 << 10];
        assert!(function(&[TEXT, (PROGRAM_BASE + PAGE, 6, &data[..60 << 10])]).is_ok());
        let error = function(&[TEXT, (PROGRAM_BASE + PAGE, 6, &data)]).expect_err("too big");
        assert!(error.contains("take 68K, but its manifest allows 64K"), "{error}");
    }
}
