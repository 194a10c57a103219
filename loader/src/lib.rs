//! What every loader tells the kernel, of the boot block that the host tool wrote and of what it found out itself.
#![no_std]
#![forbid(unsafe_code)]

use bootloader_api::BootInfo;
use bootloader_api::info::{FrameBuffer, MemoryRegion, MemoryRegions};
use mayfly_abi::boot::{BootBlock, DIRECT_MAP, KERNEL, KERNEL_MAP, KERNEL_STACK, KERNEL_STACK_TOP};

/// Where the direct map shows a physical address.
pub const fn direct(physical: u64) -> u64 {
    DIRECT_MAP + physical
}

/// What the kernel gets. The addresses in `block` are those at which the image lies, and `rsdp` is physical too.
// Into the way in, so that nothing is copied on the way.
#[inline(always)]
pub fn boot_info(
    block: &BootBlock,
    regions: &'static mut [MemoryRegion],
    rsdp: Option<u64>,
    framebuffer: Option<FrameBuffer>,
) -> BootInfo {
    let mut info = BootInfo::new(MemoryRegions::from(regions));
    info.physical_memory_offset = Some(DIRECT_MAP).into();
    info.rsdp_addr = rsdp.into();
    info.framebuffer = framebuffer.into();
    info.ramdisk_addr = Some(direct(block.bundle_address)).into();
    info.ramdisk_len = block.bundle_len;
    info.kernel_addr = block.kernel_address;
    info.kernel_len = block.kernel_len;
    info.kernel_image_offset = KERNEL_MAP + KERNEL;
    info.kernel_stack_bottom = KERNEL_MAP + KERNEL_STACK;
    info.kernel_stack_len = KERNEL_STACK_TOP - KERNEL_STACK;
    info
}
