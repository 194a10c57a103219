//! An image on disk, read and checked: what `run` refuses to boot and `inspect` refuses to show is decided here.

use std::path::{Path, PathBuf};
use std::{fs, io};

use clap::ValueEnum;
use mayfly_abi::ABI_VERSION;
use mayfly_abi::boot::{BOOT_BLOCK, BOOT_MAGIC, BOOT_VERSION, BootBlock};
use mayfly_abi::image::{
    BUNDLE_MAGIC, BundleHeader, FORMAT_VERSION, FunctionRecord, HEADER_CHECKED, Isolation, RECORD_CHECKED,
    SegmentRecord,
};
use mayfly_abi::wire::{Wire, checksum};

use crate::build::elf::{self, ElfError, Executable, Segment};
use crate::build::image::{PVH_NOTE_NAME, PVH_NOTE_TYPE};
use crate::build::{Format, disk};

/// A checked image.
#[derive(Debug)]
pub struct ImageFile {
    /// Bytes of the file.
    pub file_len: u64,
    /// Physical address of the 32-bit entry point.
    pub entry: u32,
    /// What the machine monitor loads, in the file's order.
    pub sections: Vec<Section>,
    /// Where things are.
    pub boot: BootBlock,
    /// The bundle's header.
    pub bundle: BundleHeader,
    /// What holds its functions apart.
    pub isolation: Isolation,
    /// The functions, sorted by route.
    pub functions: Vec<FunctionRecord>,
    /// All of the bundle.
    contents: Vec<u8>,
}

/// One run of memory that the machine monitor loads.
#[derive(Debug)]
pub struct Section {
    /// What it is: "loader", "boot block", "kernel", "bundle", "page tables".
    pub name: &'static str,
    /// Physical address.
    pub address: u64,
    /// Bytes in memory.
    pub memory_len: u64,
    /// Bytes in the file; the rest of the memory starts as zero.
    pub file_len: u64,
    /// May be written.
    pub write: bool,
    /// May be executed.
    pub execute: bool,
}

/// A file that cannot be used as an image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// There is none.
    #[error("there is no image {}; `mayfly build {}-o {}` makes one", .0.display(), format_option(.0), .0.display())]
    Missing(PathBuf),
    /// It cannot be read.
    #[error("cannot read the image {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// It is not what this tool writes.
    #[error("{} is not an image that can be used", .0.display())]
    Unusable(PathBuf, #[source] Damage),
}

/// What is wrong with an image.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Not a whole executable.
    #[error(transparent)]
    Elf(#[from] ElfError),
    /// A disk that holds no image.
    #[error("it is a disk on which no image can be found: {0}")]
    Disk(String),
    /// An executable that no machine monitor boots directly.
    #[error("it has no PVH entry point, so `mayfly build` did not make it")]
    NoEntry,
    /// No boot block, or a damaged one.
    #[error("it has no boot block, so `mayfly build` did not make it")]
    NoBootBlock,
    /// Made by another version of the tool.
    #[error("its boot block has version {0}, but this tool knows version {BOOT_VERSION}; build the image again")]
    BootVersion(u64),
    /// The boot block names a bundle that is not in the file.
    #[error("its bundle is not where the boot block says; build the image again")]
    NoBundle,
    /// The bundle does not start like one.
    #[error("its bundle has the wrong magic number ({0:#018x}); build the image again")]
    BundleMagic(u64),
    /// Made by another version of the tool.
    #[error("its bundle has format {0}, but this tool knows format {FORMAT_VERSION}; build the image again")]
    Format(u32),
    /// Its functions were built for other calls.
    #[error("its functions were built for ABI version {0}, but this tool is for {ABI_VERSION}; build the image again")]
    AbiVersion(u32),
    /// A bit of the header is not what it was.
    #[error("the header of its bundle is damaged (wrong checksum); build the image again")]
    Header,
    /// A way to hold functions apart that is none.
    #[error("it asks for isolation {0}, which there is not; build the image again")]
    Isolation(u64),
    /// The header contradicts the file.
    #[error("the header of its bundle and its boot block do not fit together; build the image again")]
    Layout,
    /// A bit of a record is not what it was.
    #[error("record {0} of its table of functions is damaged (wrong checksum); build the image again")]
    Record(usize),
    /// The kernel would not find every function.
    #[error("its table of functions is not sorted by route; build the image again")]
    Unsorted,
    /// A bit of a function's memory is not what it was.
    #[error("the contents of its bundle are damaged (wrong checksum); build the image again")]
    Contents,
}

