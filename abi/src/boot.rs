//! Where things lie in the machine's memory, and the block in which the host tool tells the loader what it built.
//!
//! ```text
//! physical 0x0010_0000   loader
//!          0x0011_0000   boot block (one page)
//!          0x0011_1000   ledger (one page)
//!          0x0011_2000   hole: unmapped in the kernel's space, so a stack overflow faults
//!          0x0011_4000   kernel stack, 48 KiB, grows down from 0x0012_0000
//!          0x0012_0000   kernel, then the bundle, then the page tables, then free memory
//! virtual  DIRECT_MAP    all of the first 4 GiB; the kernel adds what memory there is above
//!          KERNEL_MAP    boot block, ledger, stack and kernel again, where they are linked
//! ```
//!
//! A loader that finds this memory taken puts the whole image higher by a multiple of [`MOVE_UNIT`], changes the page
//! tables accordingly, and notes it in the boot block. The kernel reaches boot block and ledger through [`KERNEL_MAP`],
//! which shows them at the same place wherever they are.

use crate::wire::layout;

/// Physical address at which the loader is linked.
pub const LOADER: u64 = 0x0010_0000;
/// Physical address of the [`BootBlock`].
pub const BOOT_BLOCK: u64 = 0x0011_0000;
/// Physical address of the [`crate::ledger::Ledger`].
pub const LEDGER: u64 = 0x0011_1000;
/// Physical address of the kernel stack's lowest byte.
pub const KERNEL_STACK: u64 = 0x0011_4000;
/// Physical address of the first byte above the kernel stack.
pub const KERNEL_STACK_TOP: u64 = 0x0012_0000;
/// Physical address of the kernel's first byte; it is linked at [`KERNEL_MAP`] plus this.
pub const KERNEL: u64 = 0x0012_0000;
/// Physical address that loader, kernel and everything mapped at [`KERNEL_MAP`] must stay below.
pub const KERNEL_END: u64 = 0x0020_0000;

/// Virtual address of physical address 0 in the direct map.
pub const DIRECT_MAP: u64 = 0xffff_8000_0000_0000;
/// Length of the direct map in the image's tables.
pub const DIRECT_MAP_LEN: u64 = 4 << 30;
/// Most that the direct map can be grown to: what its entry of the top table spans, but for a last GiB, which is left for
/// devices that lie above 4 GiB.
pub const DIRECT_MAP_MAX: u64 = 511 << 30;
/// From here up to its end the direct map is uncached: devices.
pub const DEVICES: u64 = 0xc000_0000;
/// Virtual address of physical address 0 in the kernel's own map.
pub const KERNEL_MAP: u64 = 0xffff_ffff_8000_0000;
/// An image is moved by a multiple of this: the size of a large page, so that its page tables keep their shape.
pub const MOVE_UNIT: u64 = 2 << 20;

/// CR4 with which the kernel starts: PAE, OSFXSR, OSXMMEXCPT. SSE is on before any Rust runs: the toolchain's `core` uses it.
pub const CR4: u32 = 1 << 5 | 1 << 9 | 1 << 10;
/// CR0 with which it starts: PE, MP, ET, NE, WP, PG.
pub const CR0: u32 = 1 | 1 << 1 | 1 << 4 | 1 << 5 | 1 << 16 | 1 << 31;
/// What is on in EFER: SCE, LME, NXE.
pub const EFER: u32 = 1 | 1 << 8 | 1 << 11;

/// "MAYFLY!\0" in memory.
pub const BOOT_MAGIC: u64 = u64::from_le_bytes(*b"MAYFLY!\0");
/// Version of [`BootBlock`] and of the maps in this file.
pub const BOOT_VERSION: u64 = 2;

layout! {
    /// Written by the host tool at [`BOOT_BLOCK`]; the loader fills in the command line, and adds `moved` to every other
    /// physical address.
    pub struct BootBlock {
        /// [`BOOT_MAGIC`].
        pub magic: u64,
        /// [`BOOT_VERSION`].
        pub version: u64,
        /// Physical address of the top page table, ready to load into CR3.
        pub page_table: u64,
        /// Virtual address of the kernel's entry point.
        pub kernel_entry: u64,
        /// Physical address of the kernel's first byte.
        pub kernel_address: u64,
        /// Bytes from there to its end, zeroed memory included.
        pub kernel_len: u64,
        /// Physical address of the bundle.
        pub bundle_address: u64,
        /// Length of the bundle.
        pub bundle_len: u64,
        /// Physical address of the first byte that the image does not use.
        pub image_end: u64,
        /// Physical address of the command line, 0 if there is none. Filled in by the loader.
        pub command_line_address: u64,
        /// Its length, without the final zero. Filled in by the loader.
        pub command_line_len: u64,
        /// How far above its linked place the image lies, a multiple of [`MOVE_UNIT`]. Filled in by the loader.
        pub moved: u64,
    }
}

/// Offset of `page_table` in [`BootBlock`], for the loader's 32-bit entry.
pub const PAGE_TABLE_OFFSET: u64 = core::mem::offset_of!(BootBlock, page_table) as u64;

/// Longest command line that the loader passes on.
pub const COMMAND_LINE_MAX: u64 = 2048;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Wire;

    #[test]
    fn the_boot_block_is_pinned() {
        assert_eq!(BootBlock::SIZE, 96);
        assert_eq!(PAGE_TABLE_OFFSET, 16);
        assert_eq!(core::mem::offset_of!(BootBlock, moved), 88);
        let mut out = [0; BootBlock::SIZE];
        BootBlock::get(&[0xff; BootBlock::SIZE]).put(&mut out);
        assert_eq!(out, [0xff; BootBlock::SIZE]);
    }
}
