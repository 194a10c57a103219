//! Interrupt controllers: the core's local APIC with its one-shot timer, and the I/O APIC. (SDM 3A chapter 11, 82093AA.)
//!
//! There is no tick: the timer is armed for the next thing that must happen, or not at all.

use super::clock;
use super::cpu::{self, direct};
use super::platform;
use super::traps::{self, SPURIOUS, TIMER, Traps};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use mayfly_core::acpi::Line;
use volatile::VolatilePtr;
use x86_64::registers::model_specific::Msr;

const LOCAL: u64 = 0xfee0_0000;
const IO: u64 = 0xfec0_0000;
/// Bytes of an I/O APIC's registers.
const IO_LEN: u64 = 0x20;

/// In an input's entry: it interrupts nobody.
const MASKED: u32 = 1 << 16;

/// The register that says how the local APIC is reached (SDM 3A 11.4.4, 11.12.1): on; by registers of the CPU, not by memory.
const BASE: u32 = 0x1b;
const ON: u64 = 1 << 11;
const BY_CPU: u64 = 1 << 10;
/// Register 0 of the local APIC, among the CPU's.
const FIRST: u32 = 0x800;

/// Registers of the local APIC.
const NUMBER: u64 = 0x20;
const EOI: u64 = 0xb0;
const SPURIOUS_VECTOR: u64 = 0xf0;
const TIMER_VECTOR: u64 = 0x320;
const TIMER_START: u64 = 0x380;
const TIMER_NOW: u64 = 0x390;
const TIMER_DIVIDE: u64 = 0x3e0;

/// "Divide by 1".
const DIVIDE_BY_1: u32 = 0b1011;
/// The APIC is on.
const ENABLED: u32 = 1 << 8;

/// The firmware has left the local APIC in the mode in which it is reached by registers of the CPU. There is no safe way back
/// from it on every CPU.
static REACHED_BY_CPU: AtomicBool = AtomicBool::new(false);

fn register(base: u64, offset: u64) -> VolatilePtr<'static, u32> {
    // SAFETY: the direct map shows both controllers, uncached; every register is an aligned word.
    unsafe { VolatilePtr::new(NonNull::new_unchecked(direct(base + offset) as *mut u32)) }
}

fn cpu_register(offset: u64) -> Msr {
    Msr::new(FIRST + (offset >> 4) as u32)
}

#[inline]
fn read_local(offset: u64) -> u32 {
    if REACHED_BY_CPU.load(Ordering::Relaxed) {
        // SAFETY: in this mode every register of the local APIC is there (SDM 3A 11.12.1.2).
        unsafe { cpu_register(offset).read() as u32 }
    } else {
        register(LOCAL, offset).read()
    }
}

#[inline]
fn write_local(offset: u64, value: u32) {
    if REACHED_BY_CPU.load(Ordering::Relaxed) {
        // SAFETY: as above; none of those that are written to makes the kernel's memory unsafe.
        unsafe { cpu_register(offset).write(value.into()) };
    } else {
        register(LOCAL, offset).write(value);
    }
}

/// Turns the local APIC on and lets its timer count down from the top, for [`counted`].
pub(crate) fn init(_: &Traps) {
    traps::silence_old_controllers();
    // SAFETY: every CPU with long mode has the register.
    let base = unsafe { Msr::new(BASE).read() };
    REACHED_BY_CPU.store(base & (ON | BY_CPU) == ON | BY_CPU, Ordering::Relaxed);
    write_local(SPURIOUS_VECTOR, ENABLED | u32::from(SPURIOUS));
    write_local(TIMER_DIVIDE, DIVIDE_BY_1);
    write_local(TIMER_VECTOR, u32::from(TIMER));
    write_local(TIMER_START, u32::MAX);
}

/// Timer ticks since [`init`], as long as the timer was not armed.
pub(crate) fn counted() -> u32 {
    u32::MAX - read_local(TIMER_NOW)
}

/// When the timer interrupts next, in TSC ticks; `u64::MAX` if it does not.
static ARMED: AtomicU64 = AtomicU64::new(u64::MAX);

/// Interrupts at `until` (TSC ticks) at the latest. An earlier time that the timer is set for stays: whoever is interrupted
/// too early goes on, and each time that the timer is set is an exit to the hypervisor.
pub(crate) fn arm_by(until: u64) {
    let armed = ARMED.load(Ordering::Relaxed);
    if armed > until || armed <= cpu::ticks() {
        arm(until);
    }
}

/// The timer has interrupted.
pub(super) fn expired() {
    ARMED.store(u64::MAX, Ordering::Relaxed);
}

/// Interrupts at `until` (TSC ticks), at once if that is over. `u64::MAX` means never.
pub(crate) fn arm(until: u64) {
    ARMED.store(until, Ordering::Relaxed);
    let start = if until == u64::MAX {
        0
    } else {
        clock::timer_counts(until.saturating_sub(cpu::ticks())).clamp(1, u64::from(u32::MAX)) as u32
    };
    write_local(TIMER_START, start);
}

/// Lets the APIC send the next interrupt.
pub(super) fn end_of_interrupt() {
    write_local(EOI, 0);
}

/// Sends an I/O APIC's input to this core as `vector`, edge-triggered.
pub(crate) fn route(input: u32, vector: u8) {
    // Two registers, reached through an index: the high half of the entry names the core (0), the low half the vector.
    let entry = 0x10 + 2 * input;
    let write = |index, value| {
        register(IO, 0).write(index);
        register(IO, 0x10).write(value);
    };
    write(entry + 1, 0);
    write(entry, u32::from(vector));
}

/// Sends a line to this core as `vector`, as the firmware's tables say that it is to be read. False if the controller has no
/// such input.
pub(crate) fn route_line(line: &Line, vector: u8) -> bool {
    let read = u32::from(line.active_low) << 13 | u32::from(line.level) << 15;
    set_line(line, u32::from(vector) | read).is_some()
}

/// Has a line interrupt nobody.
pub(crate) fn mask_line(line: &Line) {
    // What cannot be reached interrupts nobody.
    let _ = set_line(line, MASKED);
}

fn set_line(line: &Line, low: u32) -> Option<()> {
    let controller = platform::registers(line.apic.address.into(), IO_LEN)?;
    let at = |index| {
        controller.at::<u32>(0).write(index);
        controller.at::<u32>(0x10)
    };
    // Its version says which input is the last one.
    if at(1).read() >> 16 & 0xff < line.input {
        return None;
    }
    let entry = 0x10 + 2 * line.input;
    at(entry + 1).write(u32::from(number()) << 24);
    at(entry).write(low);
    Some(())
}

/// This core's number among those that interrupts are sent to.
pub(crate) fn number() -> u8 {
    let number = read_local(NUMBER);
    if REACHED_BY_CPU.load(Ordering::Relaxed) { number as u8 } else { (number >> 24) as u8 }
}
