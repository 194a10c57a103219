//! The monitor's start info (PVH: `hvm_start_info` and `hvm_memmap_table_entry`, xen/include/public/arch-x86/hvm/start_info.h).

use mayfly_abi::boot::COMMAND_LINE_MAX;

use crate::Start;

/// "xEn3" with the top bit of the E set.
const MAGIC: u32 = 0x336e_c578;
/// Most entries that are read.
const MAP_MAX: u32 = 64;

#[repr(C)]
struct StartInfo {
    magic: u32,
    version: u32,
    flags: u32,
    modules: u32,
    module_list: u64,
    command_line: u64,
    rsdp: u64,
    // Since version 1.
    memory_map: u64,
    memory_map_entries: u32,
    reserved: u32,
}

#[repr(C)]
struct MapEntry {
    address: u64,
    len: u64,
    kind: u32,
    reserved: u32,
}

/// Reads the start info at a physical address that is identity-mapped. Panics if it is none.
///
/// # Safety
/// The monitor vouches for the address.
// As for what it is passed on to.
#[inline(always)]
pub(crate) unsafe fn read(address: u64) -> Start<impl Iterator<Item = (u64, u64, u32)>> {
    // SAFETY: given by the monitor, which keeps it until the kernel has taken over low memory (it never does).
    let info = unsafe { &*(address as *const StartInfo) };
    assert!(info.magic == MAGIC && info.version >= 1);
    // SAFETY: the monitor vouches for what the start info points to.
    let (map, command_line) = unsafe { (info.memory_map(), info.command_line()) };
    let map = map.iter().map(|entry| (entry.address, entry.len, entry.kind));
    Start { map, command_line, rsdp: (info.rsdp != 0).then_some(info.rsdp), framebuffer: None }
}

impl StartInfo {
    /// The machine's memory map.
    ///
    /// # Safety
    /// As for [`read`].
    unsafe fn memory_map(&self) -> &'static [MapEntry] {
        let entries = self.memory_map_entries.min(MAP_MAX) as usize;
        // SAFETY: the monitor vouches for as many entries as it says there are.
        unsafe { core::slice::from_raw_parts(self.memory_map as *const MapEntry, entries) }
    }

    /// Physical address and length of the command line; longer ones than [`COMMAND_LINE_MAX`] are cut.
    ///
    /// # Safety
    /// As for [`read`].
    unsafe fn command_line(&self) -> (u64, u64) {
        if self.command_line == 0 {
            return (0, 0);
        }
        let text = self.command_line as *const u8;
        let mut len = 0;
        // SAFETY: the text ends in a zero, and no byte before this one was.
        while len < COMMAND_LINE_MAX && unsafe { text.add(len as usize).read_volatile() } != 0 {
            len += 1;
        }
        (self.command_line, len)
    }
}
