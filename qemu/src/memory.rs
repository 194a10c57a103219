//! The guest's memory as a file on the host: the ledger, the fault records, and the host's word that it has read them.

use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mayfly_abi::PAGE;
use mayfly_abi::boot::{DEVICES, LEDGER, MOVE_UNIT};
use mayfly_abi::fault::{FAULT_SEEN, FAULT_SLOTS, FaultRecord, fault_record};
use mayfly_abi::ledger::{LEDGER_MAGIC, Ledger, Phase};
use mayfly_abi::wire::Wire;

use crate::Error;
use crate::scratch::Scratch;

/// A machine's memory, readable while the machine runs and after. Clones are the same memory.
#[derive(Clone, Debug)]
pub struct Memory {
    file: Arc<Scratch>,
    /// How far above its linked place the image lies. [`UNKNOWN`] until its ledger was found.
    moved: Arc<AtomicU64>,
}

/// Nobody has found the image yet.
const UNKNOWN: u64 = u64::MAX;

/// Fault records that were not there at the last look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// By number.
    pub records: Vec<FaultRecord>,
    /// Numbers without a record: a newer one has replaced it before it was read, or nothing had run and there was none.
    pub missed: u64,
    /// Number of the last fault, or what was asked since if there was none.
    pub newest: u64,
}

impl Memory {
    /// Makes the file at `path`, of `len` bytes that are zero. The image will lie where it is linked.
    pub(crate) fn create(path: &Path, len: u64) -> Result<Self, Error> {
        let file = Scratch::create(path)?;
        file.file().set_len(len).map_err(Error::io("make the guest's memory file"))?;
        Ok(Self { file: Arc::new(file), moved: Arc::default() })
    }

    /// The machine's loader chooses where the image lies, or memory is not zero at first: the ledger is where its magic
    /// number is, once the kernel has written that.
    #[must_use]
    pub(crate) fn searched(self) -> Self {
        self.moved.store(UNKNOWN, Ordering::Relaxed);
        self
    }

    /// How far above its linked place the image lies, in bytes; `None` until it was found.
    pub fn moved(&self) -> Option<u64> {
        let known = self.moved.load(Ordering::Relaxed);
        if known != UNKNOWN {
            return Some(known);
        }
        let len = self.file.file().metadata().ok()?.len();
        let is_ledger = |moved: &u64| {
            let mut magic = [0; 8];
            self.read(LEDGER + moved, &mut magic).is_ok() && u64::from_le_bytes(magic) == LEDGER_MAGIC
        };
        let found = (0..len.min(DEVICES)).step_by(MOVE_UNIT as usize).find(is_ledger)?;
        self.moved.store(found, Ordering::Relaxed);
        Some(found)
    }

    /// Where something is that the image links at an address.
    fn place(&self, linked: u64) -> io::Result<u64> {
        let moved = self.moved().ok_or_else(|| io::Error::other("the machine's kernel has not started yet"))?;
        Ok(linked + moved)
    }

    /// Makes every byte `value`.
    pub(crate) fn fill(&self, value: u8) -> io::Result<()> {
        const PIECE: usize = 1 << 20;
        let (len, piece) = (self.file.file().metadata()?.len(), vec![value; PIECE]);
        for at in (0..len).step_by(PIECE) {
            self.file.file().write_all_at(&piece[..PIECE.min((len - at) as usize)], at)?;
        }
        Ok(())
    }

    /// Reads at a guest physical address below 3 GiB, where it is the offset in the file. An error if that is beyond
    /// the end of memory.
    pub fn read(&self, physical: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.file().read_exact_at(out, physical)
    }

    /// Pages that were ever touched: those that the host's kernel had to find memory for.
    pub(crate) fn touched_pages(&self) -> io::Result<u64> {
        /// What a file's blocks are counted in, whatever its file system has (inode(7)).
        const BLOCK: u64 = 512;
        Ok(self.file.file().metadata()?.blocks() * BLOCK / PAGE)
    }

