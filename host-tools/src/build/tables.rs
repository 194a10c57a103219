//! The page tables that lie in the image, so that the loader only has to point the CPU at them.
//!
//! ```text
//! 0            first 2 MiB as they are, for the loader; the kernel drops it
//! DIRECT_MAP   4 GiB, writable, never executable, from DEVICES up uncached; the image's constants read-only
//! KERNEL_MAP   the kernel's segments with their own rights, its stack, boot block and ledger; nothing else
//! ```
//! Nothing is open to ring 3. Accessed and dirty bits are set already, so that the CPU does not write them at boot.

use std::ops::Range;

use mayfly_abi::PAGE;
use mayfly_abi::boot::{DEVICES, DIRECT_MAP, DIRECT_MAP_LEN, KERNEL_MAP};
use mayfly_abi::paging::{
    ACCESSED, ADDRESS, ANYTHING, DEVICE, DIRTY, ENTRIES, LARGE, NO_EXECUTE, PRESENT, READ_ONLY, READ_WRITE, TABLE,
    WRITE,
};

const LARGE_PAGE: u64 = 2 << 20;
const ENTRIES_LEN: usize = ENTRIES * 8;

/// Whole pages of physical memory, and what the kernel may do with them through its own map.
#[derive(Clone, Debug)]
pub(super) struct Region {
    /// Physical addresses, multiples of a page.
    pub pages: Range<u64>,
    /// May be written.
    pub write: bool,
    /// May be executed.
    pub execute: bool,
}

/// Page tables to be loaded at physical address `base`, the top one first.
///
/// `kernel` is what appears at [`KERNEL_MAP`], `read_only` what the direct map must not write.
pub(super) fn build(base: u64, kernel: &[Region], read_only: &[Range<u64>]) -> Vec<u8> {
    let mut tables = Tables { base, tables: vec![[0; ENTRIES]] };
    tables.map(0, LARGE_PAGE, 0, ANYTHING);

    for physical in (0..DIRECT_MAP_LEN).step_by(LARGE_PAGE as usize) {
        tables.map_directly(physical, read_only);
    }
    for region in kernel {
        let write = if region.write { WRITE | DIRTY } else { 0 };
        let no_execute = if region.execute { 0 } else { NO_EXECUTE };
        for physical in region.pages.clone().step_by(PAGE as usize) {
            tables.map(KERNEL_MAP + physical, PAGE, physical, PRESENT | ACCESSED | write | no_execute);
        }
    }
    tables.into_bytes()
}

struct Tables {
    base: u64,
    tables: Vec<[u64; ENTRIES]>,
}

impl Tables {
    /// Maps 2 MiB of the direct map, by one large page if all of it has the same rights.
    fn map_directly(&mut self, physical: u64, read_only: &[Range<u64>]) {
        let region = physical..physical + LARGE_PAGE;
        let touches = |range: &&Range<u64>| range.start < region.end && region.start < range.end;
        let Some(first) = read_only.iter().find(touches) else {
            let rights = if physical >= DEVICES { DEVICE } else { READ_WRITE };
            return self.map(DIRECT_MAP + physical, LARGE_PAGE, physical, rights);
        };
        if first.start <= region.start && region.end <= first.end {
            return self.map(DIRECT_MAP + physical, LARGE_PAGE, physical, READ_ONLY);
        }
        for page in region.step_by(PAGE as usize) {
            let constant = read_only.iter().any(|range| range.contains(&page));
            self.map(DIRECT_MAP + page, PAGE, page, if constant { READ_ONLY } else { READ_WRITE });
        }
    }

    /// Maps one page of `size` bytes (4 KiB or 2 MiB), making the tables on the way to it.
    fn map(&mut self, address: u64, size: u64, physical: u64, rights: u64) {
        let (levels, rights) = if size == LARGE_PAGE { (2, rights | LARGE) } else { (3, rights) };
        let mut table = 0;
        for level in 0..levels {
            let slot = slot(address, level);
            let entry = self.tables[table][slot];
            table = if entry == 0 {
                let next = self.tables.len();
                self.tables[table][slot] = (self.base + next as u64 * PAGE) | TABLE;
                self.tables.push([0; ENTRIES]);
                next
            } else {
                (((entry & ADDRESS) - self.base) / PAGE) as usize
            };
        }
        self.tables[table][slot(address, levels)] = physical | rights;
    }

    fn into_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.tables.len() * ENTRIES_LEN);
        for entry in self.tables.iter().flatten() {
            bytes.extend_from_slice(&entry.to_le_bytes());
        }
        bytes
    }
}

