//! The core itself: its protections, its state for ring 3, and the few instructions Rust has no words for.

use super::console::say;
use core::arch::asm;
use core::arch::x86_64::{__cpuid_count, _rdtsc};
use mayfly_abi::boot::DIRECT_MAP;
use spin::Once;
use x86_64::VirtAddr;
use x86_64::registers::control::{Cr3, Cr4, Cr4Flags};
use x86_64::registers::model_specific::{GsBase, LStar, SFMask};
use x86_64::registers::rflags::RFlags;

/// The time stamp counter.
#[inline]
pub(crate) fn ticks() -> u64 {
    // SAFETY: every x86-64 CPU has it.
    unsafe { _rdtsc() }
}

/// Turns on SMEP, SMAP and UMIP (SDM 3A 4.6, 2.5), and reports what the CPU lacks. NX and WP are on since the loader.
///
/// SMAP is never lifted: the kernel reaches a function's memory through the direct map alone.
pub(crate) fn protect() {
    let features = __cpuid_count(7, 0);
    let mut wanted = Cr4::read();
    wanted.set(Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION, features.ebx & 1 << 7 != 0);
    wanted.set(Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION, features.ebx & 1 << 20 != 0);
    wanted.set(Cr4Flags::USER_MODE_INSTRUCTION_PREVENTION, features.ecx & 1 << 2 != 0);
    // SAFETY: only protections that the CPU has; the kernel breaks none of them.
    unsafe { Cr4::write(wanted) };
    let all = Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION
        | Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION
        | Cr4Flags::USER_MODE_INSTRUCTION_PREVENTION;
    if !wanted.contains(all) {
        say!("mayfly: this CPU lacks {:?}; page rights still hold functions apart", all - wanted);
    }
}

/// Prepares the `syscall` instruction: where it goes, which flags it clears (all of them), and what GS finds there.
pub(crate) fn set_call_entry(entry: u64, core: u64) {
    LStar::write(VirtAddr::new_truncate(entry));
    SFMask::write(RFlags::from_bits_truncate(0x003f_7fd5));
    GsBase::write(VirtAddr::new_truncate(core));
}

/// The page table in use, as a physical address.
pub(crate) fn page_table() -> u64 {
    Cr3::read_raw().0.start_address().as_u64()
}

/// With [`use_page_table`]'s number: the CPU keeps the translations that it has under that number (SDM 3A 4.10.4.1).
pub(crate) const KEEP_TRANSLATIONS: u64 = 1 << 63;

/// Makes the page table at a physical address the one in use, under a number if address spaces are numbered.
///
/// # Safety
/// The table maps the kernel as every table does, and lives for as long as it is in use. No other address space's
/// translations are kept under the number.
pub(crate) unsafe fn use_page_table(table: u64, number: u64) {
    // SAFETY: the caller vouches for both.
    unsafe { asm!("mov cr3, {}", in(reg) table | number, options(nostack, preserves_flags)) };
}

/// Has the CPU keep the translations of address spaces apart by number, if it can.
pub(crate) fn number_address_spaces() -> bool {
    let can = __cpuid_count(1, 0).ecx & 1 << 17 != 0;
    if can {
        // SAFETY: the CPU has it, and the address space in use has number 0, as it must.
        unsafe { Cr4::write(Cr4::read() | Cr4Flags::PCID) };
    }
    can
}

/// Lifts SMEP and SMAP for good: ring 0 may execute and touch what is open to ring 3.
pub(crate) fn let_ring_0_use_user_pages() {
    let barred = Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION | Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION;
    // SAFETY: takes protections away, as the image asks.
    unsafe { Cr4::write(Cr4::read() - barred) };
}

/// Forgets every translation of the address space in use.
pub(crate) fn flush_all() {
    let (table, number) = Cr3::read_raw();
    // SAFETY: the same table under the same number; nothing is kept.
    unsafe { use_page_table(table.start_address().as_u64(), u64::from(number)) };
}

/// Forgets the translation of one page, and all cached upper levels (SDM 3A 4.10.4.1).
pub(crate) fn flush(address: u64) {
    x86_64::instructions::tlb::flush(VirtAddr::new_truncate(address));
}

/// The address of the last page fault.
pub(crate) fn fault_address() -> u64 {
    x86_64::registers::control::Cr2::read_raw()
}

/// Waits for an interrupt. It is handled before this returns; interrupts are off on both sides.
pub(crate) fn wait() {
    // SAFETY: `sti` takes effect after the next instruction, so no interrupt is lost between the two. The handler is Rust,
    // and the trap stub keeps general registers only.
    unsafe { asm!("sti", "hlt", "cli", clobber_abi("sysv64")) };
}

/// Waits for so many microseconds at least: each write to this port takes one, on whatever bus it is.
pub(crate) fn pause_micros(count: u32) {
    for _ in 0..count {
        // SAFETY: the port shows numbers while firmware starts; nobody reads them.
        unsafe { x86_64::instructions::port::Port::<u8>::new(0x80).write(0) };
    }
}

/// A random word from the CPU, if it can make one (SDM 1 7.3.17).
pub(crate) fn random() -> Option<u64> {
    // Asked once: under a hypervisor the question is an exit.
    static PRESENT: Once<bool> = Once::new();
    if !*PRESENT.call_once(|| __cpuid_count(1, 0).ecx & 1 << 30 != 0) {
        return None;
    }
    for _ in 0..10 {
        let (value, ok): (u64, u8);
        // SAFETY: CPUID says that RDRAND is there.
        unsafe { asm!("rdrand {}", "setc {}", out(reg) value, out(reg_byte) ok, options(nomem, nostack)) };
        if ok != 0 {
            return Some(value);
        }
    }
    None
}

/// TSC rate by CPUID leaf 0x15 (SDM 2A), if the CPU says.
pub(crate) fn announced_tsc_hz() -> Option<u64> {
    if __cpuid_count(0, 0).eax < 0x15 {
        return None;
    }
    let leaf = __cpuid_count(0x15, 0);
    let hz = u64::from(leaf.ecx) * u64::from(leaf.ebx) / u64::from(leaf.eax.max(1));
    (hz != 0).then_some(hz)
}

/// Whether a page can be a gibibyte (SDM 3A 4.1.4).
pub(crate) fn has_pages_of_a_gibibyte() -> bool {
    __cpuid_count(0x8000_0001, 0).edx & 1 << 26 != 0
}

/// How many bits a physical address has: at most 52 (SDM 3A 4.1.4).
pub(super) fn address_bits() -> u32 {
    (__cpuid_count(0x8000_0008, 0).eax & 0xff).min(52)
}

/// Whether a hypervisor says that it runs this machine.
pub(crate) fn has_hypervisor() -> bool {
    __cpuid_count(1, 0).ecx & 1 << 31 != 0
}

/// Where the direct map shows a physical address.
pub(crate) const fn direct(physical: u64) -> u64 {
    DIRECT_MAP + physical
}
