//! Lays out an image: loader, boot block, kernel, bundle and page tables, each where it will be used.

use std::ops::Range;

use mayfly_abi::boot::{
    BOOT_BLOCK, BOOT_MAGIC, BOOT_VERSION, BootBlock, DEVICES, KERNEL, KERNEL_END, KERNEL_MAP, KERNEL_STACK,
    KERNEL_STACK_TOP, LEDGER, LOADER,
};
use mayfly_abi::image::Isolation;
use mayfly_abi::wire::Wire;
use mayfly_abi::{PAGE, page_up};

use super::bundle;
use super::elf::{self, ElfError};
use super::image::{self, Load};
use super::manifest::{Manifest, ManifestError};
use super::program::Function;
use super::tables::{self, Region};

/// Why no image can be made.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// The loader cannot be used.
    #[error("the loader cannot be put into an image")]
    Loader(#[source] ElfError),
    /// The kernel cannot be used.
    #[error("the kernel cannot be put into an image")]
    Kernel(#[source] ElfError),
    /// Two functions that the kernel could not tell apart.
    #[error(transparent)]
    Same(#[from] ManifestError),
    /// Two functions that ask for different isolations.
    #[error(
        "{} asks for isolation `{}` and {} for `{}`, but an image has one; say which with --isolation",
        first.file.display(), first.isolation.name(), second.file.display(), second.isolation.name()
    )]
    Isolation {
        /// One manifest.
        first: Box<Manifest>,
        /// The other.
        second: Box<Manifest>,
    },
    /// The image ends where devices begin.
    #[error("the image would take {} MiB of memory, but {} MiB is the most; put fewer functions into it", .0 >> 20, DEVICES >> 20)]
    TooBig(u64),
    /// The file could not be written in memory.
    #[error("the image's ELF file cannot be written")]
    Elf(#[from] object::write::Error),
}

/// Makes the image of a loader and a kernel (ELF executables linked at their places in [`mayfly_abi::boot`]) and
/// functions. The same input gives the same bytes, whatever the order of the functions.
pub fn compose(loader: &[u8], kernel: &[u8], functions: &[Function]) -> Result<Vec<u8>, ComposeError> {
    Manifest::check_distinct(functions.iter().map(|function| &function.manifest))?;
    let loader = place(loader, LOADER..BOOT_BLOCK).map_err(ComposeError::Loader)?;
    let kernel = place(kernel, KERNEL_MAP + KERNEL..KERNEL_MAP + KERNEL_END).map_err(ComposeError::Kernel)?;
    let kernel_loads = kernel.loads(KERNEL_MAP);
    let kernel_pages = pages_of(&kernel_loads);

    let bundle = bundle::write(functions, isolation(functions)?);
    let bundle_pages = kernel_pages.end..kernel_pages.end + bundle.len() as u64;
    let page_table = bundle_pages.end;
    if page_table > DEVICES {
        return Err(ComposeError::TooBig(page_table));
    }
    let mut mapped: Vec<Region> = kernel_loads.iter().map(region).collect();
    let mut read_only: Vec<Range<u64>> =
        mapped.iter().filter(|part| !part.write).map(|part| part.pages.clone()).collect();
    mapped.push(Region { pages: BOOT_BLOCK..LEDGER + PAGE, write: true, execute: false });
    mapped.push(Region { pages: KERNEL_STACK..KERNEL_STACK_TOP, write: true, execute: false });
    read_only.push(bundle_pages.clone());
    let tables = tables::build(page_table, &mapped, &read_only);

    let boot = BootBlock {
        magic: BOOT_MAGIC,
        version: BOOT_VERSION,
        page_table,
        kernel_entry: kernel.entry,
        kernel_address: kernel_pages.start,
        kernel_len: kernel_pages.end - kernel_pages.start,
        bundle_address: bundle_pages.start,
        bundle_len: bundle.len() as u64,
        image_end: page_table + tables.len() as u64,
        command_line_address: 0,
        command_line_len: 0,
        moved: 0,
    };
    let mut boot_block = vec![0; BootBlock::SIZE];
    boot.put(&mut boot_block);

    let mut loads = loader.loads(0);
    // With the ledger, so that it is zero at first whatever memory was before.
    loads.push(Load { memory_len: LEDGER + PAGE - BOOT_BLOCK, ..Load::data(BOOT_BLOCK, true, boot_block) });
    loads.extend(kernel_loads);
    loads.push(Load::data(bundle_pages.start, false, bundle));
    loads.extend(tables.chunks(PAGE as usize).zip((page_table..).step_by(PAGE as usize)).map(table));
    // The loader lies below BOOT_BLOCK, so its entry point fits.
    Ok(image::write(loader.entry as u32, &loads)?)
}

/// A page table at an address. Most have a few entries, and the zeros behind the last are left out of the file.
fn table((bytes, address): (&[u8], u64)) -> Load {
    let len = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    Load { memory_len: PAGE, ..Load::data(address, true, bytes[..len].to_vec()) }
}

/// The isolation that all functions ask for.
fn isolation(functions: &[Function]) -> Result<Isolation, ComposeError> {
    let Some(first) = functions.first() else { return Ok(Isolation::Tables) };
    let isolation = first.manifest.isolation;
    match functions.iter().find(|function| function.manifest.isolation != isolation) {
        None => Ok(isolation),
        Some(second) => Err(ComposeError::Isolation {
            first: Box::new(first.manifest.clone()),
            second: Box::new(second.manifest.clone()),
        }),
    }
}

/// Reads an executable that must lie in `room`.
fn place(bytes: &[u8], room: Range<u64>) -> Result<elf::Executable<'_>, ElfError> {
    let executable = elf::read(bytes)?;
    executable.check_placement(room)?;
    Ok(executable)
}