    /// The ledger as it is now, or `None` before the guest's first instruction; where the ledger has to be searched for,
    /// before the kernel's.
    pub fn ledger(&self) -> Option<Ledger> {
        let mut bytes = [0; Ledger::SIZE];
        self.read(LEDGER + self.moved()?, &mut bytes).ok()?;
        let ledger = Ledger::get(&bytes);
        (ledger.stamp(Phase::Entry) != 0).then_some(ledger)
    }

    /// Sets the stamps of the first request back to 0, so that the kernel stamps the next one as if it were the first.
    /// Only while the machine rests: see [`Machine::forget_request`](crate::Machine::forget_request).
    pub fn forget_request(&self) -> io::Result<()> {
        let ledger = LEDGER + self.moved().unwrap_or_default();
        for phase in Phase::ALL.iter().filter(|phase| phase.is_of_request()) {
            self.file.file().write_all_at(&0_u64.to_le_bytes(), ledger + phase.offset() as u64)?;
        }
        Ok(())
    }

    /// The faults with higher numbers than `seen`.
    pub fn faults_since(&self, seen: u64) -> io::Result<Faults> {
        let mut newest = seen;
        if self.moved().is_none() {
            return Ok(Faults { newest, ..Faults::default() });
        }
        for slot in 0..FAULT_SLOTS {
            newest = newest.max(self.fault_id(slot)?);
        }
        // The kernel numbers and writes them in order, so all up to the newest are written, or were.
        let oldest = newest.saturating_sub(FAULT_SLOTS).max(seen) + 1;
        let mut faults = Faults { records: Vec::new(), missed: oldest - 1 - seen, newest };
        for id in oldest..=newest {
            match self.fault(id)? {
                Some(record) => faults.records.push(record),
                None => faults.missed += 1,
            }
        }
        Ok(faults)
    }

    /// Tells a kernel that holds stopped domains (`hold_faults=1`) that the host is done with this one, and with all
    /// before it.
    pub fn release_fault(&self, id: u64) -> io::Result<()> {
        self.file.file().write_all_at(&id.to_le_bytes(), self.place(FAULT_SEEN)?)
    }

    /// The record of fault number `id`, if it is still in its slot.
    fn fault(&self, id: u64) -> io::Result<Option<FaultRecord>> {
        let mut bytes = [0; FaultRecord::SIZE];
        self.read(self.place(fault_record(id))?, &mut bytes)?;
        let record = FaultRecord::get(&bytes);
        // The number is taken away before a record is changed: if it is still there, all that was read belongs to it.
        Ok((record.id == id && self.fault_id(id)? == id).then_some(record))
    }

