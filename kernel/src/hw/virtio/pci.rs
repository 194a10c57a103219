//! Virtio over PCI. (virtio 1.2: 4.1)

use super::{Doorbell, Interrupt, Queue, Transport};
use crate::hw::mmio::Window;
use crate::hw::nic::Unusable;
use crate::hw::pci::{self, Config};
use mayfly_core::pci::{Function, Space};
use pci_types::capability::PciCapability;

/// Maker of virtio devices, and the network card by its old name and by its new one (4.1.2).
pub(crate) const NETWORK_CARDS: [(u16, u16); 2] = [(0x1af4, 0x1000), (0x1af4, 0x1041)];

/// Types of virtio's capabilities (4.1.4).
const COMMON: u8 = 1;
const NOTIFY: u8 = 2;
const LINE: u8 = 3;
const DEVICE: u8 = 4;

/// The common configuration (4.1.4.3).
mod register {
    pub(super) const DEVICE_FEATURES_SELECT: u64 = 0;
    pub(super) const DEVICE_FEATURES: u64 = 4;
    pub(super) const DRIVER_FEATURES_SELECT: u64 = 8;
    pub(super) const DRIVER_FEATURES: u64 = 12;
    pub(super) const CHANGES_ENTRY: u64 = 16;
    pub(super) const STATUS: u64 = 20;
    pub(super) const QUEUE_SELECT: u64 = 22;
    pub(super) const QUEUE_LEN: u64 = 24;
    pub(super) const QUEUE_ENTRY: u64 = 26;
    pub(super) const QUEUE_READY: u64 = 28;
    pub(super) const QUEUE_NOTIFY: u64 = 30;
    pub(super) const QUEUE_DESCRIPTORS: u64 = 32;
    pub(super) const QUEUE_AVAILABLE: u64 = 40;
    pub(super) const QUEUE_USED: u64 = 48;
    pub(super) const LEN: u64 = 56;
}

/// No entry of the message table.
const NO_ENTRY: u16 = 0xffff;

/// A device.
#[derive(Clone, Copy)]
pub(crate) struct Pci<'a> {
    config: &'a Config,
    function: &'a Function,
    common: Window,
    notify: Window,
    /// Bytes from one queue's notification register to the next one's.
    stride: u64,
    line: Window,
    device: Window,
}

impl<'a> Pci<'a> {
    /// The device behind a function, which answers.
    pub(crate) fn find(config: &'a Config, function: &'a Function) -> Result<Self, Unusable> {
        let (mut parts, mut stride, mut is_modern) = ([None; 5], 0, false);
        for capability in function.capabilities(config) {
            let PciCapability::Vendor(place) = capability else { continue };
            let word = |offset| config.word(function.address, place.offset + offset);
            let kind = (word(0) >> 24) as u8;
            is_modern |= kind == COMMON;
            // Of several of one type the first that can be used counts (4.1.4.1).
            let Some(slot @ None) = parts.get_mut(usize::from(kind)) else { continue };
            *slot = pci::registers(config, function, word(4) as u8)
                .and_then(|registers| registers.part(word(8).into(), word(12).into()));
            if kind == NOTIFY {
                stride = word(16).into();
            }
        }
        let part = |kind: u8, len| parts[usize::from(kind)].filter(|part: &Window| part.part(0, len).is_some());
        let without = if is_modern { Unusable::Unreachable } else { Unusable::Legacy };
        let common = part(COMMON, register::LEN).ok_or(without)?;
        let (Some(notify), Some(line), Some(device)) = (part(NOTIFY, 2), part(LINE, 1), part(DEVICE, 6)) else {
            return Err(Unusable::Unreachable);
        };
        Ok(Self { config, function, common, notify, stride, line, device })
    }

    fn write_address(self, offset: u64, address: u64) {
        self.common.at::<u32>(offset).write(address as u32);
        self.common.at::<u32>(offset + 4).write((address >> 32) as u32);
    }
}

impl Transport for Pci<'_> {
    fn status(&self) -> u8 {
        self.common.at(register::STATUS).read()
    }

    fn set_status(&self, status: u8) {
        let register = self.common.at::<u8>(register::STATUS);
        register.write(status);
        // A reset is over when it is read as such (4.1.4.3.1); what does not reset is not waited for any longer.
        (0..1000).take_while(|_| status == 0 && register.read() != 0).for_each(drop);
    }

    fn exchange_features(&self, wanted: u64) -> u64 {
        let mut agreed = 0;
        for half in 0..2 {
            self.common.at::<u32>(register::DEVICE_FEATURES_SELECT).write(half);
            let both = self.common.at::<u32>(register::DEVICE_FEATURES).read() & (wanted >> (32 * half)) as u32;
            self.common.at::<u32>(register::DRIVER_FEATURES_SELECT).write(half);
            self.common.at::<u32>(register::DRIVER_FEATURES).write(both);
            agreed |= u64::from(both) << (32 * half);
        }
        agreed
    }

    fn configuration(&self, offset: u64) -> u8 {
        self.device.at(offset).read()
    }

    fn set_queue(&self, index: u16, [descriptors, available, used]: [u64; 3]) -> Option<Doorbell> {
        self.common.at::<u16>(register::QUEUE_SELECT).write(index);
        let len = self.common.at::<u16>(register::QUEUE_LEN);
        if len.read() < Queue::LEN {
            return None;
        }
        len.write(Queue::LEN);
        self.write_address(register::QUEUE_DESCRIPTORS, descriptors);
        self.write_address(register::QUEUE_AVAILABLE, available);
        self.write_address(register::QUEUE_USED, used);
        let place = u64::from(self.common.at::<u16>(register::QUEUE_NOTIFY).read()) * self.stride;
        let notify = self.notify.part(place, 2).filter(|_| place.is_multiple_of(2))?;
        // Only arriving frames interrupt, by the table's first entry; it is set up later.
        self.common.at::<u16>(register::QUEUE_ENTRY).write(if index == 0 { 0 } else { NO_ENTRY });
        self.common.at::<u16>(register::QUEUE_READY).write(1);
        Some(Doorbell::Narrow(notify.at(0).as_raw_ptr()))
    }

    fn route(&self) -> Result<Interrupt, Unusable> {
        self.common.at::<u16>(register::CHANGES_ENTRY).write(NO_ENTRY);
        if pci::send_from_table(self.config, self.function).is_some() {
            return Ok(Interrupt::Message);
        }
        if pci::route_line(self.config, self.function) {
            return Ok(Interrupt::Line { register: self.line.at(0).as_raw_ptr(), proven: false });
        }
        Err(Unusable::Silent)
    }
}
