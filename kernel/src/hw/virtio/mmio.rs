//! Virtio over MMIO, as QEMU's microvm and Firecracker have it. (virtio 1.2: 4.2)

use super::{Doorbell, Interrupt, Queue, Transport};
use crate::hw::cpu::direct;
use crate::hw::nic::Unusable;
use crate::hw::{apic, traps};
use core::ptr::NonNull;
use mayfly_core::command_line::Device;
use volatile::VolatilePtr;

/// "virt".
const MAGIC: u32 = 0x7472_6976;
/// Registers (4.2.2).
mod register {
    pub(super) const MAGIC: u64 = 0x000;
    pub(super) const VERSION: u64 = 0x004;
    pub(super) const DEVICE: u64 = 0x008;
    pub(super) const DEVICE_FEATURES: u64 = 0x010;
    pub(super) const DEVICE_FEATURES_SELECT: u64 = 0x014;
    pub(super) const DRIVER_FEATURES: u64 = 0x020;
    pub(super) const DRIVER_FEATURES_SELECT: u64 = 0x024;
    pub(super) const QUEUE_SELECT: u64 = 0x030;
    pub(super) const QUEUE_LEN_MAX: u64 = 0x034;
    pub(super) const QUEUE_LEN: u64 = 0x038;
    pub(super) const QUEUE_READY: u64 = 0x044;
    pub(super) const QUEUE_NOTIFY: u64 = 0x050;
    pub(super) const INTERRUPT_STATUS: u64 = 0x060;
    pub(super) const INTERRUPT_ACK: u64 = 0x064;
    pub(super) const STATUS: u64 = 0x070;
    pub(super) const QUEUE_DESCRIPTORS: u64 = 0x080;
    pub(super) const QUEUE_AVAILABLE: u64 = 0x090;
    pub(super) const QUEUE_USED: u64 = 0x0a0;
    pub(super) const CONFIGURATION: u64 = 0x100;
}

/// A device, and the input of the I/O APIC that its interrupt comes by.
#[derive(Clone, Copy)]
pub(crate) struct Mmio {
    registers: Registers,
    input: u32,
}

/// A device's registers.
#[derive(Clone, Copy)]
pub(crate) struct Registers {
    base: u64,
}

impl Mmio {
    /// The device with number `kind` at the place that the command line names.
    pub(crate) fn find(device: &Device, kind: u32) -> Result<Self, Unusable> {
        let registers = Registers { base: device.address };
        if registers.read(register::MAGIC) != MAGIC || registers.read(register::DEVICE) != kind {
            return Err(Unusable::Absent);
        }
        if registers.read(register::VERSION) != 2 {
            return Err(Unusable::Legacy);
        }
        Ok(Self { registers, input: device.irq })
    }
}

impl Registers {
    fn word(self, offset: u64) -> VolatilePtr<'static, u32> {
        // SAFETY: devices lie in the uncached part of the direct map; `find` saw the magic number there.
        unsafe { VolatilePtr::new(NonNull::new_unchecked(direct(self.base + offset) as *mut u32)) }
    }

    fn read(self, offset: u64) -> u32 {
        self.word(offset).read()
    }

    fn write(self, offset: u64, value: u32) {
        self.word(offset).write(value);
    }

    fn write_address(self, offset: u64, address: u64) {
        self.write(offset, address as u32);
        self.write(offset + 4, (address >> 32) as u32);
    }

    /// Takes the device's interrupt back.
    pub(super) fn acknowledge(self) {
        let status = self.read(register::INTERRUPT_STATUS);
        self.write(register::INTERRUPT_ACK, status);
    }
}

impl Transport for Mmio {
    fn status(&self) -> u8 {
        self.registers.read(register::STATUS) as u8
    }

    fn set_status(&self, status: u8) {
        self.registers.write(register::STATUS, status.into());
    }

    fn exchange_features(&self, wanted: u64) -> u64 {
        let mut agreed = 0;
        for half in 0..2 {
            self.registers.write(register::DEVICE_FEATURES_SELECT, half);
            let both = self.registers.read(register::DEVICE_FEATURES) & (wanted >> (32 * half)) as u32;
            self.registers.write(register::DRIVER_FEATURES_SELECT, half);
            self.registers.write(register::DRIVER_FEATURES, both);
            agreed |= u64::from(both) << (32 * half);
        }
        agreed
    }

    fn configuration(&self, offset: u64) -> u8 {
        let address = direct(self.registers.base + register::CONFIGURATION + offset);
        // SAFETY: as for `word`; the configuration space may be read byte by byte.
        unsafe { (address as *const u8).read_volatile() }
    }

    fn set_queue(&self, index: u16, [descriptors, available, used]: [u64; 3]) -> Option<Doorbell> {
        let registers = self.registers;
        registers.write(register::QUEUE_SELECT, index.into());
        if registers.read(register::QUEUE_LEN_MAX) < Queue::LEN.into() {
            return None;
        }
        registers.write(register::QUEUE_LEN, Queue::LEN.into());
        registers.write_address(register::QUEUE_DESCRIPTORS, descriptors);
        registers.write_address(register::QUEUE_AVAILABLE, available);
        registers.write_address(register::QUEUE_USED, used);
        registers.write(register::QUEUE_READY, 1);
        Some(Doorbell::Wide(registers.word(register::QUEUE_NOTIFY).as_raw_ptr()))
    }

    fn route(&self) -> Result<Interrupt, Unusable> {
        apic::route(self.input, traps::NIC);
        Ok(Interrupt::Mmio(self.registers))
    }
}
