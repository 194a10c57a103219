//! An address space for each domain, and a number by which the CPU tells their translations apart (PCID, SDM 3A 4.10.1), so
//! that going to another domain and back costs none of them.

use super::Isolation;
use crate::hw::cpu::{self, KEEP_TRANSLATIONS};
use core::sync::atomic::{AtomicU64, Ordering};
use mayfly_abi::PAGE;

/// Numbers in use, 0 not among them: that is the kernel's.
const NUMBERS: usize = 63;

/// Address spaces whose translations the CPU may hold, by number less one. Many share a number; one at a time has it.
pub(super) struct TablesPcid {
    owners: [AtomicU64; NUMBERS],
}

pub(super) static TABLES_PCID: TablesPcid = TablesPcid { owners: [const { AtomicU64::new(0) }; NUMBERS] };

impl TablesPcid {
    fn place(root: u64) -> usize {
        (root / PAGE) as usize % NUMBERS
    }
}

impl Isolation for TablesPcid {
    fn prepare(&self) -> Result<(), &'static str> {
        if cpu::number_address_spaces() {
            Ok(())
        } else {
            Err("the image asks for isolation `tables-pcid`, but this CPU has no PCID; build it with `tables`")
        }
    }

    unsafe fn activate(&self, root: u64) {
        let place = Self::place(root);
        let own = self.owners[place].swap(root, Ordering::Relaxed) == root;
        let number = place as u64 + 1;
        // SAFETY: the caller vouches for the table. Translations are kept only if they are its own.
        unsafe { cpu::use_page_table(root, if own { number | KEEP_TRANSLATIONS } else { number }) };
    }

    fn outdate(&self, root: u64) {
        let owner = &self.owners[Self::place(root)];
        if owner.load(Ordering::Relaxed) == root {
            owner.store(0, Ordering::Relaxed);
        }
    }
}
