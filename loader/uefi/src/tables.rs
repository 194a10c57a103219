//! The image's page tables for another place in physical memory, and for the way out of the firmware's own.
//!
//! The host tool builds them for the place where the image is linked. In the image they lie one after another, the top one
//! first. What depends on the place: where tables point to tables; all that the kernel map shows; and, in the direct map,
//! the large pages and tables for the memory of the image, some of which must not be written.

use mayfly_abi::PAGE;
use mayfly_abi::boot::{DIRECT_MAP, DIRECT_MAP_LEN, KERNEL_MAP, MOVE_UNIT};
use mayfly_abi::paging::{ADDRESS, ANYTHING, ENTRIES, LARGE, PRESENT, READ_WRITE, WRITE};

/// Memory that the image has nothing to do with, in the direct map.
const PLAIN: u64 = READ_WRITE | LARGE;

/// Large pages of the direct map.
const UNITS: usize = (DIRECT_MAP_LEN / MOVE_UNIT) as usize;
/// What an entry of each upper level spans.
const TOP_SPAN: u64 = 1 << 39;
const THIRD_SPAN: u64 = 1 << 30;

/// The tables are not as the host tool builds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Changes `tables`, which are linked for physical address `base`, for an image that is `moved` bytes higher (a multiple
/// of [`MOVE_UNIT`]), and has them show the 2 MiB around physical address `jump` as they are.
pub fn relocate(tables: &mut [[u64; ENTRIES]], base: u64, moved: u64, jump: u64) -> Result<(), Malformed> {
    let mut tables = Tables { tables, base };
    let third = tables.table(0, slot(DIRECT_MAP, TOP_SPAN))?;
    tables.move_direct_map(third, moved)?;

    let kernel = tables.table(0, slot(KERNEL_MAP, TOP_SPAN))?;
    let second = tables.table(kernel, slot(KERNEL_MAP, THIRD_SPAN))?;
    let lowest = tables.table(second, slot(KERNEL_MAP, MOVE_UNIT))?;
    tables.shift(lowest, moved);

    let identity = tables.table(0, 0)?;
    let large = tables.table(identity, 0)?;
    let entry = tables.tables[identity][0];
    // One table stands for every GiB: only the entries for the jump are ever looked at.
    *tables.tables[identity].get_mut((jump / THIRD_SPAN) as usize).ok_or(Malformed)? = entry;
    tables.tables[large][slot(jump, MOVE_UNIT)] = (jump / MOVE_UNIT * MOVE_UNIT) | ANYTHING | LARGE;

    for table in [0, third, kernel, second, identity] {
        tables.shift(table, moved);
    }
    Ok(())
}

struct Tables<'a> {
    tables: &'a mut [[u64; ENTRIES]],
    base: u64,
}

impl Tables<'_> {
    /// Number of the table that an entry points to, before it is shifted.
    fn table(&self, of: usize, slot: usize) -> Result<usize, Malformed> {
        let entry = self.tables[of][slot];
        let at = (entry & ADDRESS).checked_sub(self.base).ok_or(Malformed)? / PAGE;
        let is_table = entry & (PRESENT | LARGE) == PRESENT && (at as usize) < self.tables.len();
        if is_table { Ok(at as usize) } else { Err(Malformed) }
    }

    /// Adds `moved` to the address in every entry of a table.
    fn shift(&mut self, table: usize, moved: u64) {
        for entry in self.tables[table].iter_mut().filter(|entry| **entry & PRESENT != 0) {
            *entry += moved;
        }
    }

    /// Moves the entries for the image's memory up, from the last one on: they may overlap with where they go.
    fn move_direct_map(&mut self, third: usize, moved: u64) -> Result<(), Malformed> {
        let mut seconds = [0; UNITS / ENTRIES];
        for (slot, second) in seconds.iter_mut().enumerate() {
            *second = self.table(third, slot)?;
        }
        let by = (moved / MOVE_UNIT) as usize;
        for unit in (0..UNITS).rev() {
            let entry = self.tables[seconds[unit / ENTRIES]][unit % ENTRIES];
            // What may be written, as one page, is no part of the image, or of its writable part all the same.
            if entry & (LARGE | WRITE) == LARGE | WRITE {
                continue;
            }
            if entry & LARGE == 0 {
                let lowest = self.table(seconds[unit / ENTRIES], unit % ENTRIES)?;
                self.shift(lowest, moved);
            }
            let to = unit + by;
            let second = *seconds.get(to / ENTRIES).ok_or(Malformed)?;
            self.tables[seconds[unit / ENTRIES]][unit % ENTRIES] = (unit as u64 * MOVE_UNIT) | PLAIN;
            self.tables[second][to % ENTRIES] = entry + moved;
        }
        Ok(())
    }
}

/// Which entry of its table an address uses, where an entry spans so many bytes.
const fn slot(address: u64, span: u64) -> usize {
    (address / span) as usize % ENTRIES
}