impl elf::Executable<'_> {
    /// Its segments by address, where address `base` is physical address 0.
    fn loads(&self, base: u64) -> Vec<Load> {
        let mut loads: Vec<Load> = self
            .segments
            .iter()
            .map(|segment| Load {
                address: segment.address - base,
                memory_len: segment.memory_len,
                write: segment.write,
                execute: segment.execute,
                bytes: segment.bytes.to_vec(),
            })
            .collect();
        loads.sort_by_key(|load| load.address);
        loads
    }
}

/// From the first to the last page of `loads`, which are sorted and not empty.
fn pages_of(loads: &[Load]) -> Range<u64> {
    let ends = loads.iter().map(|load| region(load).pages.end);
    loads.first().map_or(0, |load| load.address)..ends.max().unwrap_or(0)
}

fn region(load: &Load) -> Region {
    let pages = load.address..page_up(load.address + load.memory_len);
    Region { pages, write: load.write, execute: load.execute }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::sample;
    use crate::image_file::ImageFile;

    fn compose_kernel(entry: u64, segments: &[(u64, u32, &[u8])]) -> Result<Vec<u8>, String> {
        compose(&sample::loader(), &sample::elf(entry, segments), &[]).map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            format!("{error}: {}", cause.unwrap_or_default())
        })
    }

    #[test]
    fn everything_lies_one_after_another_from_the_kernel_on() {
        let image = ImageFile::parse(&sample::image()).expect("valid");
        let boot = image.boot;
        assert_eq!((boot.kernel_address, boot.kernel_len), (KERNEL, 2 * PAGE));
        assert_eq!(boot.kernel_entry, KERNEL_MAP + KERNEL);
        assert_eq!(boot.bundle_address, KERNEL + 2 * PAGE);
        assert_eq!(boot.page_table, boot.bundle_address + boot.bundle_len);
        let tables = image.sections.last().expect("sections");
        assert_eq!(boot.image_end, tables.address + tables.memory_len);
        assert_eq!((boot.command_line_address, boot.command_line_len), (0, 0));
    }

    #[test]
    fn the_bundle_follows_the_zeroed_memory_of_the_kernel() {
        // A data segment whose memory is three pages longer than its bytes in the file.
        let mut kernel = sample::kernel();
        let second_program_header = 64 + 56;
        kernel[second_program_header + 40..][..8].copy_from_slice(&(3 * PAGE + 1).to_le_bytes());
        let image = compose(&sample::loader(), &kernel, &[]).expect("composed");
        let image = ImageFile::parse(&image).expect("valid");
        assert_eq!(image.boot.kernel_len, 5 * PAGE);
        assert_eq!(image.boot.bundle_address, KERNEL + 5 * PAGE);
    }

    #[test]
    fn the_same_input_gives_the_same_bytes_in_any_order() {
        let [a, b] = ["a", "b"].map(sample::function);
        let image = compose(&sample::loader(), &sample::kernel(), &[b, a]).expect("composed");
        assert!(image == sample::image());
    }

    #[test]
    fn a_kernel_out_of_place_is_refused() {
        let start = KERNEL_MAP + KERNEL;
        let error = compose_kernel(KERNEL, &[(KERNEL, 5, b"text")]).expect_err("at its physical address");
        assert!(error.starts_with("the kernel cannot be put into an image: its segment 0x120000.."), "{error}");
        let long = vec![0x90; (KERNEL_END - KERNEL) as usize + 1];
        assert!(compose_kernel(start, &[(start, 5, &long[1..])]).is_ok());
        let error = compose_kernel(start, &[(start, 5, &long)]).expect_err("too long");
        assert!(error.contains("make it smaller if it does not fit"), "{error}");
        let error = compose_kernel(start, &[(start, 7, b"text")]).expect_err("writable text");
        assert!(error.contains("both writable and executable"), "{error}");
    }

    #[test]
    fn functions_that_ask_for_different_isolations_are_refused() {
        let [a, mut b] = ["a", "b"].map(sample::function);
        b.manifest.isolation = Isolation::None;
        let error = compose(&sample::loader(), &sample::kernel(), &[a, b.clone()]).expect_err("two isolations");
        assert!(error.to_string().contains("asks for isolation `tables` and"), "{error}");
        let image = compose(&sample::loader(), &sample::kernel(), &[b]).expect("composed");
        assert_eq!(ImageFile::parse(&image).expect("valid").bundle.isolation, Isolation::None as u32);
    }

    #[test]
    fn functions_that_cannot_be_told_apart_are_refused() {
        let error = compose(&sample::loader(), &sample::kernel(), &["a", "a"].map(sample::function));
        assert!(matches!(error, Err(ComposeError::Same(_))));
    }
}
