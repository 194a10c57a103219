//! Rates against exact arithmetic.

use mayfly_core::clock::Rate;
use proptest::prelude::*;

const NANOS: u128 = 1_000_000_000;

fn exact(value: u64, numerator: u128, denominator: u128) -> u64 {
    u64::try_from(u128::from(value) * numerator / denominator).unwrap_or(u64::MAX)
}

/// At most one unit and one part in 2^`bits` below `exact`, never above.
fn just_below(found: u64, exact: u64, bits: u32) -> bool {
    found <= exact && exact - found <= (exact >> bits) + 1
}

#[test]
fn a_second_is_a_second() {
    for hz in [1_000, 62_500_000, 1_000_000_000, 2_596_000_000, 5_000_000_000] {
        let rate = Rate::new(hz).expect("an ordinary frequency");
        assert!(just_below(rate.nanos(hz), 1_000_000_000, 30), "{hz}");
        assert!(just_below(rate.ticks(1_000_000_000), hz, 30), "{hz}");
    }
}

#[test]
fn one_tick_a_nanosecond_is_exact() {
    let rate = Rate::new(1_000_000_000).expect("an ordinary frequency");
    for value in [0, 1, 12_345_678_901, u64::MAX] {
        assert_eq!(rate.nanos(value), value);
        assert_eq!(rate.ticks(value), value);
    }
}

#[test]
fn what_exceeds_the_range_saturates() {
    let slow = Rate::new(Rate::MIN_HZ).expect("the slowest");
    assert_eq!(slow.nanos(u64::MAX), u64::MAX);
    assert_eq!(slow.nanos(u64::MAX / 1_000_000 + 1), u64::MAX);
    let fast = Rate::new(Rate::MAX_HZ).expect("the fastest");
    assert_eq!(fast.ticks(u64::MAX), u64::MAX);
}

#[test]
fn frequencies_that_no_counter_has_are_refused() {
    for hz in [0, 1, Rate::MIN_HZ - 1, Rate::MAX_HZ + 1, u64::MAX] {
        assert_eq!(Rate::new(hz), None, "{hz}");
    }
}

proptest! {
    #[test]
    fn both_ways_agree_with_exact_arithmetic(hz in 1_000u64..=10_000_000_000, value in any::<u64>(), shift in 0u32..64) {
        let rate = Rate::new(hz).expect("in range");
        let value = value >> shift;
        prop_assert!(just_below(rate.nanos(value), exact(value, NANOS, u128::from(hz)), 30));
        prop_assert!(just_below(rate.ticks(value), exact(value, u128::from(hz), NANOS), 30));
    }

    #[test]
    fn the_fastest_counters_are_believed_less_exactly(hz in Rate::MIN_HZ..=Rate::MAX_HZ, value in any::<u64>()) {
        let rate = Rate::new(hz).expect("in range");
        prop_assert!(just_below(rate.nanos(value), exact(value, NANOS, u128::from(hz)), 23));
        prop_assert!(just_below(rate.ticks(value), exact(value, u128::from(hz), NANOS), 23));
    }

    #[test]
    fn time_does_not_run_backwards(hz in Rate::MIN_HZ..=Rate::MAX_HZ, ticks in any::<u64>(), more in any::<u64>()) {
        let rate = Rate::new(hz).expect("in range");
        prop_assert!(rate.nanos(ticks) <= rate.nanos(ticks.saturating_add(more)));
        prop_assert!(rate.ticks(ticks) <= rate.ticks(ticks.saturating_add(more)));
    }
}
