//! The other side of a queue, for drivers that stand for a device: the kernel works with virtio's queues, and the driver
//! with the card. (virtio 1.2: 2.7)

use super::{AVAILABLE, Doorbell, Driver, Queue, USED};
use crate::hw::memory::{self, Memory};
use crate::hw::nic::Unusable;
use core::ptr::NonNull;
use core::sync::atomic::{Ordering, fence};
use volatile::VolatilePtr;

/// What a device sees of a queue. Both sides are the kernel's: nothing needs to be checked here.
pub(crate) struct Behind {
    rings: NonNull<u8>,
    /// Buffers ever taken from the queue, and given back; both wrap.
    taken: u16,
    given: u16,
}

// SAFETY: the rings are memory that this value and its queue use alone.
unsafe impl Send for Behind {}

/// A buffer that the queue offers.
pub(crate) struct Offered {
    /// Its number.
    pub(crate) number: u16,
    /// Its physical address.
    pub(crate) address: u64,
    /// How much of it counts.
    pub(crate) len: u32,
}

/// A queue, and what its device sees of it.
pub(crate) fn pair(driver: &'static Driver, _: &Memory) -> Result<(Queue, Behind), Unusable> {
    let rings = NonNull::from(memory::forever(Queue::PAGES).ok_or(Unusable::Refused)?).cast();
    let doorbell = Doorbell::Driver(driver);
    let queue = Queue { doorbell, index: 0, rings, events: false, available: 0, seen: 0, told: 0 };
    Ok((queue, Behind { rings, taken: 0, given: 0 }))
}

impl Behind {
    fn place<T: Copy>(&self, offset: usize) -> VolatilePtr<'static, T> {
        // SAFETY: as for the queue's own: the offset lies in its pages, aligned as virtio 2.7 lays the rings out.
        unsafe { VolatilePtr::new(self.rings.add(offset).cast()) }
    }

    /// The next buffer that the queue offers.
    pub(crate) fn take(&mut self) -> Option<Offered> {
        if self.place::<u16>(AVAILABLE + 2).read() == self.taken {
            return None;
        }
        fence(Ordering::Acquire);
        let number = self.place::<u16>(AVAILABLE + 4 + 2 * usize::from(self.taken % Queue::LEN)).read();
        self.taken = self.taken.wrapping_add(1);
        let at = 16 * usize::from(number);
        Some(Offered { number, address: self.place(at).read(), len: self.place(at + 8).read() })
    }

    /// Gives a buffer back, into which `len` bytes were written.
    pub(crate) fn give(&mut self, number: u16, len: u32) {
        let at = USED + 4 + 8 * usize::from(self.given % Queue::LEN);
        self.place::<u32>(at).write(number.into());
        self.place::<u32>(at + 4).write(len);
        self.given = self.given.wrapping_add(1);
        fence(Ordering::Release);
        self.place::<u16>(USED + 2).write(self.given);
    }
}
