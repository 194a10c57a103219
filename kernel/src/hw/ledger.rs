//! The ledger page: time stamps and counters that the host reads from outside. docs/ledger.md

use super::boot::linked;
use super::cpu::ticks;
use core::mem::offset_of;
use core::ptr::NonNull;
use mayfly_abi::boot::LEDGER;
use mayfly_abi::ledger::{LEDGER_MAGIC, Ledger, Phase};
use volatile::VolatilePtr;

/// One of the ledger's words.
fn word(offset: usize) -> VolatilePtr<'static, u64> {
    let address = (linked(LEDGER) + offset as u64) as *mut u64;
    // SAFETY: the ledger page is mapped, nothing else refers to it, and every field of it is an aligned word.
    unsafe { VolatilePtr::new(NonNull::new_unchecked(address)) }
}

fn add(offset: usize, more: u64) {
    word(offset).update(|value| value + more);
}

/// Says that the kernel runs.
pub(crate) fn open() {
    word(offset_of!(Ledger, magic)).write(LEDGER_MAGIC);
}

/// Stamps a phase that is reached once.
pub(crate) fn stamp_once(phase: Phase) {
    word(phase.offset()).write(ticks());
}

/// Stamps a phase if it is reached for the first time, or again for the first time since the host has forgotten it.
#[inline]
pub(crate) fn stamp(phase: Phase) {
    let slot = word(phase.offset());
    if slot.read() == 0 {
        slot.write(ticks());
    }
}

/// Stamps when the work in which the first response was made began and ended. Called at the end of any work.
pub(crate) fn stamp_work(began: u64, ended: u64) {
    let rest = word(Phase::Rest.offset());
    if rest.read() == 0 && word(Phase::Response.offset()).read() != 0 {
        word(Phase::Wake.offset()).write(began);
        rest.write(ended);
    }
}

/// Notes how fast the TSC runs.
pub(crate) fn set_rate(hz: u64) {
    word(offset_of!(Ledger, tsc_hz)).write(hz);
}

/// Notes that the machine goes idle after `busy` ticks of work in all.
pub(crate) fn idle(busy: u64) {
    word(offset_of!(Ledger, busy)).write(busy);
    add(offset_of!(Ledger, idles), 1);
}

/// Notes `ticks` of work on domains.
pub(crate) fn add_domain_work(ticks: u64) {
    add(offset_of!(Ledger, domains), ticks);
}

/// Notes that one more invocation has ended.
pub(crate) fn count_invocation() {
    add(offset_of!(Ledger, invocations), 1);
}

/// Notes how many connections are open.
pub(crate) fn set_connections(open: u64) {
    word(offset_of!(Ledger, connections)).write(open);
}

/// Notes how many page frames are in use, and how many there are.
pub(crate) fn set_frames(used: u64, total: u64) {
    set_frames_used(used);
    word(offset_of!(Ledger, frames_total)).write(total);
}

/// Notes how many page frames are in use.
pub(crate) fn set_frames_used(used: u64) {
    word(offset_of!(Ledger, frames_used)).write(used);
}