/// What `mayfly build` has to be told for a file of this name.
fn format_option(path: &Path) -> String {
    match Format::of(path).to_possible_value() {
        Some(format) if format.get_name() != "elf" => format!("--format {} ", format.get_name()),
        _ => String::new(),
    }
}

impl ImageFile {
    /// Reads and checks the image at `path`, or on the disk that `path` is.
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        let bytes = fs::read(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => ImageError::Missing(path.into()),
            _ => ImageError::Read(path.into(), error),
        })?;
        let unusable = |damage| ImageError::Unusable(path.into(), damage);
        match disk::image_in(&bytes) {
            None => Self::parse(&bytes).map_err(unusable),
            Some(Ok(image)) => Self::parse(&image).map_err(unusable),
            Some(Err(error)) => Err(unusable(Damage::Disk(error.to_string()))),
        }
    }

    /// Checks the bytes of an image.
    pub fn parse(bytes: &[u8]) -> Result<Self, Damage> {
        let executable = elf::read(bytes)?;
        let entry = pvh_entry(&executable).ok_or(Damage::NoEntry)?;
        let boot = boot_block(&executable)?;
        let bundle = memory_at(&executable, boot.bundle_address)
            .filter(|segment| segment.bytes.len() as u64 == boot.bundle_len)
            .ok_or(Damage::NoBundle)?
            .bytes;
        let header = bundle_header(bundle)?;
        let isolation = Isolation::try_from(u64::from(header.isolation)).map_err(Damage::Isolation)?;
        let functions = records(bundle, &header)?;
        if checksum(&bundle[BundleHeader::SIZE..]) != header.content_checksum {
            return Err(Damage::Contents);
        }
        let mut sections: Vec<_> = executable.segments.iter().map(|segment| Section::new(segment, &boot)).collect();
        sections.dedup_by(|next, section| section.takes_in(next));
        let (file_len, contents) = (bytes.len() as u64, bundle.to_vec());
        Ok(Self { file_len, entry, sections, boot, bundle: header, isolation, functions, contents })
    }

    /// What a segment of a function starts as; `None` if its record points outside the bundle.
    pub fn bytes_of(&self, segment: &SegmentRecord) -> Option<&[u8]> {
        let rest = self.contents.get(usize::try_from(segment.offset).ok()?..)?;
        rest.get(..segment.file_len as usize)
    }
}

impl Section {
    fn new(segment: &Segment<'_>, boot: &BootBlock) -> Self {
        let name = match segment.physical {
            ..BOOT_BLOCK => "loader",
            BOOT_BLOCK => "boot block",
            address if address == boot.bundle_address => "bundle",
            address if address >= boot.page_table => "page tables",
            _ => "kernel",
        };
        Self {
            name,
            address: segment.physical,
            memory_len: segment.memory_len,
            file_len: segment.bytes.len() as u64,
            write: segment.write,
            execute: segment.execute,
        }
    }
}

impl Section {
    /// Makes one of two if `next` goes on where this ends and is the same otherwise: each page table is a segment.
    fn takes_in(&mut self, next: &Self) -> bool {
        let goes_on = self.name == next.name && next.address == self.address + self.memory_len;
        let is_same = goes_on && (self.write, self.execute) == (next.write, next.execute);
        if is_same {
            self.memory_len += next.memory_len;
            self.file_len += next.file_len;
        }
        is_same
    }
}

