//! From UEFI firmware to the kernel: loads the image from the disk that this application came from, leaves the firmware,
//! and hands over a `BootInfo`, as the loader in the image does after other ways of starting.
#![no_std]
#![no_main]

mod disk;
mod firmware;
mod jump;

use bootloader_api::BootInfo;
use bootloader_api::info::MemoryRegion;
use core::fmt;
use core::ptr::NonNull;
use mayfly_abi::boot::{
    BOOT_BLOCK, BootBlock, COMMAND_LINE_MAX, DEVICES, KERNEL_MAP, KERNEL_STACK_TOP, LEDGER, LOADER,
};
use mayfly_abi::ledger::Phase;
use mayfly_abi::{PAGE, page_up};
use mayfly_loader::{boot_info, direct};
use mayfly_loader_uefi::image::{Damage, Image};
use mayfly_loader_uefi::regions::Regions;
use mayfly_loader_uefi::{place, tables};
use mayfly_mem as _;
use uefi::boot::{self, AllocateType, MemoryType};
use uefi::{CStr16, Status, cstr16};

/// The image on the disk, and the words for its command line. docs/image.md
const IMAGE: &CStr16 = cstr16!("\\mayfly.elf");
const COMMAND_LINE: &CStr16 = cstr16!("\\mayfly.cmd");
/// How long an error stays on the screen before the firmware goes on, in seconds.
const READING_TIME: u64 = 20;
/// Memory regions passed on. Firmware has a hundred or two before neighbours are joined.
const REGIONS: usize = 160;

/// What the kernel gets, in memory that stays its own.
struct HandOver {
    info: Option<BootInfo>,
    regions: [MemoryRegion; REGIONS],
    command_line: [u8; COMMAND_LINE_MAX as usize],
}

