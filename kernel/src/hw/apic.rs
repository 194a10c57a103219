//! Interrupt controllers: the core's local APIC with its one-shot timer, and the I/O APIC. (SDM 3A chapter 11, 82093AA.)
//!
//! There is no tick: the timer is armed for the next thing that must happen, or not at all.

use super::clock;
use super::cpu::{self, direct};
use super::traps::{self, SPURIOUS, TIMER, Traps};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering};
use volatile::VolatilePtr;

const LOCAL: u64 = 0xfee0_0000;
const IO: u64 = 0xfec0_0000;

/// Registers of the local APIC.
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

fn register(base: u64, offset: u64) -> VolatilePtr<'static, u32> {
    // SAFETY: the direct map shows both controllers, uncached; every register is an aligned word.
    unsafe { VolatilePtr::new(NonNull::new_unchecked(direct(base + offset) as *mut u32)) }
}

/// Turns the local APIC on and lets its timer count down from the top, for [`counted`].
pub(crate) fn init(_: &Traps) {
    traps::silence_old_controllers();
    register(LOCAL, SPURIOUS_VECTOR).write(ENABLED | u32::from(SPURIOUS));
    register(LOCAL, TIMER_DIVIDE).write(DIVIDE_BY_1);
    register(LOCAL, TIMER_VECTOR).write(u32::from(TIMER));
    register(LOCAL, TIMER_START).write(u32::MAX);
}

/// Timer ticks since [`init`], as long as the timer was not armed.
pub(crate) fn counted() -> u32 {
    u32::MAX - register(LOCAL, TIMER_NOW).read()
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
    register(LOCAL, TIMER_START).write(start);
}

/// Lets the APIC send the next interrupt.
pub(super) fn end_of_interrupt() {
    register(LOCAL, EOI).write(0);
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