/// Which entry of its table an address uses; level 0 is the top table.
fn slot(address: u64, level: u32) -> usize {
    (address >> (39 - 9 * level)) as usize % ENTRIES
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: u64 = 0x50_0000;
    const TEXT: Range<u64> = 0x12_0000..0x12_3000;
    const DATA: Range<u64> = 0x12_3000..0x12_5000;
    /// From within the first 2 MiB, over a whole large page, into the third.
    const BUNDLE: Range<u64> = 0x12_5000..0x40_1000;

    fn sample() -> Vec<u8> {
        let kernel =
            [Region { pages: TEXT, write: false, execute: true }, Region { pages: DATA, write: true, execute: false }];
        build(BASE, &kernel, &[TEXT, BUNDLE])
    }

    /// What the CPU finds for an address: the physical address, and the leaf's bits.
    fn walk(tables: &[u8], address: u64) -> Option<(u64, u64)> {
        walk_at(tables, BASE, address)
    }

    /// The same in tables that lie elsewhere.
    fn walk_at(tables: &[u8], base: u64, address: u64) -> Option<(u64, u64)> {
        let mut table = base;
        for level in 0..4 {
            let at = (table - base) as usize + slot(address, level) * 8;
            let entry = u64::from_le_bytes(tables[at..at + 8].try_into().expect("eight bytes"));
            if entry & PRESENT == 0 {
                return None;
            }
            if level == 3 || entry & LARGE != 0 {
                let size = if level == 3 { PAGE } else { LARGE_PAGE };
                return Some(((entry & ADDRESS) + address % size, entry & !ADDRESS));
            }
            table = entry & ADDRESS;
        }
        None
    }

    #[test]
    fn the_direct_map_reaches_all_of_it_and_writes_all_but_constants() {
        let tables = sample();
        for page in (0..DIRECT_MAP_LEN).step_by(PAGE as usize) {
            let (physical, bits) = walk(&tables, DIRECT_MAP + page).expect("mapped");
            assert_eq!(physical, page);
            let constant = TEXT.contains(&page) || BUNDLE.contains(&page);
            let expected = match page {
                _ if constant => READ_ONLY,
                DEVICES.. => DEVICE,
                _ => READ_WRITE,
            };
            assert_eq!(bits & !LARGE, expected, "{page:#x}");
        }
        assert_eq!(walk(&tables, DIRECT_MAP + DIRECT_MAP_LEN), None);
        assert_eq!(walk(&tables, DIRECT_MAP - PAGE), None);
    }

    #[test]
    fn large_pages_are_used_wherever_rights_are_the_same() {
        let tables = sample();
        let large = |page: u64| walk(&tables, DIRECT_MAP + page).expect("mapped").1 & LARGE != 0;
        assert!(!large(0x10_0000) && !large(0x40_0000), "constants end in these");
        assert!(large(0x20_0000), "all of it is constant");
        assert!(large(0x60_0000) && large(DEVICES));
        // Top; identity 2; direct 1 + 4 + 2 split; kernel 3.
        assert_eq!(tables.len() as u64, 13 * PAGE);
    }

    #[test]
    fn the_kernel_map_holds_the_kernel_with_its_own_rights_and_nothing_else() {
        let tables = sample();
        for page in (0..2 * LARGE_PAGE).step_by(PAGE as usize) {
            let expected = if TEXT.contains(&page) {
                Some((page, PRESENT | ACCESSED))
            } else if DATA.contains(&page) {
                Some((page, READ_WRITE))
            } else {
                None
            };
            assert_eq!(walk(&tables, KERNEL_MAP + page), expected, "{page:#x}");
        }
    }

    #[test]
    fn the_loader_finds_the_first_2_mib_where_they_are() {
        let tables = sample();
        assert_eq!(walk(&tables, 0x10_0000).map(|(physical, _)| physical), Some(0x10_0000));
        assert_eq!(walk(&tables, LARGE_PAGE), None);
    }

    /// The tables as the UEFI loader changes them.
    fn moved(by: u64, jump: u64) -> Vec<u8> {
        let words = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        let mut tables: Vec<[u64; ENTRIES]> = sample()
            .chunks(ENTRIES_LEN)
            .map(|table| std::array::from_fn(|at| words(&table[8 * at..8 * at + 8])))
            .collect();
        mayfly_loader_uefi::tables::relocate(&mut tables, BASE, by, jump).expect("as they are built");
        tables.into_iter().flatten().flat_map(u64::to_le_bytes).collect()
    }

    #[test]
    fn a_moved_image_has_the_tables_that_would_have_been_built_for_its_place() {
        for units in [0, 1, 2, 3, 511, 1000, 1530] {
            let by = units * LARGE_PAGE;
            let tables = moved(by, 0x1234_5678);
            let (text, data) = (TEXT.start + by..TEXT.end + by, DATA.start + by..DATA.end + by);
            let bundle = BUNDLE.start + by..BUNDLE.end + by;
            for page in (0..DIRECT_MAP_LEN).step_by(PAGE as usize) {
                let (physical, bits) = walk_at(&tables, BASE + by, DIRECT_MAP + page).expect("mapped");
                let expected = match page {
                    _ if text.contains(&page) || bundle.contains(&page) => READ_ONLY,
                    DEVICES.. => DEVICE,
                    _ => READ_WRITE,
                };
                assert_eq!((physical, bits & !LARGE), (page, expected), "{page:#x}, moved by {by:#x}");
            }
            for page in (0..2 * LARGE_PAGE).step_by(PAGE as usize) {
                let expected = if text.contains(&(page + by)) {
                    Some((page + by, PRESENT | ACCESSED))
                } else if data.contains(&(page + by)) {
                    Some((page + by, READ_WRITE))
                } else {
                    None
                };
                assert_eq!(walk_at(&tables, BASE + by, KERNEL_MAP + page), expected, "{page:#x}, moved by {by:#x}");
            }
        }
    }

    #[test]
    fn the_way_out_of_the_firmware_is_shown_where_it_is_and_can_be_run() {
        for jump in [0x7e12_3456, 0x10_0100, 0x1_2345_6789, (512 << 30) - 1] {
            for by in [0, LARGE_PAGE] {
                let (physical, bits) = walk_at(&moved(by, jump), BASE + by, jump).expect("mapped");
                assert_eq!((physical, bits & NO_EXECUTE), (jump, 0), "{jump:#x}");
            }
        }
    }

    #[test]
    fn no_entry_is_open_to_ring_3_or_global() {
        let (user, global) = (1 << 2, 1 << 8);
        for entry in sample().chunks(8).map(|bytes| u64::from_le_bytes(bytes.try_into().expect("eight bytes"))) {
            assert_eq!(entry & (user | global), 0);
        }
    }
}
