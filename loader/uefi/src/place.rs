//! Where an image goes: to its linked place if that is free, else higher.

use mayfly_abi::boot::{DEVICES, LOADER, MOVE_UNIT};

/// How far an image that ends at `image_end` has to be moved to lie in one of the runs `(start, end)` of free physical
/// memory: the least there is. `None` if it fits into none of them below 3 GiB, from where the direct map shows devices.
pub fn moved(image_end: u64, free: impl IntoIterator<Item = (u64, u64)>) -> Option<u64> {
    let fit = |(start, end): (u64, u64)| {
        let moved = start.saturating_sub(LOADER).checked_next_multiple_of(MOVE_UNIT)?;
        (image_end.checked_add(moved)? <= end.min(DEVICES)).then_some(moved)
    };
    free.into_iter().filter_map(fit).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn an_image_stays_where_it_is_linked_if_it_can() {
        assert_eq!(moved(4 * MIB, [(0, 640 << 10), (16 * MIB, 64 * MIB), (MIB, 8 * MIB)]), Some(0));
        assert_eq!(moved(8 * MIB, [(MIB, 8 * MIB)]), Some(0));
    }

    #[test]
    fn an_image_in_the_way_of_something_goes_to_the_lowest_place_of_its_size() {
        assert_eq!(moved(9 * MIB, [(64 * MIB, 128 * MIB), (MIB, 8 * MIB), (9 * MIB, 32 * MIB)]), Some(8 * MIB));
        // By whole units: the image still starts a megabyte behind the start of one.
        assert_eq!(moved(4 * MIB, [(9 * MIB + 1, 32 * MIB)]), Some(10 * MIB));
    }

    #[test]
    fn there_may_be_no_place() {
        assert_eq!(moved(4 * MIB, []), None);
        assert_eq!(moved(4 * MIB, [(2 * MIB, 5 * MIB)]), None);
        assert_eq!(moved(4 * MIB, [(DEVICES - MIB, DEVICES + 64 * MIB), (u64::MAX - 1, u64::MAX)]), None);
    }
}
