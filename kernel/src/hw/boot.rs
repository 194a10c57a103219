//! What the loader handed over, as safe views: the boot block, the command line and the bundle of functions.

use super::cpu::direct;
use bootloader_api::BootInfo;
use mayfly_abi::boot::{BOOT_BLOCK, BOOT_MAGIC, BOOT_VERSION, BootBlock, COMMAND_LINE_MAX, KERNEL_MAP};
use mayfly_core::at_once::at_once;

/// Where the kernel sees what the image links at an address: its own memory, the boot block and the ledger.
pub(super) const fn linked(address: u64) -> u64 {
    KERNEL_MAP + address
}

/// Physical address of something in the kernel's own memory.
pub(super) fn physical<T>(linked: *const T) -> u64 {
    linked as u64 - KERNEL_MAP + block().moved
}

/// The boot block.
pub(super) fn block() -> &'static BootBlock {
    // SAFETY: the host tool's boot block is mapped there in every image, and is only read from now on.
    unsafe { &*(linked(BOOT_BLOCK) as *const BootBlock) }
}

/// The command line; empty if the monitor gave none, or if this is no image of ours.
pub(crate) fn command_line() -> &'static [u8] {
    let block = block();
    let strange = (block.magic != BOOT_MAGIC) | (block.version != BOOT_VERSION);
    if at_once(strange | (block.command_line_len > COMMAND_LINE_MAX)) {
        return &[];
    }
    // SAFETY: the loader measured it; it lies in memory below 3 GiB that the kernel never hands out.
    unsafe {
        core::slice::from_raw_parts(direct(block.command_line_address) as *const u8, block.command_line_len as usize)
    }
}

/// The bundle, if the loader found one.
pub(crate) fn bundle(boot: &BootInfo) -> Option<&'static [u8]> {
    let address = boot.ramdisk_addr.into_option()?;
    // SAFETY: the loader vouches for address and length; the image's pages are never handed out or written.
    Some(unsafe { core::slice::from_raw_parts(address as *const u8, boot.ramdisk_len as usize) })
}
