//! The machine beyond the core: what the firmware's tables say that there is, and what is there in any case.

use super::console::say;
use super::cpu::direct;
use super::mmio::Window;
use super::power;
use bootloader_api::BootInfo;
use bootloader_api::info::{MemoryRegion, MemoryRegionKind};
use mayfly_abi::boot::DIRECT_MAP_LEN;
use mayfly_core::acpi::{self, IoApic, Line, Physical, Platform};
use spin::Once;

/// The I/O APIC of a machine whose tables do not say.
const USUAL_APIC: IoApic = IoApic { address: 0xfec0_0000, first: 0 };
/// Memory below 1 MiB that is none: the old display's.
const DISPLAY: (u64, u64) = (0xa_0000, 0xc_0000);
const LOW: u64 = 1 << 20;

/// What was found, and in which memory.
struct Found {
    platform: Platform,
    memory: Memory,
}

static FOUND: Once<Found> = Once::new();

/// The loader's map of memory.
#[derive(Clone, Copy)]
pub(super) struct Memory(&'static [MemoryRegion]);

impl Physical for Memory {
    fn bytes(&self, address: u64, len: usize) -> Option<&[u8]> {
        let end = address.checked_add(len as u64).filter(|end| *end <= DIRECT_MAP_LEN)?;
        let is_low = end <= LOW && (end <= DISPLAY.0 || address >= DISPLAY.1);
        // What the firmware keeps for itself is in one region of the map; usable memory is handed out already.
        let is_kept = |region: &MemoryRegion| {
            let is_firmwares = !matches!(region.kind, MemoryRegionKind::Usable | MemoryRegionKind::Bootloader);
            is_firmwares && region.start <= address && end <= region.end
        };
        if !is_low && !self.0.iter().any(is_kept) {
            return None;
        }
        // SAFETY: the direct map shows it, and the kernel never writes there.
        Some(unsafe { core::slice::from_raw_parts(direct(address) as *const u8, len) })
    }
}

/// Reads the firmware's tables. Each that does not hold is told on the console.
pub(crate) fn init(boot: &'static BootInfo) {
    FOUND.call_once(|| {
        let memory = Memory(&boot.memory_regions);
        let pointer = boot.rsdp_addr.into_option().or_else(|| acpi::search(&memory));
        let platform = match pointer {
            Some(pointer) => acpi::read(pointer, &memory, &mut |complaint| say!("mayfly: {complaint}")),
            None => {
                say!("mayfly: the firmware has left no ACPI tables");
                Platform::NOTHING
            }
        };
        Found { platform, memory }
    });
    power::watch_button();
}

/// What the tables say; nothing before [`init`].
pub(super) fn get() -> &'static Platform {
    FOUND.get().map_or(&Platform::NOTHING, |found| &found.platform)
}

/// The memory that tables lie in.
pub(super) fn memory() -> Option<Memory> {
    FOUND.get().map(|found| found.memory)
}

/// Whether there is memory of ours in a piece of physical memory.
fn is_memory(address: u64, len: u64) -> bool {
    let end = address.saturating_add(len);
    let ours = |region: &&MemoryRegion| matches!(region.kind, MemoryRegionKind::Usable | MemoryRegionKind::Bootloader);
    let regions = FOUND.get().map_or(&[][..], |found| found.memory.0);
    address < LOW || regions.iter().filter(ours).any(|region| region.start < end && address < region.end)
}

/// Maps registers that the firmware's tables or a device name, unless they lie where memory is.
pub(super) fn registers(address: u64, len: u64) -> Option<Window> {
    if is_memory(address, len) { None } else { Window::map(address, len) }
}

/// Where old interrupt number `irq` goes, if it is one: by the tables, or as on any PC.
pub(super) fn line(irq: u8) -> Option<Line> {
    if irq == 0 || irq >= 16 {
        return None;
    }
    let usual = Line { apic: USUAL_APIC, input: irq.into(), active_low: true, level: true };
    get().interrupts.as_ref().map_or(Some(usual), |interrupts| interrupts.line(irq, true))
}
