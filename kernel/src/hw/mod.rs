//! The machine: everything that has an address. The only `unsafe` of the kernel is in here.

pub(crate) mod apic;
pub(crate) mod boot;
pub(crate) mod clock;
pub(crate) mod console;
pub(crate) mod cpu;
pub(crate) mod domain;
pub(crate) mod entry;
pub(crate) mod exit;
pub(crate) mod fault;
pub(crate) mod heap;
pub(crate) mod isolation;
pub(crate) mod ledger;
pub(crate) mod memory;
mod mmio;
pub(crate) mod nic;
mod pci;
pub(crate) mod platform;
mod power;
pub(crate) mod random;
mod reference;
pub(crate) mod screen;
pub(crate) mod tables;
pub(crate) mod traps;
pub(crate) mod virtio;
mod way_back;
pub(crate) mod window;
