//! Virtio over MMIO, modern devices only: finding one, agreeing on features, and split queues. (virtio 1.2: 2.7, 3.1, 4.2)

use super::cpu::direct;
use super::memory::{self, Memory};
use core::ptr::NonNull;
use core::sync::atomic::{Ordering, fence};
use mayfly_abi::PAGE;
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

/// Device status bits (2.1).
const ACKNOWLEDGE: u32 = 1;
const DRIVER: u32 = 2;
const DRIVER_OK: u32 = 4;
const FEATURES_OK: u32 = 8;

/// VIRTIO_F_VERSION_1: the modern layout (6).
pub(crate) const VERSION_1: u64 = 1 << 32;
/// VIRTIO_F_EVENT_IDX: each side says after which buffer it wants to be told (2.7.7, 2.7.10).
pub(crate) const EVENT_IDX: u64 = 1 << 29;

/// A descriptor that the device writes to (2.7.5).
const WRITE: u16 = 2;
/// The device asks not to be notified (2.7.10); the driver asks not to be interrupted (2.7.7).
const QUIET: u16 = 1;

/// A device's registers.
#[derive(Clone, Copy)]
pub(crate) struct Transport {
    base: u64,
}

/// Why a device cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// There is no such device at the address.
    Absent,
    /// It has the layout of before virtio 1.0.
    Legacy,
    /// It does not accept the features it offered, or its queues are too short.
    Refused,
}

impl Transport {
    /// The device with number `kind` at a physical address, reset.
    pub(crate) fn find(base: u64, kind: u32) -> Result<Self, Unusable> {
        let found = Self { base };
        if found.read(register::MAGIC) != MAGIC || found.read(register::DEVICE) != kind {
            return Err(Unusable::Absent);
        }
        if found.read(register::VERSION) != 2 {
            return Err(Unusable::Legacy);
        }
        found.write(register::STATUS, 0);
        found.write(register::STATUS, ACKNOWLEDGE | DRIVER);
        Ok(found)
    }

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

    /// Agrees on those of the `wanted` features that the device offers (3.1.1), and says which. [`VERSION_1`] must be among
    /// them.
    pub(crate) fn negotiate(self, wanted: u64) -> Result<u64, Unusable> {
        let mut agreed = 0;
        for half in 0..2 {
            self.write(register::DEVICE_FEATURES_SELECT, half);
            let both = self.read(register::DEVICE_FEATURES) & (wanted >> (32 * half)) as u32;
            self.write(register::DRIVER_FEATURES_SELECT, half);
            self.write(register::DRIVER_FEATURES, both);
            agreed |= u64::from(both) << (32 * half);
        }
        self.write(register::STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK);
        if self.read(register::STATUS) & FEATURES_OK == 0 { Err(Unusable::Refused) } else { Ok(agreed) }
    }

    /// Tells the device that it can start.
    pub(crate) fn start(self) {
        self.write(register::STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
    }

    /// Takes the device's interrupt back, so that the next one is an edge again. Before the rings are read.
    pub(crate) fn acknowledge(self) {
        let status = self.read(register::INTERRUPT_STATUS);
        self.write(register::INTERRUPT_ACK, status);
    }

    /// Bytes of the device's configuration space.
    pub(crate) fn configuration<const N: usize>(self) -> [u8; N] {
        core::array::from_fn(|at| {
            let offset = register::CONFIGURATION + at as u64;
            // SAFETY: as for `word`; the configuration space may be read byte by byte.
            unsafe { (direct(self.base + offset) as *const u8).read_volatile() }
        })
    }

    /// Sets queue number `index` up with [`Queue::LEN`] descriptors. `agreed`: the device's features.
    pub(crate) fn queue(self, index: u32, agreed: u64, _: &Memory) -> Result<Queue, Unusable> {
        self.write(register::QUEUE_SELECT, index);
        if self.read(register::QUEUE_LEN_MAX) < Queue::LEN as u32 {
            return Err(Unusable::Refused);
        }
        let rings = memory::forever(Queue::PAGES).ok_or(Unusable::Refused)?;
        let start = memory::physical(rings);
        self.write(register::QUEUE_LEN, Queue::LEN as u32);
        self.write_address(register::QUEUE_DESCRIPTORS, start);
        self.write_address(register::QUEUE_AVAILABLE, start + AVAILABLE as u64);
        self.write_address(register::QUEUE_USED, start + USED as u64);
        self.write(register::QUEUE_READY, 1);
        let (rings, events) = (NonNull::from(rings).cast(), agreed & EVENT_IDX != 0);
        Ok(Queue { transport: self, index, rings, events, available: 0, seen: 0, told: 0 })
    }
}

/// Offsets of the rings in a queue's memory: descriptors first, then these two (2.7).
const AVAILABLE: usize = PAGE as usize;
const USED: usize = AVAILABLE + 1024;
/// Behind the rings: after which used buffer the driver wants an interrupt, and after which available one the device wants
/// to be told (2.7.6, 2.7.8).
const USED_EVENT: usize = AVAILABLE + 4 + 2 * Queue::LEN as usize;
const AVAILABLE_EVENT: usize = USED + 4 + 8 * Queue::LEN as usize;

/// A split queue whose descriptors stand for themselves: descriptor `n` always means the caller's buffer `n`.
pub(crate) struct Queue {
    transport: Transport,
    index: u32,
    rings: NonNull<u8>,
    /// Both sides say when they want to be told, not only whether.
    events: bool,
    /// Buffers ever made available, used ones taken back, and of how many the device was told; all wrap.
    available: u16,
    seen: u16,
    told: u16,
}

// SAFETY: the rings are memory that this value alone uses, together with the device.
unsafe impl Send for Queue {}

impl Queue {
    /// Descriptors of a queue.
    pub(crate) const LEN: u16 = 256;
    const PAGES: u64 = 2;

