//! Virtio, modern devices only: agreeing on features, and split queues. How a device is reached is a [`Transport`]. (virtio
//! 1.2: 2.7, 3.1)

pub(crate) mod behind;
pub(crate) mod mmio;
pub(crate) mod net;
pub(crate) mod pci;

use super::memory::{self, Memory};
use super::nic::Unusable;
use super::traps;
use core::ptr::NonNull;
use core::sync::atomic::{Ordering, fence};
use mayfly_abi::PAGE;
use volatile::VolatilePtr;

/// Device status bits (2.1).
const ACKNOWLEDGE: u8 = 1;
const DRIVER: u8 = 2;
const DRIVER_OK: u8 = 4;
const FEATURES_OK: u8 = 8;

/// VIRTIO_F_VERSION_1: the modern layout (6).
pub(crate) const VERSION_1: u64 = 1 << 32;
/// VIRTIO_F_EVENT_IDX: each side says after which buffer it wants to be told (2.7.7, 2.7.10).
pub(crate) const EVENT_IDX: u64 = 1 << 29;

/// A descriptor that the device writes to (2.7.5).
const WRITE: u16 = 2;
/// The device asks not to be notified (2.7.10); the driver asks not to be interrupted (2.7.7).
const QUIET: u16 = 1;

/// A way to a device. What it does is only used to set the device up; then there are a [`Doorbell`] and an [`Interrupt`].
pub(crate) trait Transport {
    /// The device's status (2.1).
    fn status(&self) -> u8;
    fn set_status(&self, status: u8);
    /// Tells the device which of the `wanted` features it offers, half by half, and says which those are.
    fn exchange_features(&self, wanted: u64) -> u64;
    /// A byte of the device's configuration space (2.5).
    fn configuration(&self, offset: u64) -> u8;
    /// Has queue number `index` use rings at physical addresses: descriptors, available, used. None if the device has no
    /// such queue, or one shorter than [`Queue::LEN`].
    fn set_queue(&self, index: u16, rings: [u64; 3]) -> Option<Doorbell>;
    /// Has it interrupt the core, and says how such an interrupt is taken back.
    fn route(&self) -> Result<Interrupt, Unusable>;
}

/// Where a device is told that a queue has something for it.
#[derive(Clone, Copy)]
pub(crate) enum Doorbell {
    /// A register of 32 bits, in the direct map.
    Wide(NonNull<u32>),
    /// A register of 16 bits, in the direct map or in the devices' map.
    Narrow(NonNull<u16>),
    /// A driver that stands for the device.
    Driver(&'static Driver),
}

impl Doorbell {
    fn ring(self, queue: u16) {
        match self {
            // SAFETY: the transport found the notification register there.
            Self::Wide(register) => unsafe { VolatilePtr::new(register) }.write(queue.into()),
            // SAFETY: as above.
            Self::Narrow(register) => unsafe { VolatilePtr::new(register) }.write(queue),
            Self::Driver(driver) => (driver.ring)(),
        }
    }

    /// Says whether the device is to interrupt, if it does not read that for itself.
    #[cold]
    fn interrupt(self, wanted: bool) {
        if let Self::Driver(driver) = self {
            (driver.interrupt)(wanted);
        }
    }
}

/// How an interrupt of the device is taken back, so that the next one is an edge again.
#[derive(Clone, Copy)]
pub(crate) enum Interrupt {
    /// By writing to the device.
    Mmio(mmio::Registers),
    /// By reading a register of it (4.1.4.5); whether one has ever come.
    Line { register: NonNull<u8>, proven: bool },
    /// It is a message, and needs nothing.
    Message,
    /// By a driver that stands for the device.
    Driver(&'static Driver),
}

/// What a driver that stands for a device does.
pub(crate) struct Driver {
    /// Takes what the queues offer.
    pub(crate) ring: fn(),
    /// Whether the card is to interrupt for frames that arrive.
    pub(crate) interrupt: fn(bool),
    /// Takes what the queues offer and fills in what the card has done; whether it has interrupted.
    pub(crate) work: fn(bool),
    /// See [`Interrupt::watch`].
    pub(crate) watch: fn(u64) -> (u64, bool),
}

/// A device whose interrupt may not arrive is looked at so often, in nanoseconds.
pub(crate) const OFTEN: u64 = 10_000_000;

impl Interrupt {
    /// Takes it back. Before the rings are read. `note`: why.
    pub(crate) fn acknowledge(&mut self, note: u8) {
        match self {
            Self::Mmio(device) => device.acknowledge(),
            other => other.acknowledge_other(note),
        }
    }

