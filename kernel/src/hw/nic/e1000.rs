//! Intel 82540EM, the "PRO/1000 MT" of QEMU's `e1000`. (Intel's Software Developer's Manual of the family: 13, 14)

use super::intel::{self, Model};
use super::{Nic, Unusable};
use crate::hw::memory::Memory;
use crate::hw::pci::Config;
use mayfly_core::pci::Function;

/// Its maker, and its name there (5.2).
pub(super) const ID: (u16, u16) = (0x8086, 0x100e);

const MODEL: Model = Model {
    name: "82540EM",
    before_reset: |_| {},
    after_reset: |_| Ok(()),
    // As recommended for copper (13.4.34).
    gap: 10 | 8 << 10 | 6 << 20,
};

/// Starts the card behind a function, which answers.
pub(super) fn start(config: &Config, function: &Function, memory: &Memory) -> Result<Nic, Unusable> {
    // The card itself knows messages; QEMU's does not.
    intel::start(config, function, &MODEL, memory)
}