/// The 32-bit entry point that the PVH note names.
fn pvh_entry(executable: &Executable<'_>) -> Option<u32> {
    let [head @ .., a, b, c, d] = *executable.notes.first()? else { return None };
    let is_pvh = head.len() == 16
        && [u32::get(head), u32::get(&head[4..]), u32::get(&head[8..])] == [4, 4, PVH_NOTE_TYPE]
        && head[12..] == *PVH_NOTE_NAME;
    is_pvh.then(|| u32::from_le_bytes([*a, *b, *c, *d]))
}

fn memory_at<'a>(executable: &'a Executable<'a>, physical: u64) -> Option<&'a Segment<'a>> {
    executable.segments.iter().find(|segment| segment.physical == physical)
}

fn boot_block(executable: &Executable<'_>) -> Result<BootBlock, Damage> {
    let block = memory_at(executable, BOOT_BLOCK)
        .filter(|segment| segment.bytes.len() >= BootBlock::SIZE)
        .map(|segment| BootBlock::get(segment.bytes))
        .filter(|block| block.magic == BOOT_MAGIC)
        .ok_or(Damage::NoBootBlock)?;
    if block.version != BOOT_VERSION {
        return Err(Damage::BootVersion(block.version));
    }
    Ok(block)
}

fn bundle_header(bundle: &[u8]) -> Result<BundleHeader, Damage> {
    if bundle.len() < BundleHeader::SIZE {
        return Err(Damage::NoBundle);
    }
    let header = BundleHeader::get(bundle);
    // Versions before the checksum: an image of another version deserves to be told apart from a damaged one.
    if header.magic != BUNDLE_MAGIC {
        return Err(Damage::BundleMagic(header.magic));
    }
    if header.format_version != FORMAT_VERSION {
        return Err(Damage::Format(header.format_version));
    }
    if header.abi_version != ABI_VERSION {
        return Err(Damage::AbiVersion(header.abi_version));
    }
    if header.header_checksum != checksum(&bundle[..HEADER_CHECKED]) {
        return Err(Damage::Header);
    }
    Ok(header)
}

fn records(bundle: &[u8], header: &BundleHeader) -> Result<Vec<FunctionRecord>, Damage> {
    let table_len = u64::from(header.function_count) * FunctionRecord::SIZE as u64;
    let fits = header.total_len == bundle.len() as u64
        && header.record_size as usize == FunctionRecord::SIZE
        && header.table_offset == BundleHeader::SIZE as u64
        && table_len <= header.total_len - header.table_offset;
    if !fits {
        return Err(Damage::Layout);
    }
    let table = &bundle[BundleHeader::SIZE..][..table_len as usize];
    let mut functions = Vec::new();
    for (at, bytes) in table.chunks(FunctionRecord::SIZE).enumerate() {
        let record = FunctionRecord::get(bytes);
        if record.checksum != checksum(&bytes[..RECORD_CHECKED]) {
            return Err(Damage::Record(at));
        }
        functions.push(record);
    }
    if !functions.is_sorted_by(|a, b| a.route < b.route) {
        return Err(Damage::Unsorted);
    }
    Ok(functions)
}

