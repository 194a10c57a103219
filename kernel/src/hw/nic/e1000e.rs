//! Intel 82574L, the card of QEMU's `e1000e`. (82574 GbE Controller Family Datasheet: 4.6, 10.2)

use super::intel::{self, Model, PATIENCE, register};
use super::{Nic, Unusable};
use crate::hw::memory::Memory;
use crate::hw::mmio::Window;
use crate::hw::pci::Config;
use mayfly_core::pci::Function;

/// Its maker, and its name there (9.1).
pub(super) const ID: (u16, u16) = (0x8086, 0x10d3);

/// Registers that the older cards do not have, or have otherwise (10.2.2).
const STATUS: u64 = 0x0008;
const MEMORY: u64 = 0x0010;
const EXTENDED: u64 = 0x0018;
const SENDER: u64 = 0x3828;
/// In the control register: no new access to the machine's memory. In the status register: one is under way.
const MASTER_OFF: u32 = 1 << 2;
const MASTER: u32 = 1 << 19;
/// In the register of the card's own memory: its contents were loaded.
const LOADED: u32 = 1 << 9;
/// In the extended control register: a driver has the card, no longer its firmware.
const DRIVEN: u32 = 1 << 28;
/// In the sender's control register: to be set (10.2.6.8).
const SET: u32 = 1 << 22;

const MODEL: Model = Model {
    name: "82574L",
    before_reset: stop_master,
    after_reset: take_over,
    // As recommended (10.2.6.2).
    gap: 8 | 8 << 10 | 7 << 20,
};

/// Has accesses to memory come to an end (5.2.3.3): a reset in the middle of one hangs the bus.
fn stop_master(registers: Window) {
    let control = registers.at::<u32>(register::CONTROL);
    control.write(control.read() | MASTER_OFF);
    // What does not end is reset all the same.
    (0..PATIENCE).take_while(|_| registers.at::<u32>(STATUS).read() & MASTER != 0).for_each(drop);
}

/// Waits until the card has its address, and takes it from its firmware.
fn take_over(registers: Window) -> Result<(), Unusable> {
    if !(0..PATIENCE).any(|_| registers.at::<u32>(MEMORY).read() & LOADED != 0) {
        return Err(Unusable::Dead);
    }
    let set = |offset, bit: u32| registers.at::<u32>(offset).update(|value| value | bit);
    set(EXTENDED, DRIVEN);
    set(SENDER, SET);
    Ok(())
}

/// Starts the card behind a function, which answers.
pub(super) fn start(config: &Config, function: &Function, memory: &Memory) -> Result<Nic, Unusable> {
    // One message for everything: the table would want each cause to be given an entry (10.2.4.9).
    intel::start(config, function, &MODEL, memory)
}
