//! What the firmware knows about the machine: memory, tables, screen; and where it prints.

use bootloader_api::info::{FrameBuffer, FrameBufferInfo, MemoryRegionKind, PixelFormat};
use core::fmt::{self, Write};
use mayfly_abi::exit::Exit;
use uefi::boot::{self, MemoryType, OpenProtocolAttributes, OpenProtocolParams, SearchType};
use uefi::mem::memory_map::{MemoryDescriptor, MemoryMap, MemoryMapMut, MemoryMapOwned};
use uefi::proto::console::gop::{GraphicsOutput, PixelFormat as Format};
use uefi::table::cfg::ConfigTableEntry;
use uefi::{Handle, system};

use mayfly_loader_uefi::regions::Regions;
use mayfly_loader_uefi::smbios;

use crate::{direct, jump};

/// Physical address of the root of the ACPI tables, of version 2 if there is one.
pub(crate) fn rsdp() -> Option<u64> {
    system::with_config_table(|entries| {
        let find = |guid| entries.iter().find(|entry| entry.guid == guid).map(|entry| entry.address as u64);
        find(ConfigTableEntry::ACPI2_GUID).or_else(|| find(ConfigTableEntry::ACPI_GUID))
    })
}

/// Copies words for the command line that the machine itself has, with a blank before them, and says how long they are.
pub(crate) fn words(out: &mut [u8]) -> usize {
    const ENTRY_POINT: usize = 32;
    let entry_point = system::with_config_table(|entries| {
        let find = |guid| entries.iter().find(|entry| entry.guid == guid).map(|entry| entry.address);
        find(ConfigTableEntry::SMBIOS3_GUID).or_else(|| find(ConfigTableEntry::SMBIOS_GUID))
    });
    let Some(entry_point) = entry_point else { return 0 };
    // SAFETY: the firmware's entry point is at least that long in both versions, or followed by the firmware's own memory.
    let entry_point = unsafe { core::slice::from_raw_parts(entry_point.cast::<u8>(), ENTRY_POINT) };
    let Some((address, len)) = smbios::structures(entry_point) else { return 0 };
    // SAFETY: the firmware vouches for both.
    let words = smbios::words(unsafe { core::slice::from_raw_parts(address as *const u8, len) }).unwrap_or_default();
    let len = words.len().min(out.len().saturating_sub(1));
    if len > 0 {
        out[0] = b' ';
        out[1..=len].copy_from_slice(&words[..len]);
    }
    len + usize::from(len > 0)
}

/// The first screen that has pixels which can be written to memory. Where there are several, what comes first may be the
/// firmware's console on all of them, which has none.
pub(crate) fn framebuffer() -> Option<FrameBuffer> {
    let screens = boot::locate_handle_buffer(SearchType::from_proto::<GraphicsOutput>()).ok()?;
    screens.iter().find_map(|handle| framebuffer_of(*handle))
}

fn framebuffer_of(handle: Handle) -> Option<FrameBuffer> {
    let parameters = OpenProtocolParams { handle, agent: boot::image_handle(), controller: None };
    // SAFETY: only asked; the firmware goes on printing through it, and it stays as long as the firmware does.
    let mut screen =
        unsafe { boot::open_protocol::<GraphicsOutput>(parameters, OpenProtocolAttributes::GetProtocol) }.ok()?;
    let mode = screen.current_mode_info();
    let pixel_format = match mode.pixel_format() {
        Format::Rgb => PixelFormat::Rgb,
        Format::Bgr => PixelFormat::Bgr,
        Format::Bitmask | Format::BltOnly => return None,
    };
    let (width, height) = mode.resolution();
    let mut buffer = screen.frame_buffer();
    let (byte_len, start) = (buffer.size(), buffer.as_mut_ptr() as u64);
    let info = FrameBufferInfo { byte_len, width, height, pixel_format, bytes_per_pixel: 4, stride: mode.stride() };
    // SAFETY: the firmware vouches for it. Where the direct map does not show it yet, the kernel sees to that.
    Some(unsafe { FrameBuffer::new(direct(start), info) })
}

/// Runs of memory that nobody uses, as `(start, end)`.
pub(crate) fn free(map: &impl MemoryMap) -> impl Iterator<Item = (u64, u64)> {
    map.entries().filter(|entry| entry.ty == MemoryType::CONVENTIONAL).map(range)
}

/// Lists the firmware's memory map, once the firmware was left.
pub(crate) fn list(mut map: MemoryMapOwned, regions: &mut Regions<'_>) {
    map.sort();
    for entry in map.entries() {
        let kind = match entry.ty {
            // Of no use to anybody after the jump, this code included.
            MemoryType::CONVENTIONAL
            | MemoryType::BOOT_SERVICES_CODE
            | MemoryType::BOOT_SERVICES_DATA
            | MemoryType::LOADER_CODE => MemoryRegionKind::Usable,
            MemoryType::LOADER_DATA => MemoryRegionKind::Bootloader,
            other => MemoryRegionKind::UnknownUefi(other.0),
        };
        let (start, end) = range(entry);
        regions.add(start, end, kind);
    }
    // It is our own memory now, and the firmware that would take it back is gone.
    core::mem::forget(map);
}

fn range(entry: &MemoryDescriptor) -> (u64, u64) {
    (entry.phys_start, entry.phys_start.saturating_add(entry.page_count.saturating_mul(mayfly_abi::PAGE)))
}

/// Prints on the firmware's console, as long as there is one, and on QEMU's debug console.
pub(crate) fn say(text: fmt::Arguments<'_>) {
    if uefi::table::system_table_raw().is_some_and(|table| {
        // SAFETY: the firmware's, which is there until boot services end.
        unsafe { !table.as_ref().boot_services.is_null() }
    }) {
        // A screen that cannot show it is no reason not to go on.
        let _ = system::with_stdout(|out| out.write_fmt(text));
    }
    let _ = DebugConsole.write_fmt(text);
}

/// Ends QEMU, if it has a debug console: as a machine that refuses its image.
pub(crate) fn refuse() {
    if jump::has_debug_console() {
        jump::exit(Exit::Refused);
    }
}

struct DebugConsole;

impl Write for DebugConsole {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if jump::has_debug_console() {
            text.bytes().filter(|byte| *byte != b'\r').for_each(jump::print);
        }
        Ok(())
    }
}
