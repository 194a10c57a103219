//! PCI: configuration space by memory or by ports, a function's registers, and interrupts that are messages.
//! (PCI Local Bus 3.0, 3.2.2.3 and 6.8; PCI Express 4.0, 7.2)

use super::mmio::Window;
use super::{apic, platform, traps};
use mayfly_core::acpi::Configuration;
use mayfly_core::pci::{Function, Region, Space};
use pci_types::capability::{PciCapability, TriggerMode};
use pci_types::{CommandRegister, ConfigRegionAccess, PciAddress};
use x86_64::instructions::port::Port;

/// Ports of the first way: an address, and the word there.
const ADDRESS: u16 = 0xcf8;
const DATA: u16 = 0xcfc;
/// In the address: it is one.
const ENABLED: u32 = 1 << 31;
/// Bytes of a function's configuration space by the second way.
const FUNCTION: u64 = 4 << 10;

/// Configuration space.
pub(crate) struct Config {
    /// The second way: memory, as far as it is mapped. The first one serves everything else.
    memory: Option<Configuration>,
}

impl Config {
    /// By memory if the firmware says where and the same device is seen there as by ports, else by ports.
    pub(crate) fn new(memory: Option<Configuration>) -> Self {
        let first = PciAddress::new(0, 0, 0, 0);
        let by_ports = Self { memory: None };
        let by_memory = Self { memory };
        let same = by_memory.word(first, 0) == by_ports.word(first, 0);
        if same { by_memory } else { by_ports }
    }

    fn register(&self, function: PciAddress, offset: u16) -> Option<Window> {
        let memory = self.memory.filter(|memory| (memory.buses.0..=memory.buses.1).contains(&function.bus()))?;
        let number =
            u64::from(function.bus()) << 8 | u64::from(function.device()) << 3 | u64::from(function.function());
        Window::map(memory.base + number * FUNCTION + u64::from(offset & !3), 4)
    }

    /// Makes ready for the data port; false where it does not lead.
    fn select(function: PciAddress, offset: u16) -> bool {
        let place = u32::from(function.bus()) << 16
            | u32::from(function.device()) << 11
            | u32::from(function.function()) << 8
            | u32::from(offset & 0xfc);
        // SAFETY: only says which word the data port stands for.
        unsafe { Port::new(ADDRESS).write(ENABLED | place) };
        offset < 256 && function.segment() == 0
    }
}

impl Space for Config {
    fn word(&self, function: PciAddress, offset: u16) -> u32 {
        match self.register(function, offset) {
            Some(register) => register.at(0).read(),
            // SAFETY: reading a word of configuration space has no effect, and where there is nothing all bits are one.
            None if Self::select(function, offset) => unsafe { Port::new(DATA).read() },
            None => u32::MAX,
        }
    }

    fn set_word(&self, function: PciAddress, offset: u16, value: u32) {
        match self.register(function, offset) {
            Some(register) => register.at(0).write(value),
            // SAFETY: only drivers write, to what their card says is there.
            None if Self::select(function, offset) => unsafe { Port::new(DATA).write(value) },
            None => {}
        }
    }
}

impl ConfigRegionAccess for Config {
    unsafe fn read(&self, address: PciAddress, offset: u16) -> u32 {
        self.word(address, offset)
    }

    unsafe fn write(&self, address: PciAddress, offset: u16, value: u32) {
        self.set_word(address, offset, value);
    }
}

/// The registers in base address register number `slot`, mapped. None if there are none, or if they lie where memory is.
pub(crate) fn registers(config: &Config, function: &Function, slot: u8) -> Option<Window> {
    let Region { address, len } = function.memory(config, slot)?;
    platform::registers(address, len)
}

/// Lets a function answer, read and write memory, and interrupt.
pub(crate) fn enable(config: &Config, function: &Function) {
    let wanted = CommandRegister::MEMORY_ENABLE | CommandRegister::BUS_MASTER_ENABLE;
    function.command(config, wanted, CommandRegister::INTERRUPT_DISABLE);
}

/// Lets a function that nobody drives neither interrupt nor write to memory: its firmware may have left it at work.
pub(crate) fn silence(config: &Config, function: &Function) {
    function.command(config, CommandRegister::INTERRUPT_DISABLE, CommandRegister::BUS_MASTER_ENABLE);
}

/// The first of a function's capabilities that is wanted.
#[inline(never)]
fn capability(config: &Config, function: &Function, wanted: fn(&PciCapability) -> bool) -> Option<PciCapability> {
    function.capabilities(config).find(wanted)
}

fn is_table(capability: &PciCapability) -> bool {
    matches!(capability, PciCapability::MsiX(_))
}

/// Has a function send the card's interrupt as a message, from its table's first entry (6.8.2). None if it has no table.
pub(crate) fn send_from_table(config: &Config, function: &Function) -> Option<()> {
    let PciCapability::MsiX(mut table) = capability(config, function, is_table)? else { return None };
    let entry = registers(config, function, table.table_bar())?.part(table.table_offset().into(), 16)?;
    let (address, data) = message();
    entry.at::<u32>(0).write(address as u32);
    entry.at::<u32>(4).write((address >> 32) as u32);
    entry.at::<u32>(8).write(data);
    entry.at::<u32>(12).write(0);
    table.set_function_mask(false, config);
    table.set_enabled(true, config);
    Some(())
}

/// Has a function send the card's interrupt as a message (6.8.1), and none of its table's. None if it cannot.
pub(crate) fn send(config: &Config, function: &Function) -> Option<()> {
    if let Some(PciCapability::MsiX(mut table)) = capability(config, function, is_table) {
        table.set_enabled(false, config);
    }
    let is_message = |capability: &PciCapability| matches!(capability, PciCapability::Msi(_));
    let PciCapability::Msi(sender) = capability(config, function, is_message)? else { return None };
    sender.set_message_info_lapic(message().0, traps::NIC, TriggerMode::Edge, config);
    sender.set_enabled(true, config);
    Some(())
}

/// Has the card's interrupt come by a line, as the firmware has noted it. False if it notes none that leads anywhere.
pub(crate) fn route_line(config: &Config, function: &Function) -> bool {
    let line = config.word(function.address, 0x3c) as u8;
    platform::line(line).is_some_and(|line| apic::route_line(&line, traps::NIC))
}

/// Where a message goes, and what it says: this core, the card's vector, at its edge (SDM 3A 11.11).
fn message() -> (u64, u32) {
    (0xfee0_0000 | u64::from(apic::number()) << 12, traps::NIC.into())
}