    // Kept apart from the way of those whose command line names them.
    #[cold]
    #[inline(never)]
    fn acknowledge_other(&mut self, note: u8) {
        match self {
            Self::Line { register, proven } => {
                *proven = true;
                // SAFETY: the transport found the register there.
                let _ = unsafe { VolatilePtr::new(*register) }.read();
            }
            Self::Driver(driver) => {
                // It has no other occasion to look after what the card has done.
                traps::look_at_nic();
                (driver.work)(note == traps::CAME);
            }
            Self::Mmio(_) | Self::Message => {}
        }
    }

    /// Sees that the device is well. Says when to do so again, in nanoseconds (never, if it says `u64::MAX`), and whether the
    /// network was out of reach before and is so no longer.
    pub(crate) fn watch(&self, now: u64) -> (u64, bool) {
        match self {
            Self::Line { proven: false, .. } => (now + OFTEN, false),
            Self::Driver(driver) => (driver.watch)(now),
            _ => (u64::MAX, false),
        }
    }
}

/// Agrees on those of the `wanted` features that the device offers (3.1.1), and says which. [`VERSION_1`] must be among
/// them.
fn negotiate(device: &impl Transport, wanted: u64) -> Result<u64, Unusable> {
    let agreed = device.exchange_features(wanted);
    device.set_status(ACKNOWLEDGE | DRIVER | FEATURES_OK);
    if device.status() & FEATURES_OK == 0 || agreed & VERSION_1 == 0 { Err(Unusable::Refused) } else { Ok(agreed) }
}

/// Resets the device and says that there is a driver.
fn reset(device: &impl Transport) {
    device.set_status(0);
    device.set_status(ACKNOWLEDGE | DRIVER);
}

/// Tells the device that it can start.
fn start(device: &impl Transport) {
    device.set_status(ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
}

/// Sets queue number `index` up with [`Queue::LEN`] descriptors. `agreed`: the device's features.
fn queue(device: &impl Transport, index: u16, agreed: u64, _: &Memory) -> Result<Queue, Unusable> {
    let rings = memory::forever(Queue::PAGES).ok_or(Unusable::Refused)?;
    let start = memory::physical(rings);
    let addresses = [start, start + AVAILABLE as u64, start + USED as u64];
    let doorbell = device.set_queue(index, addresses).ok_or(Unusable::Refused)?;
    let (rings, events) = (NonNull::from(rings).cast(), agreed & EVENT_IDX != 0);
    Ok(Queue { doorbell, index, rings, events, available: 0, seen: 0, told: 0 })
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
    doorbell: Doorbell,
    index: u16,
    rings: NonNull<u8>,
    /// Both sides say when they want to be told, not only whether.
    events: bool,
    /// Buffers ever made available, used ones taken back, and of how many the device was told; all wrap.
    available: u16,
    seen: u16,
    told: u16,
}

// SAFETY: rings and doorbell are this value's alone, together with the device.
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
            self.doorbell.ring(self.index);
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
            self.doorbell.interrupt(false);
        }
    }

    /// Asks the device to interrupt once there is something. False if there is something already, for which it will not.
    pub(crate) fn be_loud(&mut self) -> bool {
        if self.events {
            self.place::<u16>(USED_EVENT).write(self.seen);
        } else {
            self.place::<u16>(AVAILABLE).write(0);
            self.doorbell.interrupt(true);
        }
        // The wish before the look (2.7.7.2).
        fence(Ordering::SeqCst);
        !self.has_used()
    }
}
