//! Page tables of a domain: who may reach what in the user half. The kernel half is the image's own, shared by all.
//!
//! Everything a domain maps lies in the first GiB, so a domain has one table of each upper level, and one lowest-level
//! table for each 2 MiB that it uses.

use super::boot;
use super::cpu::{self, direct};
use super::memory::{Frame, Page};
use alloc::vec::Vec;
use mayfly_abi::PAGE;
use mayfly_abi::domain::USER_END;
use mayfly_abi::paging::{ACCESSED, ADDRESS, DIRTY, ENTRIES, LARGE, NO_EXECUTE, PRESENT, TABLE, USER, WRITE};

/// Lowest-level tables that there is room for from the start; more are welcome.
const LOWEST: usize = 4;
/// Bytes that one lowest-level table maps.
pub(crate) const SPAN: u64 = 2 << 20;
/// Entries of the upper levels allow everything; the lowest level decides.
const UPPER: u64 = PRESENT | WRITE | USER;
/// Slots of the top level that hold the kernel's half: direct map and kernel map.
const KERNEL_SLOTS: [usize; 2] = [256, 511];

/// What a function may do with a page. There is no way to ask for write and execute together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rights {
    /// Read.
    Constant,
    /// Read and execute.
    Text,
    /// Read and write.
    Data,
}

impl Rights {
    const fn bits(self) -> u64 {
        // The accessed bit is preset: it means nothing here and saves the CPU from writing it.
        let base = PRESENT | USER | ACCESSED;
        match self {
            Self::Constant => base | NO_EXECUTE,
            Self::Text => base,
            Self::Data => base | WRITE | NO_EXECUTE,
        }
    }
}

/// A frame used as a page table.
pub(crate) struct Table(Frame);

impl Table {
    pub(crate) fn new() -> Option<Self> {
        Frame::zeroed().map(Self)
    }

    fn entry(&self, slot: usize) -> u64 {
        let bytes: [u8; 8] = core::array::from_fn(|at| self.0[8 * slot + at]);
        u64::from_le_bytes(bytes)
    }

    fn set_entry(&mut self, slot: usize, entry: u64) {
        self.0[8 * slot..8 * slot + 8].copy_from_slice(&entry.to_le_bytes());
    }

    /// Maps the page at `address` (its low 2 MiB count) to a frame.
    pub(crate) fn map(&mut self, address: u64, physical: u64, rights: Rights) {
        self.set_entry(slot(address, PAGE), physical | rights.bits());
    }

    /// Unmaps a page. The caller flushes it.
    pub(crate) fn unmap(&mut self, address: u64) {
        self.set_entry(slot(address, PAGE), 0);
    }

    /// What an entry points to, 0 if nothing.
    fn physical_at(&self, slot: usize) -> u64 {
        self.entry(slot) & ADDRESS
    }

    /// Notes that the kernel wrote to a page, as the CPU notes it for the function.
    fn mark_dirty(&mut self, address: u64) {
        let slot = slot(address, PAGE);
        self.set_entry(slot, self.entry(slot) | DIRTY);
    }

    /// Takes the note that a page was written since the last time. The caller flushes a page that was.
    pub(crate) fn take_dirty(&mut self, address: u64) -> bool {
        let slot = slot(address, PAGE);
        let entry = self.entry(slot);
        let dirty = entry & DIRTY != 0;
        if dirty {
            self.set_entry(slot, entry & !DIRTY);
        }
        dirty
    }
}

fn slot(address: u64, unit: u64) -> usize {
    (address / unit) as usize % ENTRIES
}

/// The tables of one domain.
pub(crate) struct Tables {
    top: Table,
    /// Kept for as long as `top` points to it.
    _third: Table,
    second: Table,
    lowest: Vec<(usize, Table)>,
}

impl Tables {
    /// Tables that map the kernel and nothing else.
    pub(crate) fn new() -> Option<Self> {
        let (mut top, mut third, second) = (Table::new()?, Table::new()?, Table::new()?);
        for slot in KERNEL_SLOTS {
            top.set_entry(slot, kernel_entry(slot));
        }
        top.set_entry(0, third_entry(&third));
        third.set_entry(0, third_entry(&second));
        Some(Self { top, _third: third, second, lowest: Vec::with_capacity(LOWEST) })
    }

    /// Tables there are, windows' not counted.
    pub(crate) fn count(&self) -> usize {
        3 + self.lowest.len()
    }

    /// Physical address of the top table.
    pub(crate) fn root(&self) -> u64 {
        self.top.0.physical()
    }

    /// The lowest-level table for an address below `USER_END`, made if it is not there. `None`: out of memory.
    pub(crate) fn table_for(&mut self, address: u64) -> Option<&mut Table> {
        debug_assert!(address < USER_END);
        let slot = slot(address, SPAN);
        let at = self.lowest.iter().position(|(of, _)| *of == slot);
        let at = match at {
            Some(at) => at,
            None => {
                let table = Table::new()?;
                self.attach(address, &table);
                self.lowest.push((slot, table));
                self.lowest.len() - 1
            }
        };
        Some(&mut self.lowest[at].1)
    }

    /// Shows the 2 MiB that `table` maps at `address`. Its owner detaches it before it goes.
    pub(crate) fn attach(&mut self, address: u64, table: &Table) {
        self.second.set_entry(slot(address, SPAN), third_entry(table));
    }

