//! Registers of devices, wherever they are in physical memory: mapped uncached, and never reached beyond their end.

use super::cpu::{self, direct};
use super::memory::Frame;
use super::tables::{self, SPAN};
use core::ptr::NonNull;
use mayfly_abi::boot::{DEVICES, DIRECT_MAP, DIRECT_MAP_LEN};
use mayfly_abi::paging::{ADDRESS, DEVICE, ENTRIES, LARGE, TABLE};
use volatile::VolatilePtr;

/// The last GiB of the direct map's half of a table shows what lies outside the direct map's uncached part.
const SLOT: usize = 511;
const MAP: u64 = DIRECT_MAP + ((SLOT as u64) << 30);

/// Some registers.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    base: NonNull<u8>,
    len: u64,
}

// SAFETY: registers are where they are for every core; who writes to them is the driver's matter.
unsafe impl Send for Window {}
// SAFETY: as above.
unsafe impl Sync for Window {}

/// What registers are made of: integers.
pub(crate) trait Word: Copy + 'static {}
impl Word for u8 {}
impl Word for u16 {}
impl Word for u32 {}
impl Word for u64 {}

impl Window {
    /// The registers at a physical address, which is a device's. None if they cannot be mapped.
    pub(crate) fn map(physical: u64, len: u64) -> Option<Self> {
        let end = physical.checked_add(len)?;
        if physical >= DEVICES && end <= DIRECT_MAP_LEN {
            return Some(Self { base: NonNull::new(direct(physical) as *mut u8)?, len });
        }
        // With a bit that no address has, an entry of a page table would be none (SDM 3A 4.7).
        if end > 1 << cpu::address_bits() {
            return None;
        }
        let first = physical / SPAN;
        let count = end.div_ceil(SPAN) - first;
        let page = |number: usize| ((first + number as u64) * SPAN) | DEVICE | LARGE;
        let table = table()?;
        // Where it is mapped already, or the first place with room.
        let (mut at, mut fits) = (0, 0);
        while (fits as u64) < count {
            let entry = table.get_mut(at + fits)?;
            if *entry == 0 || *entry == page(fits) {
                fits += 1;
            } else {
                (at, fits) = (at + 1, 0);
            }
        }
        for number in 0..fits {
            table[at + number] = page(number);
        }
        let base = MAP + at as u64 * SPAN + physical % SPAN;
        Some(Self { base: NonNull::new(base as *mut u8)?, len })
    }

    /// A part of them.
    pub(crate) fn part(self, offset: u64, len: u64) -> Option<Self> {
        let end = offset.checked_add(len)?;
        // SAFETY: the part lies in the window.
        (end <= self.len).then(|| Self { base: unsafe { self.base.add(offset as usize) }, len })
    }

    /// The register at an offset, which must be one.
    #[inline]
    pub(crate) fn at<T: Word>(self, offset: u64) -> VolatilePtr<'static, T> {
        let size = size_of::<T>() as u64;
        assert!(offset + size <= self.len && offset.is_multiple_of(size), "a driver reaches beyond its registers");
        // SAFETY: it lies in the window, which is mapped for good, and is made of integers.
        unsafe { VolatilePtr::new(self.base.add(offset as usize).cast()) }
    }
}

/// The table behind [`MAP`], made when it is first needed.
fn table() -> Option<&'static mut [u64; ENTRIES]> {
    let entry = tables::direct_map_entry(SLOT);
    // SAFETY: one core runs, and only this module knows of the entry and of the table behind it.
    unsafe {
        if entry.read() == 0 {
            let frame = Frame::zeroed()?;
            entry.write(frame.physical() | TABLE);
            // It is mapped for as long as the machine runs.
            core::mem::forget(frame);
        }
        NonNull::new(direct(entry.read() & ADDRESS) as *mut [u64; ENTRIES]).map(|mut table| table.as_mut())
    }
}
