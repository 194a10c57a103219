//! Intel 82540EM, the "PRO/1000 MT" of QEMU's `e1000`. (Intel's Software Developer's Manual of the family: 13, 14)

use super::intel::{self, Model, PATIENCE, VALID, register};
use super::{Nic, Unusable};
use crate::hw::memory::Memory;
use crate::hw::mmio::Window;
use crate::hw::pci::Config;
use mayfly_core::pci::Function;

/// Its maker, and its name there (5.2).
pub(super) const ID: (u16, u16) = (0x8086, 0x100e);

/// The register that words of the card's own memory are read through (13.4.4). In it: to be read; it was.
const MEMORY: u64 = 0x0014;
const START: u32 = 1;
const DONE: u32 = 1 << 4;
/// In an address's first byte: it is a group's, as is one that is all ones.
const GROUP: u32 = 1;

const MODEL: Model = Model {
    name: "82540EM",
    before_reset: |_| {},
    after_reset: load_address,
    // As recommended for copper (13.4.34).
    gap: 10 | 8 << 10 | 6 << 20,
};

/// Has the card listen to its own address, the first three words of its memory (5.6.1). A card does so itself when it is reset;
/// the one of Bochs does not.
fn load_address(registers: Window) -> Result<(), Unusable> {
    let [low, high, memory] = [register::ADDRESS_LOW, register::ADDRESS_HIGH, MEMORY].map(|at| registers.at::<u32>(at));
    if high.read() & VALID != 0 {
        return Ok(());
    }
    let word = |index: u32| {
        memory.write(index << 8 | START);
        (0..PATIENCE).map(|_| memory.read()).find(|value| value & DONE != 0).map(|value| value >> 16)
    };
    let [Some(first), Some(second), Some(third)] = [0, 1, 2].map(word) else { return Err(Unusable::Dead) };
    if first & GROUP != 0 {
        return Err(Unusable::Dead);
    }
    low.write(first | second << 16);
    high.write(third | VALID);
    Ok(())
}

/// Starts the card behind a function, which answers.
pub(super) fn start(config: &Config, function: &Function, memory: &Memory) -> Result<Nic, Unusable> {
    // The card itself knows messages; QEMU's does not.
    intel::start(config, function, &MODEL, memory)
}