    fn place<T: Copy>(&self, offset: usize) -> VolatilePtr<'static, T> {
        debug_assert!(offset + size_of::<T>() <= (Self::PAGES * PAGE) as usize);
        // SAFETY: the offset lies in the queue's own pages, aligned as virtio 2.7 lays the rings out.
        unsafe { VolatilePtr::new(self.rings.add(offset).cast()) }
    }

    /// Says where the caller's buffer `number` is; once, before it is first offered.
    pub(crate) fn describe(&mut self, number: u16, address: u64, len: u32, device_writes: bool) {
        let at = 16 * usize::from(number);
        self.place::<u64>(at).write(address);
        self.place::<u32>(at + 8).write(len);
        self.place::<u16>(at + 12).write(if device_writes { WRITE } else { 0 });
    }

    /// Says how much of buffer `number` counts.
    pub(crate) fn set_len(&mut self, number: u16, len: u32) {
        self.place::<u32>(16 * usize::from(number) + 8).write(len);
    }

    /// Gives buffer `number` to the device. It looks after [`Queue::notify`].
    pub(crate) fn offer(&mut self, number: u16) {
        let slot = usize::from(self.available % Self::LEN);
        self.place::<u16>(AVAILABLE + 4 + 2 * slot).write(number);
        self.available = self.available.wrapping_add(1);
        // The device may look at any time: the entry before the index (2.7.13.3).
        fence(Ordering::Release);
        self.place::<u16>(AVAILABLE + 2).write(self.available);
    }

    /// Tells the device about what was offered since the last time, if it wants to know.
    #[inline]
    pub(crate) fn notify(&mut self) {
        if self.told != self.available {
            self.tell();
        }
    }

    // Kept apart: inlined, it would be new code to the CPU at each place that sends something.
    #[inline(never)]
    fn tell(&mut self) {
        let told = core::mem::replace(&mut self.told, self.available);
        let new = self.available.wrapping_sub(told);
        // The index before the question whether it matters (2.7.13.4).
        fence(Ordering::SeqCst);
        let wanted = if self.events {
            // Whether the buffer it waits for is among the new ones (2.7.7.2, vring_need_event).
            self.available.wrapping_sub(self.place::<u16>(AVAILABLE_EVENT).read()).wrapping_sub(1) < new
        } else {
            self.place::<u16>(USED).read() & QUIET == 0
        };
        if wanted {
            self.transport.write(register::QUEUE_NOTIFY, self.index);
        }
    }

    /// Takes back one buffer that the device is done with: its number, and how many bytes it wrote.
    ///
    /// The number is the device's claim: the caller checks it.
    pub(crate) fn take(&mut self) -> Option<(u32, u32)> {
        if self.place::<u16>(USED + 2).read() == self.seen {
            return None;
        }
        fence(Ordering::Acquire);
        let at = USED + 4 + 8 * usize::from(self.seen % Self::LEN);
        self.seen = self.seen.wrapping_add(1);
        Some((self.place::<u32>(at).read(), self.place::<u32>(at + 4).read()))
    }

    /// Whether the device is done with a buffer that was not taken back yet.
    pub(crate) fn has_used(&self) -> bool {
        self.place::<u16>(USED + 2).read() != self.seen
    }

    /// Asks the device not to interrupt for this queue.
    pub(crate) fn be_quiet(&mut self) {
        if self.events {
            // After a buffer that is as far away as can be. Where interrupts were asked for, one at most still comes.
            self.place::<u16>(USED_EVENT).write(self.seen.wrapping_add(1 << 15));
        } else {
            self.place::<u16>(AVAILABLE).write(QUIET);
        }
    }

    /// Asks the device to interrupt once there is something. False if there is something already, for which it will not.
    pub(crate) fn be_loud(&mut self) -> bool {
        if self.events {
            self.place::<u16>(USED_EVENT).write(self.seen);
        } else {
            self.place::<u16>(AVAILABLE).write(0);
        }
        // The wish before the look (2.7.7.2).
        fence(Ordering::SeqCst);
        !self.has_used()
    }
}
