//! From addresses of a function to names, files and lines, by the executable that was kept beside the image.

use std::fs;
use std::path::{Path, PathBuf};

use addr2line::gimli::{self, Dwarf, EndianSlice, LittleEndian};
use addr2line::{Context, LookupContinuation, LookupResult};
use mayfly_abi::image::{FunctionRecord, SEGMENT_WRITE};
use object::elf::{self as format, FileHeader64};
use object::read::elf::{FileHeader, SectionHeader, SectionTable, Sym, SymbolTable};

use crate::build::{elf, symbols};
use crate::image_file::{ImageFile, text};

type Header = FileHeader64<object::LittleEndian>;
type Symbol = format::Sym64<object::LittleEndian>;
type Table<'a> = SymbolTable<'a, Header>;
const ENDIAN: object::LittleEndian = object::LittleEndian;

/// A function's executable, which is the one in the image.
#[derive(Debug)]
pub struct Symbols {
    program: Vec<u8>,
}

/// Why addresses of a function stay numbers.
#[derive(Debug, thiserror::Error)]
pub enum NoSymbols {
    /// There is no executable.
    #[error("there is no {}, so addresses have no names; `mayfly build` keeps it beside the image", .0.display())]
    Missing(PathBuf),
    /// The executable has other code than the image.
    #[error("{} is not what the image was made from, so addresses have no names; build the image again", .0.display())]
    Other(PathBuf),
}

/// A place in a program's sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Name of the function.
    pub function: Option<String>,
    /// As the compiler names the file.
    pub file: Option<String>,
    /// Counted from 1.
    pub line: Option<u32>,
}

impl Symbols {
    /// The executable of the function that `record` of the image at `path` describes.
    pub fn open(path: &Path, image: &ImageFile, record: &FunctionRecord) -> Result<Self, NoSymbols> {
        let place = symbols(path, &text(&record.name));
        match fs::read(&place) {
            Ok(program) if is_in(&program, image, record) => Ok(Self { program }),
            Ok(_) => Err(NoSymbols::Other(place)),
            Err(_) => Err(NoSymbols::Missing(place)),
        }
    }

    /// What is at `address`: the place, and behind it those that it was inlined into, outwards. At least one.
    pub fn places(&self, address: u64) -> Vec<Place> {
        let mut places = self.dwarf_places(address).unwrap_or_default();
        if places.is_empty() {
            places.push(Place::default());
        }
        // Code that was built without debug information, such as assembly, still has its symbol.
        if let Some(outermost @ Place { function: None, .. }) = places.last_mut() {
            outermost.function = self.name_at(address);
        }
        places
    }

    fn dwarf_places(&self, address: u64) -> Result<Vec<Place>, gimli::Error> {
        let sections = self.sections();
        let dwarf = Dwarf::load(|id| {
            let section = sections.as_ref().and_then(|table| table.section_by_name(ENDIAN, id.name().as_bytes()));
            let data = section.and_then(|(_, section)| section.data(ENDIAN, self.program.as_slice()).ok());
            Ok::<_, gimli::Error>(EndianSlice::new(data.unwrap_or_default(), LittleEndian))
        })?;
        let context = Context::from_dwarf(dwarf)?;
        let mut lookup = context.find_frames(address);
        let mut frames = loop {
            match lookup {
                LookupResult::Output(frames) => break frames?,
                // Debug information in files of its own: nothing here is built that way.
                LookupResult::Load { continuation, .. } => lookup = continuation.resume(None),
            }
        };
        let mut places = Vec::new();
        while let Some(frame) = frames.next()? {
            let function = frame.function.map(|name| name.demangle().map(|name| name.into_owned())).transpose()?;
            let (file, line) = frame.location.map_or((None, None), |place| (place.file, place.line));
            places.push(Place { function, file: file.map(str::to_owned), line });
        }
        Ok(places)
    }

    /// Address of the function in which `address` lies.
    pub fn function_at(&self, address: u64) -> Option<u64> {
        self.symbol_at(address, |_, symbol| symbol.st_value(ENDIAN))
    }

    /// The first byte of the instruction at `address`.
    pub fn code_at(&self, address: u64) -> Option<u8> {
        let program = elf::read(&self.program).ok()?;
        let text = program.segments.iter().find(|segment| (segment.address..segment.end()).contains(&address))?;
        text.bytes.get((address - text.address) as usize).copied()
    }

    /// Name of the function in which `address` lies.
    fn name_at(&self, address: u64) -> Option<String> {
        let name = self.symbol_at(address, |table, symbol| symbol.name(ENDIAN, table.strings()).ok())??;
        Some(addr2line::demangle_auto(String::from_utf8_lossy(name), None).into_owned())
    }

    fn symbol_at<'a, T>(&'a self, address: u64, get: impl FnOnce(&Table<'a>, &'a Symbol) -> T) -> Option<T> {
        let table = self.sections()?.symbols(ENDIAN, self.program.as_slice(), format::SHT_SYMTAB).ok()?;
        let is_there = |symbol: &&Symbol| {
            symbol.st_type() == format::STT_FUNC
                && address.wrapping_sub(symbol.st_value(ENDIAN)) < symbol.st_size(ENDIAN)
        };
        table.iter().find(is_there).map(|symbol| get(&table, symbol))
    }

    fn sections(&self) -> Option<SectionTable<'_, Header>> {
        Header::parse(self.program.as_slice()).ok()?.sections(ENDIAN, self.program.as_slice()).ok()
    }
}

/// Whether text and constants of `program` are those in the image. Its data may have been initialised since.
fn is_in(program: &[u8], image: &ImageFile, record: &FunctionRecord) -> bool {
    let Ok(program) = elf::read(program) else { return false };
    let fixed = record.segments.iter().filter(|segment| segment.memory_len > 0 && segment.flags & SEGMENT_WRITE == 0);
    let found = |address| program.segments.iter().find(|segment| segment.address == address);
    program.entry == record.entry
        && fixed.clone().all(|segment| found(segment.address).map(|found| found.bytes) == image.bytes_of(segment))
        && program.segments.iter().filter(|segment| !segment.write).count() == fixed.count()
}