/// The text in a field padded with zeros: a function's name or route.
pub(crate) fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(field).trim_end_matches('\0').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::sample;

    /// Offset of the bundle in an image's file.
    fn bundle_at(image: &[u8]) -> usize {
        let magic = BUNDLE_MAGIC.to_le_bytes();
        image.windows(8).position(|window| window == magic).expect("a bundle")
    }

    /// What is wrong with an image in which one byte of the bundle has changed, and the header's checksum been made
    /// right again if `sign`.
    fn with_bundle_byte(at: usize, sign: bool) -> Damage {
        let mut image = sample::image();
        let bundle = bundle_at(&image);
        image[bundle + at] ^= 0x10;
        if sign {
            let sum = checksum(&image[bundle..][..HEADER_CHECKED]);
            image[bundle + HEADER_CHECKED..][..8].copy_from_slice(&sum.to_le_bytes());
        }
        ImageFile::parse(&image).expect_err("damaged")
    }

    #[test]
    fn a_built_image_is_read_whole() {
        let bytes = sample::image();
        let image = ImageFile::parse(&bytes).expect("valid");
        assert_eq!(image.file_len, bytes.len() as u64);
        assert_eq!(image.entry, 0x10_0000);
        assert_eq!(image.functions.len(), 2);
        assert_eq!(image.bundle.function_count, 2);
        let mut code = image.functions[1].segments[0];
        assert_eq!(image.bytes_of(&code), Some(b"b".as_slice()));
        code.offset = image.boot.bundle_len;
        assert_eq!(image.bytes_of(&code), None);
        let addresses: Vec<u64> = image.sections.iter().map(|section| section.address).collect();
        let bundle = image.boot.bundle_address;
        assert_eq!(addresses, [0x10_0000, BOOT_BLOCK, 0x12_0000, 0x12_1000, bundle, image.boot.page_table]);
    }

    #[test]
    fn any_flipped_byte_of_the_bundle_is_noticed_and_placed() {
        let bytes = sample::image();
        let bundle = bundle_at(&bytes);
        let len = ImageFile::parse(&bytes).expect("valid").boot.bundle_len as usize;
        for at in 0..len {
            let mut image = bytes.clone();
            image[bundle + at] ^= 0x01;
            let damage = ImageFile::parse(&image).expect_err("damaged");
            match at {
                0..8 => assert!(matches!(damage, Damage::BundleMagic(_)), "{at}: {damage}"),
                8..12 => assert!(matches!(damage, Damage::Format(_)), "{at}: {damage}"),
                12..16 => assert!(matches!(damage, Damage::AbiVersion(_)), "{at}: {damage}"),
                16..64 => assert_eq!(damage, Damage::Header, "{at}"),
                64..320 => assert_eq!(damage, Damage::Record(0), "{at}"),
                320..576 => assert_eq!(damage, Damage::Record(1), "{at}"),
                _ => assert_eq!(damage, Damage::Contents, "{at}"),
            }
        }
    }

    #[test]
    fn a_signed_header_that_contradicts_the_file_is_refused() {
        assert_eq!(with_bundle_byte(17, true), Damage::Layout, "function_count");
        assert_eq!(with_bundle_byte(20, true), Damage::Layout, "record_size");
        assert_eq!(with_bundle_byte(24, true), Damage::Layout, "table_offset");
        assert_eq!(with_bundle_byte(33, true), Damage::Layout, "total_len");
        assert_eq!(with_bundle_byte(12, true), Damage::AbiVersion(0x12));
        assert_eq!(with_bundle_byte(40, true), Damage::Contents, "content_checksum");
    }

    #[test]
    fn no_truncated_image_is_taken() {
        let bytes = sample::image();
        for len in (0..bytes.len()).step_by(64) {
            assert!(ImageFile::parse(&bytes[..len]).is_err(), "the first {len} of {} bytes", bytes.len());
        }
        let damage = ImageFile::parse(&bytes[..bytes.len() - 1]).expect_err("truncated");
        assert!(damage.to_string().contains("truncated or damaged"), "{damage}");
    }

    #[test]
    fn what_mayfly_did_not_build_is_refused() {
        assert_eq!(ImageFile::parse(b"hello").expect_err("text"), Damage::Elf(ElfError::NotElf));
        let program = sample::elf(0x1000, &[(0x1000, 5, b"code")]);
        assert_eq!(ImageFile::parse(&program).expect_err("no note"), Damage::NoEntry);
        let floor = crate::build::floor_image().expect("written");
        assert_eq!(ImageFile::parse(&floor).expect_err("no boot block"), Damage::NoBootBlock);
        let mut image = sample::image();
        let magic = BOOT_MAGIC.to_le_bytes();
        let at = image.windows(8).position(|window| window == magic).expect("a boot block");
        image[at + 8] = 9;
        assert_eq!(ImageFile::parse(&image).expect_err("another version"), Damage::BootVersion(9));
    }

    #[test]
    fn a_missing_image_says_how_to_make_one() {
        let error = ImageFile::open(Path::new("no/such.elf")).expect_err("missing").to_string();
        assert_eq!(error, "there is no image no/such.elf; `mayfly build -o no/such.elf` makes one");
    }
}