/// Why there is nothing to start.
enum Failure {
    /// A file cannot be read.
    File(&'static CStr16, Status),
    /// The image is none.
    Image(Damage),
    /// Its page tables are not the host tool's.
    Tables,
    /// No memory that the image fits into.
    NoPlace(u64),
    /// The firmware has none for us.
    Memory(Status),
    /// Five levels of page tables, which cannot be left without leaving 64-bit mode.
    FiveLevels,
    /// No page can be barred from being executed.
    NoExecute,
}

/// The firmware comes here from `jump::efi_start`, which passes on its own two arguments and when the first instruction ran.
extern "efiapi" fn efi_main(image: uefi::Handle, system: *const core::ffi::c_void, entered: u64) -> Status {
    // SAFETY: both are the firmware's, and nothing was called before.
    unsafe {
        boot::set_image_handle(image);
        uefi::table::set_system_table(system.cast());
    }
    let Err(failure) = load(entered);
    firmware::say(format_args!("mayfly: the disk cannot be booted: {failure}\r\n"));
    firmware::refuse();
    boot::stall(core::time::Duration::from_secs(READING_TIME));
    Status::LOAD_ERROR
}

/// Everything, in order. Comes back only with a failure.
fn load(entered: u64) -> Result<core::convert::Infallible, Failure> {
    if jump::has_five_levels() {
        return Err(Failure::FiveLevels);
    }
    if !jump::has_no_execute() {
        return Err(Failure::NoExecute);
    }
    let file = disk::read(IMAGE)?;
    let image = Image::parse(&file).map_err(Failure::Image)?;
    let linked = image.boot;
    let hand_over = hand_over()?;
    let mut command_line_len = disk::read_text(COMMAND_LINE, &mut hand_over.command_line)?;
    command_line_len += firmware::words(&mut hand_over.command_line[command_line_len..]);

    let (memory, moved) = place_image(linked.image_end)?;
    let at = |address: u64| (address - LOADER) as usize;
    memory.fill(0);
    for (address, bytes) in image.segments() {
        memory[at(address)..at(address) + bytes.len()].copy_from_slice(bytes);
    }
    let jump = jump::address();
    let page_tables = &mut memory[at(linked.page_table)..];
    // SAFETY: a table is made of words, and any bits are a word; the image has whole pages from there on.
    let (_, page_tables, _) = unsafe { page_tables.align_to_mut::<[u64; 512]>() };
    tables::relocate(page_tables, linked.page_table, moved, jump).map_err(|_| Failure::Tables)?;

    let boot = BootBlock {
        page_table: linked.page_table + moved,
        kernel_address: linked.kernel_address + moved,
        bundle_address: linked.bundle_address + moved,
        image_end: linked.image_end + moved,
        command_line_address: hand_over.command_line.as_ptr() as u64,
        command_line_len: command_line_len as u64,
        moved,
        ..linked
    };
    mayfly_abi::wire::Wire::put(&boot, &mut memory[at(BOOT_BLOCK)..]);
    memory[at(LEDGER) + Phase::Entry.offset()..][..8].copy_from_slice(&entered.to_le_bytes());
    drop(file);

    let rsdp = firmware::rsdp();
    let framebuffer = firmware::framebuffer();
    let mut regions = Regions::new(&mut hand_over.regions);
    // SAFETY: nothing of the firmware is used from here on; what comes back is a copy of its memory map.
    let map = unsafe { boot::exit_boot_services(Some(MemoryType::LOADER_DATA)) };
    firmware::list(map, &mut regions);
    let used = regions.len();

    let table: *mut MemoryRegion = direct(hand_over.regions.as_ptr() as u64) as *mut MemoryRegion;
    // SAFETY: the table stays where it is, `used` entries of it are filled in, and the direct map shows it.
    let table: &'static mut [MemoryRegion] = unsafe { core::slice::from_raw_parts_mut(table, used) };
    let info = boot_info(&boot, table, rsdp, framebuffer);
    let info = hand_over.info.insert(info) as *mut BootInfo as u64;
    // SAFETY: the tables show the kernel, its stack and the hand-over where they are said to be, and the jump itself.
    unsafe { jump::enter(boot.page_table, direct(info), KERNEL_MAP + KERNEL_STACK_TOP, boot.kernel_entry) }
}

/// Takes memory for the image, and says how far it lies above where the image is linked.
fn place_image(image_end: u64) -> Result<(&'static mut [u8], u64), Failure> {
    let map = boot::memory_map(MemoryType::LOADER_DATA).map_err(|error| Failure::Memory(error.status()))?;
    let moved = place::moved(image_end, firmware::free(&map)).ok_or(Failure::NoPlace(image_end - LOADER))?;
    Ok((allocate(AllocateType::Address(LOADER + moved), image_end - LOADER)?, moved))
}

/// Memory for the hand-over, where the direct map of the image's tables shows it.
fn hand_over() -> Result<&'static mut HandOver, Failure> {
    let memory = allocate(AllocateType::MaxAddress(DEVICES - 1), size_of::<HandOver>() as u64)?;
    let hand_over: *mut HandOver = memory.as_mut_ptr().cast();
    let empty = HandOver {
        info: None,
        regions: [MemoryRegion::empty(); REGIONS],
        command_line: [0; COMMAND_LINE_MAX as usize],
    };
    // SAFETY: whole pages of that length that are ours alone.
    unsafe {
        hand_over.write(empty);
        Ok(&mut *hand_over)
    }
}

/// Whole pages of memory for at least `len` bytes, for good.
fn allocate(how: AllocateType, len: u64) -> Result<&'static mut [u8], Failure> {
    let len = page_up(len) as usize;
    let start: NonNull<u8> = boot::allocate_pages(how, MemoryType::LOADER_DATA, len / PAGE as usize)
        .map_err(|error| Failure::Memory(error.status()))?;
    // SAFETY: the firmware has just given us these pages.
    Ok(unsafe { core::slice::from_raw_parts_mut(start.as_ptr(), len) })
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(name, status) => write!(f, "{name} cannot be read ({status}); write the disk again"),
            Self::Image(damage) => write!(f, "{IMAGE} is no image: {}", damage.sentence()),
            Self::Tables => write!(f, "{IMAGE} has page tables of another version; build the disk again"),
            Self::NoPlace(len) => {
                write!(
                    f,
                    "no {} KiB of memory below 3 GiB are free in one piece; put fewer functions into it",
                    len >> 10
                )
            }
            Self::Memory(status) => write!(f, "the firmware gives no memory ({status})"),
            Self::FiveLevels => {
                write!(f, "the firmware uses five levels of page tables; switch 5-level paging off in its setup")
            }
            Self::NoExecute => {
                write!(f, "memory cannot be barred from execution; switch that on in the firmware's setup (NX, XD)")
            }
        }
    }
}

/// Nothing here panics by design; if it does, the firmware may be gone already.
#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    firmware::say(format_args!("mayfly: the loader failed: {info}\r\n"));
    firmware::refuse();
    loop {
        jump::halt();
    }
}
