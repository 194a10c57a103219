//! An image file as the loader needs it: segments to be copied, and the boot block that says where they are linked.

use elf::ElfBytes;
use elf::abi::{EM_X86_64, ET_EXEC, PT_LOAD};
use elf::endian::LittleEndian;
use elf::segment::SegmentTable;
use mayfly_abi::PAGE;
use mayfly_abi::boot::{BOOT_BLOCK, BOOT_MAGIC, BOOT_VERSION, BootBlock, DEVICES, LOADER};
use mayfly_abi::wire::Wire;

/// An image that can be loaded: every segment lies between [`LOADER`] and the boot block's `image_end`.
#[derive(Debug)]
pub struct Image<'a> {
    file: &'a [u8],
    headers: SegmentTable<'a, LittleEndian>,
    /// As the host tool wrote it.
    pub boot: BootBlock,
}

/// Why a file cannot be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Not an ELF executable for x86-64, or cut off.
    NotElf,
    /// No boot block where it should be.
    NoBootBlock,
    /// Another version's.
    Version,
    /// A segment or the boot block points outside the image.
    Layout,
}

impl Damage {
    /// What to tell the person at the machine.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::NotElf => "it is cut off or no ELF file for x86-64; write the disk again",
            Self::NoBootBlock => "it has no boot block, so `mayfly build` did not make it",
            Self::Version => "it is of another version than its loader; build the disk again",
            Self::Layout => "its segments do not lie where its boot block says; build the disk again",
        }
    }
}

impl<'a> Image<'a> {
    /// Checks the bytes of a file.
    pub fn parse(file: &'a [u8]) -> Result<Self, Damage> {
        let elf = ElfBytes::<LittleEndian>::minimal_parse(file).map_err(|_| Damage::NotElf)?;
        if elf.ehdr.e_machine != EM_X86_64 || elf.ehdr.e_type != ET_EXEC {
            return Err(Damage::NotElf);
        }
        let headers = elf.segments().ok_or(Damage::NotElf)?;
        if segments(file, &headers).any(|(_, bytes)| bytes.is_none()) {
            return Err(Damage::NotElf);
        }
        let image = Self { file, headers, boot: BootBlock::get(&[0; BootBlock::SIZE]) };
        let block = image.segments().find(|(address, _)| *address == BOOT_BLOCK).ok_or(Damage::NoBootBlock)?.1;
        let boot = block.get(..BootBlock::SIZE).map(BootBlock::get).ok_or(Damage::NoBootBlock)?;
        if boot.magic != BOOT_MAGIC {
            return Err(Damage::NoBootBlock);
        }
        if boot.version != BOOT_VERSION {
            return Err(Damage::Version);
        }
        let inside = |address: u64, len: u64| {
            address >= LOADER && address.checked_add(len).is_some_and(|end| end <= boot.image_end)
        };
        let whole = boot.image_end <= DEVICES
            && boot.image_end.is_multiple_of(PAGE)
            && boot.page_table.is_multiple_of(PAGE)
            && inside(boot.page_table, PAGE)
            && inside(boot.kernel_address, boot.kernel_len)
            && inside(boot.bundle_address, boot.bundle_len)
            && image.segments().all(|(address, bytes)| inside(address, bytes.len() as u64));
        if whole { Ok(Self { boot, ..image }) } else { Err(Damage::Layout) }
    }

    /// Physical addresses at which bytes are linked, and the bytes. Whatever memory lies between them is zero.
    pub fn segments(&self) -> impl Iterator<Item = (u64, &'a [u8])> + '_ {
        segments(self.file, &self.headers).filter_map(|(address, bytes)| Some((address, bytes?)))
    }
}

/// The loaded segments of an ELF file whose headers are right.
fn segments<'a, 't>(
    file: &'a [u8],
    headers: &'t SegmentTable<'a, LittleEndian>,
) -> impl Iterator<Item = (u64, Option<&'a [u8]>)> + use<'a, 't> {
    let loads = headers.iter().filter(|header| header.p_type == PT_LOAD);
    loads.map(move |header| {
        let bytes = usize::try_from(header.p_offset).ok().and_then(|start| file.get(start..));
        (header.p_paddr, bytes.and_then(|bytes| bytes.get(..usize::try_from(header.p_filesz).ok()?)))
    })
}