    /// Hides the 2 MiB at `address`. The caller flushes.
    pub(crate) fn detach(&mut self, address: u64) {
        self.second.set_entry(slot(address, SPAN), 0);
    }

    /// Unmaps a page of the domain's own. The caller flushes it.
    pub(crate) fn unmap(&mut self, address: u64) {
        if let Some(table) = self.own(address) {
            table.unmap(address);
        }
    }

    /// Pages that are mapped, windows included, and how many of them are marked as written.
    pub(crate) fn census(&self) -> (usize, usize) {
        let (mut mapped, mut dirty) = (0, 0);
        for address in (0..USER_END).step_by(SPAN as usize) {
            let lowest = self.second.physical_at(slot(address, SPAN));
            for at in (0..ENTRIES).take_while(|_| lowest != 0) {
                // SAFETY: as for `find`.
                let entry = unsafe { (direct(lowest) as *const u64).add(at).read() };
                mapped += usize::from(entry != 0);
                dirty += usize::from(entry & DIRTY != 0);
            }
        }
        (mapped, dirty)
    }

    /// What the domain sees at an address, if it is mapped: image, window or a page of its own.
    pub(crate) fn find(&self, address: u64) -> Option<&Page> {
        // SAFETY: the entries of live tables point to live tables or to mapped pages, all of them in the direct map,
        // and nothing changes them while `self` is borrowed.
        unsafe {
            let lowest = self.second.physical_at(slot(address, SPAN));
            if address >= USER_END || lowest == 0 {
                return None;
            }
            let entry = (direct(lowest) as *const u64).add(slot(address, PAGE)).read();
            (entry != 0).then(|| &*(direct(entry & ADDRESS) as *const Page))
        }
    }

    /// Whether a page of the domain's own was written since the last time.
    pub(crate) fn take_dirty(&mut self, address: u64) -> bool {
        self.own(address).is_some_and(|table| table.take_dirty(address))
    }

    /// Notes that the kernel wrote to a page of the domain's own.
    pub(crate) fn mark_dirty(&mut self, address: u64) {
        if let Some(table) = self.own(address) {
            table.mark_dirty(address);
        }
    }

    fn own(&mut self, address: u64) -> Option<&mut Table> {
        let slot = slot(address, SPAN);
        self.lowest.iter_mut().find(|(of, _)| *of == slot).map(|(_, table)| table)
    }
}

impl Drop for Tables {
    fn drop(&mut self) {
        if cpu::page_table() == self.root() {
            // SAFETY: the image's own tables are never dropped, and nobody else's translations have number 0.
            unsafe { cpu::use_page_table(boot_root(), 0) };
        }
    }
}

fn third_entry(table: &Table) -> u64 {
    table.0.physical() | UPPER
}

/// Physical address of the top table that the image brought.
fn boot_root() -> u64 {
    boot::block().page_table
}

fn boot_top() -> *mut u64 {
    direct(boot_root() & ADDRESS) as *mut u64
}

fn kernel_entry(slot: usize) -> u64 {
    // SAFETY: the table has 512 entries and is never handed out.
    unsafe { boot_top().add(slot).read() }
}

/// Shows large pages of physical memory in the direct map with these rights: from `start` up to `end`, which are multiples of [`SPAN`] below
/// `DIRECT_MAP_MAX`, or up to where `table` has no page for another table. Gives where that was.
///
/// What was shown there already keeps its table. The caller flushes, if anything was.
pub(super) fn show(start: u64, end: u64, rights: u64, mut table: impl FnMut() -> Option<Frame>) -> u64 {
    const GIB: u64 = 1 << 30;
    let huge = cpu::has_pages_of_a_gibibyte();
    let third = direct(kernel_entry(KERNEL_SLOTS[0]) & ADDRESS) as *mut u64;
    let mut at = start;
    while at < end {
        // SAFETY: the third table of the direct map has 512 entries, and it and the tables that it points to are never
        // handed out. They are shared by all domains, but none runs, and what they map is nobody's yet.
        unsafe {
            let entry = third.add((at / GIB) as usize);
            if huge && entry.read() == 0 && at.is_multiple_of(GIB) && end - at >= GIB {
                entry.write(at | rights | LARGE);
                at += GIB;
                continue;
            }
            if entry.read() == 0 {
                let Some(frame) = table() else { break };
                entry.write(frame.physical() | TABLE);
                core::mem::forget(frame);
            }
            if entry.read() & LARGE == 0 {
                let second = direct(entry.read() & ADDRESS) as *mut u64;
                second.add(slot(at, SPAN)).write(at | rights | LARGE);
            }
        }
        at += SPAN;
    }
    at
}

/// The entry for GiB number `slot` of the direct map's half of the top table.
pub(super) fn direct_map_entry(slot: usize) -> *mut u64 {
    assert!(slot < ENTRIES);
    let third = direct(kernel_entry(KERNEL_SLOTS[0]) & ADDRESS) as *mut u64;
    // SAFETY: every image maps the direct map, and the table has 512 entries.
    unsafe { third.add(slot) }
}

/// Takes the loader's identity map away, so that address 0 faults in the kernel too.
pub(crate) fn drop_identity_map() {
    // SAFETY: the kernel runs in the upper half and has no use for the lower one; one core runs.
    unsafe { boot_top().write(0) };
    cpu::flush_all();
}