    /// The number in the slot of fault number `id`.
    fn fault_id(&self, id: u64) -> io::Result<u64> {
        let mut bytes = [0; 8];
        self.read(self.place(fault_record(id))?, &mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::fresh_path;

    /// Memory in which nothing was written.
    fn memory() -> Memory {
        Memory::create(&fresh_path("ram"), 2 << 20).expect("there is room")
    }

    /// Does what the kernel does.
    fn write(memory: &Memory, id: u64) {
        let mut bytes = [0; FaultRecord::SIZE];
        FaultRecord { id, rip: 100 + id, ..FaultRecord::get(&bytes) }.put(&mut bytes);
        memory.file.file().write_all_at(&bytes, fault_record(id)).expect("there is room");
    }

    fn ids(faults: &Faults) -> Vec<u64> {
        faults.records.iter().map(|record| record.id).collect()
    }

    #[test]
    fn each_fault_is_seen_once_and_in_order() {
        let memory = memory();
        assert_eq!(memory.faults_since(0).expect("readable"), Faults::default());
        (1..=3).for_each(|id| write(&memory, id));
        let faults = memory.faults_since(0).expect("readable");
        assert_eq!((ids(&faults), faults.missed, faults.records[2].rip), (vec![1, 2, 3], 0, 103));
        write(&memory, 4);
        assert_eq!(ids(&memory.faults_since(3).expect("readable")), [4]);
        assert_eq!(memory.faults_since(4).expect("readable"), Faults { newest: 4, ..Faults::default() });
    }

    #[test]
    fn what_the_ring_no_longer_holds_is_counted() {
        let memory = memory();
        (1..=20).for_each(|id| write(&memory, id));
        let faults = memory.faults_since(5).expect("readable");
        assert_eq!((ids(&faults), faults.missed), ((13..=20).collect(), 7));
    }

    #[test]
    fn a_record_that_is_being_overwritten_counts_as_missed() {
        let memory = memory();
        (1..=9).for_each(|id| write(&memory, id));
        memory.file.file().write_all_at(&[0; 8], fault_record(10)).expect("there is room");
        let faults = memory.faults_since(0).expect("readable");
        assert_eq!((ids(&faults), faults.missed), ((3..=9).collect(), 2), "1 is lost, and 2 is about to be");
    }

    #[test]
    fn a_number_without_a_record_is_counted() {
        let memory = memory();
        (1..=8).chain([10]).for_each(|id| write(&memory, id));
        let faults = memory.faults_since(8).expect("readable");
        assert_eq!((ids(&faults), faults.missed, faults.newest), (vec![10], 1, 10));
    }

    #[test]
    fn pages_are_counted_once_they_are_touched() {
        let memory = memory();
        assert_eq!(memory.touched_pages().expect("it is a file"), 0, "2 MiB of nothing");
        for at in [5 * PAGE, 5 * PAGE + 8, 9 * PAGE] {
            memory.file.file().write_all_at(&[1; 8], at).expect("writable");
        }
        assert_eq!(memory.touched_pages().expect("it is a file"), 2);
    }

    #[test]
    fn a_request_is_forgotten_and_the_boot_is_not() {
        let memory = memory();
        for phase in Phase::ALL {
            let stamp = 100 + *phase as u64;
            memory.file.file().write_all_at(&stamp.to_le_bytes(), LEDGER + phase.offset() as u64).expect("writable");
        }
        let before = memory.ledger().expect("the entry is stamped");
        memory.forget_request().expect("writable");
        let after = memory.ledger().expect("the entry is stamped");
        for phase in Phase::ALL {
            let expected = if phase.is_of_request() { 0 } else { 100 + *phase as u64 };
            assert_eq!((before.stamp(*phase), after.stamp(*phase)), (100 + *phase as u64, expected), "{phase:?}");
        }
        assert_eq!(after.stamp(Phase::Arp), 106, "what came before the first connection is the boot's");
    }

    #[test]
    fn a_ledger_that_was_moved_is_found_by_its_magic_number() {
        let memory = Memory::create(&fresh_path("ram"), 16 << 20).expect("there is room").searched();
        memory.fill(0xa5).expect("there is room");
        assert_eq!((memory.ledger(), memory.faults_since(0).expect("none").newest), (None, 0));
        let file = memory.file.file();
        let ledger = LEDGER + 3 * MOVE_UNIT;
        file.write_all_at(&[0; 4096], ledger).expect("there is room");
        file.write_all_at(&LEDGER_MAGIC.to_le_bytes(), LEDGER + 4096).expect("there is room");
        assert_eq!(memory.ledger(), None, "a magic number where no ledger can be");
        file.write_all_at(&LEDGER_MAGIC.to_le_bytes(), ledger).expect("there is room");
        file.write_all_at(&[1], ledger + Phase::Entry.offset() as u64).expect("there is room");
        assert_eq!(memory.ledger().map(|ledger| ledger.stamp(Phase::Entry)), Some(1));
        file.write_all_at(&[2], fault_record(2) + 3 * MOVE_UNIT).expect("there is room");
        assert_eq!(memory.faults_since(0).expect("readable").newest, 2);
    }

    #[test]
    fn the_kernel_is_told_where_it_looks() {
        let memory = memory();
        memory.release_fault(7).expect("writable");
        let mut word = [0; 8];
        memory.read(FAULT_SEEN, &mut word).expect("readable");
        assert_eq!(u64::from_le_bytes(word), 7);
        assert!(memory.read(2 << 20, &mut word).is_err(), "beyond the end");
    }
}
