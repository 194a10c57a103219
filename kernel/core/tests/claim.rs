//! Pointers from functions: granted only where every byte lies in one region with the rights asked for.

use mayfly_abi::call::Code;
use mayfly_core::claim::{Access, Claimed, Region};
use proptest::prelude::*;

const TEXT: Region = Region { start: 0x24_1000, end: 0x24_3000, writable: false };
const DATA: Region = Region { start: 0x24_3000, end: 0x24_4000, writable: true };
const LAST: Region = Region { start: u64::MAX - 0xfff, end: u64::MAX, writable: true };
const REGIONS: [Region; 3] = [TEXT, DATA, LAST];

fn check(address: u64, len: u64, access: Access) -> Result<(u64, u64), Code> {
    Claimed { address, len }.check(&REGIONS, access).map(|granted| (granted.address(), granted.len()))
}

#[test]
fn a_run_inside_one_region_is_granted() {
    assert_eq!(check(0x24_1000, 0x2000, Access::Read), Ok((0x24_1000, 0x2000)));
    assert_eq!(check(0x24_2fff, 1, Access::Read), Ok((0x24_2fff, 1)));
    assert_eq!(check(0x24_3000, 0x1000, Access::Write), Ok((0x24_3000, 0x1000)));
    assert_eq!(check(0x24_3000, 0x1000, Access::Read), Ok((0x24_3000, 0x1000)));
}

#[test]
fn a_run_with_a_byte_outside_is_refused() {
    for (address, len) in [(0x24_0fff, 1), (0x24_0fff, 2), (0x24_4000, 1), (0x24_3fff, 2), (0, 1), (0x24_1000, 1 << 40)]
    {
        assert_eq!(check(address, len, Access::Read), Err(Code::BadPointer), "{address:#x} {len}");
    }
}

#[test]
fn a_run_over_two_regions_is_refused_although_they_touch() {
    assert_eq!(check(0x24_2fff, 2, Access::Read), Err(Code::BadPointer));
}

#[test]
fn writing_needs_a_writable_region() {
    assert_eq!(check(0x24_1000, 1, Access::Write), Err(Code::BadPointer));
}

#[test]
fn a_run_that_wraps_around_is_refused() {
    assert_eq!(check(u64::MAX, 1, Access::Read), Err(Code::BadPointer));
    assert_eq!(check(u64::MAX - 1, 1, Access::Read), Ok((u64::MAX - 1, 1)));
    assert_eq!(check(0x24_1000, u64::MAX, Access::Read), Err(Code::BadPointer));
    assert_eq!(check(0x24_3000, u64::MAX - 0x24_3000 + 1, Access::Write), Err(Code::BadPointer));
}

#[test]
fn an_empty_run_is_granted_anywhere_and_touches_nothing() {
    for address in [0, 1, 0x24_1000, u64::MAX] {
        let granted = Claimed { address, len: 0 }.check(&REGIONS, Access::Write).expect("empty runs are granted");
        assert!(granted.is_empty());
    }
    let granted = Claimed { address: DATA.start, len: 1 }.check(&REGIONS, Access::Write).expect("it lies in the data");
    assert!(!granted.is_empty());
}

#[test]
fn a_domain_without_regions_grants_nothing() {
    assert_eq!(Claimed { address: 0, len: 1 }.check(&[], Access::Read), Err(Code::BadPointer));
}

/// Numbers around the edges of the regions and of the number range, and any others.
fn edge() -> impl Strategy<Value = u64> {
    let edges = [0, TEXT.start, TEXT.end, DATA.end, LAST.start, u64::MAX];
    prop_oneof![
        (prop::sample::select(edges.to_vec()), -2i64..=2).prop_map(|(edge, by)| edge.wrapping_add_signed(by)),
        0u64..0x3000,
        any::<u64>(),
    ]
}

proptest! {
    #[test]
    fn granted_means_that_both_ends_lie_in_one_region(address in edge(), len in edge(), write in any::<bool>()) {
        let access = if write { Access::Write } else { Access::Read };
        let fits = |region: &Region| {
            let (start, end) = (u128::from(address), u128::from(address) + u128::from(len));
            u128::from(region.start) <= start && end <= u128::from(region.end) && (region.writable || !write)
        };
        let expected = len == 0 || REGIONS.iter().any(fits);
        prop_assert_eq!(check(address, len, access).is_ok(), expected);
    }
}
