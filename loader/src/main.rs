//! From power-on to the kernel: enters long mode on the page tables that the image brings, and hands over a `BootInfo`.
//!
//! QEMU (and any monitor that knows PVH), or GRUB, has already put every byte of the image where it belongs. The loader
//! parses nothing but what that says about the machine. On UEFI, loader/uefi does its work.
#![no_std]
#![no_main]

mod entry;
mod multiboot;
mod pvh;

use bootloader_api::BootInfo;
use bootloader_api::info::{FrameBuffer, MemoryRegion, MemoryRegionKind};
use core::ptr::{addr_of, addr_of_mut};
use mayfly_abi::boot::{BOOT_BLOCK, BootBlock, KERNEL_MAP, KERNEL_STACK_TOP};
use mayfly_loader::{boot_info, direct};
use mayfly_mem as _;

/// Memory regions passed on. A monitor gives about ten, a board's BIOS up to a hundred, the memory above 4 GiB last.
const REGIONS: usize = 128;
/// All zeros, so that the table takes no bytes of the image.
const NOWHERE: MemoryRegion = MemoryRegion { start: 0, end: 0, kind: MemoryRegionKind::Usable };

/// The hand-over lives here for as long as the kernel runs.
static mut REGION_TABLE: [MemoryRegion; REGIONS] = [NOWHERE; REGIONS];
static mut BOOT_INFO: Option<BootInfo> = None;

/// What whoever loaded the image says about the machine.
struct Start<Map> {
    /// Runs of memory as `(address, length, kind)`, kinds as a PC's BIOS numbers them (ACPI 15.1).
    map: Map,
    /// Physical address and length of the command line.
    command_line: (u64, u64),
    /// Physical address of the root of the ACPI tables.
    rsdp: Option<u64>,
    /// The screen.
    framebuffer: Option<FrameBuffer>,
}

/// Kind of a run of memory that can be used.
const RAM: u32 = 1;

/// Second half of the way in from a monitor. `entry::pvh_entry` calls it on the kernel's stack, identity-mapped,
/// interrupts off, with the physical address of the monitor's start info.
///
/// # Safety
/// To be called once, by the entry code, under the image's page tables.
unsafe extern "C" fn load_pvh(start_info: u64) -> ! {
    // SAFETY: the monitor's start info lies in low memory, which is identity-mapped.
    let start = unsafe { pvh::read(start_info) };
    // SAFETY: passed on.
    unsafe { hand_over(start) }
}

/// The same from GRUB, with the physical address of its boot information.
///
/// # Safety
/// As for [`load_pvh`].
unsafe extern "C" fn load_multiboot(information: u64) -> ! {
    // SAFETY: GRUB's information lies below 4 GiB, which the direct map shows.
    let start = unsafe { multiboot::read(direct(information)) };
    // SAFETY: passed on.
    unsafe { hand_over(start) }
}

/// Fills in what the kernel gets, and enters it.
///
/// # Safety
/// To be called once, under the image's page tables.
// Into both ways in, so that nothing is copied on the way.
#[inline(always)]
unsafe fn hand_over(start: Start<impl Iterator<Item = (u64, u64, u32)>>) -> ! {
    // SAFETY: the host tool wrote a boot block there; nothing else refers to it yet, and only one core runs.
    let block = unsafe { &mut *(BOOT_BLOCK as *mut BootBlock) };
    // SAFETY: one core, called once: this is the only reference to the table.
    let table = unsafe { &mut *addr_of_mut!(REGION_TABLE) };
    table[0] =
        MemoryRegion { start: mayfly_abi::boot::LOADER, end: block.image_end, kind: MemoryRegionKind::Bootloader };
    let mut used = 1;
    for (address, len, kind) in start.map {
        let is_ram = kind == RAM;
        // Below the image lie the firmware's tables; they stay untouched.
        let start = if is_ram { address.max(block.image_end) } else { address };
        let end = address.saturating_add(len);
        let kind = if is_ram { MemoryRegionKind::Usable } else { MemoryRegionKind::UnknownBios(kind) };
        if (start < end) & (used < REGIONS) {
            table[used] = MemoryRegion { start, end, kind };
            used += 1;
        }
    }
    (block.command_line_address, block.command_line_len) = start.command_line;

    let regions: *mut MemoryRegion = direct(addr_of!(REGION_TABLE) as u64) as *mut MemoryRegion;
    // SAFETY: the table is static, `used` entries of it are filled in, and the direct map shows all of memory.
    let regions: &'static mut [MemoryRegion] = unsafe { core::slice::from_raw_parts_mut(regions, used) };
    let info = boot_info(block, regions, start.rsdp, start.framebuffer);
    // SAFETY: one core, called once; the place is static.
    let info = unsafe { (*addr_of_mut!(BOOT_INFO)).insert(info) };
    // SAFETY: the entry point is the kernel's, the stack is mapped there, and the info outlives the loader.
    unsafe {
        entry::enter_kernel(direct(info as *mut BootInfo as u64), KERNEL_MAP + KERNEL_STACK_TOP, block.kernel_entry)
    }
}

/// Nothing here panics by design; if it does, there is nobody to tell but the debug console.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    entry::give_up(b"mayfly: the loader failed; the start info makes no sense\n")
}
