//! The memory map that the kernel gets: the firmware's, with what nobody needs any more usable, and neighbours joined.

use bootloader_api::info::{MemoryRegion, MemoryRegionKind};
use mayfly_abi::boot::LOADER;

/// Regions in order of address, in a table of fixed size.
#[derive(Debug)]
pub struct Regions<'a> {
    table: &'a mut [MemoryRegion],
    used: usize,
}

impl<'a> Regions<'a> {
    /// No regions yet, and room for as many as `table` has.
    pub fn new(table: &'a mut [MemoryRegion]) -> Self {
        Self { table, used: 0 }
    }

    /// Adds a region; they come in order of address. Usable memory below 1 MiB is left alone: the firmware's tables lie
    /// there, and other cores start there. Without room, the region is left out.
    pub fn add(&mut self, start: u64, end: u64, kind: MemoryRegionKind) {
        let start = if kind == MemoryRegionKind::Usable { start.max(LOADER) } else { start };
        if start >= end {
            return;
        }
        if let Some(last) = self.table[..self.used].last_mut()
            && last.kind == kind
            && last.end == start
        {
            last.end = end;
        } else if let Some(slot) = self.table.get_mut(self.used) {
            *slot = MemoryRegion { start, end, kind };
            self.used += 1;
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.used
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use MemoryRegionKind::{Bootloader, Usable};

    fn joined<const N: usize>(regions: &[(u64, u64, MemoryRegionKind)]) -> ([MemoryRegion; N], usize) {
        let mut table = [MemoryRegion::empty(); N];
        let mut joined = Regions::new(&mut table);
        regions.iter().for_each(|(start, end, kind)| joined.add(*start, *end, *kind));
        let len = joined.len();
        (table, len)
    }

    #[test]
    fn neighbours_of_a_kind_become_one() {
        let regions = [
            (0x10_0000, 0x20_0000, Usable),
            (0x20_0000, 0x30_0000, Usable),
            (0x30_0000, 0x40_0000, Bootloader),
            (0x50_0000, 0x60_0000, Bootloader),
            (0x60_0000, 0x70_0000, Usable),
        ];
        let (table, len) = joined::<8>(&regions);
        let found: [_; 4] = core::array::from_fn(|at| (table[at].start, table[at].end));
        let expected = [(0x10_0000, 0x30_0000), (0x30_0000, 0x40_0000), (0x50_0000, 0x60_0000), (0x60_0000, 0x70_0000)];
        assert_eq!((len, found), (4, expected));
    }

    #[test]
    fn the_first_mebibyte_is_not_usable() {
        let (table, len) = joined::<4>(&[(0, 0xa_0000, Usable), (0xf_0000, 0x18_0000, Usable)]);
        assert_eq!((len, table[0].start, table[0].end), (1, LOADER, 0x18_0000));
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let (table, len) = joined::<1>(&[(0x10_0000, 0x20_0000, Usable), (0x30_0000, 0x40_0000, Usable)]);
        assert_eq!((len, table[0].end), (1, 0x20_0000));
    }
}
