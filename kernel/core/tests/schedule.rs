//! Sharing the core: nobody starves, and what is short does not wait for what is long.

use mayfly_core::schedule::{Line, Share};
use proptest::prelude::*;

const SLICE: u64 = 1000;

#[test]
fn whoever_waits_alone_is_next() {
    let mut share = Share::new(SLICE);
    share.book(Line::New, SLICE);
    assert_eq!(share.next(true, false), Some(Line::New));
    assert_eq!(share.next(false, true), Some(Line::Long));
    assert_eq!(share.next(false, false), None);
}

#[test]
fn a_short_request_goes_before_long_ones_however_long_they_have_run() {
    let mut share = Share::new(SLICE);
    for _ in 0..1000 {
        share.book(Line::Long, SLICE);
        assert_eq!(share.next(true, true), Some(Line::New));
        share.book(Line::New, SLICE / 20);
    }
}

#[test]
fn a_flood_of_short_requests_leaves_half_of_the_time_to_long_ones() {
    let mut share = Share::new(SLICE);
    let (mut new, mut long) = (0, 0);
    while new + long < 1000 * SLICE {
        match share.next(true, true) {
            Some(Line::New) => {
                share.book(Line::New, SLICE / 20);
                new += SLICE / 20;
            }
            _ => {
                share.book(Line::Long, SLICE);
                long += SLICE;
            }
        }
    }
    assert!(new.abs_diff(long) <= 2 * SLICE, "{new} {long}");
}

proptest! {
    #[test]
    fn while_both_wait_neither_gets_two_slices_more_than_the_other(
        start in prop::collection::vec((any::<bool>(), 0..5 * SLICE), 0..20),
        turns in prop::collection::vec(1..=SLICE, 1..200),
    ) {
        let mut share = Share::new(SLICE);
        for (new, ticks) in start {
            share.book(if new { Line::New } else { Line::Long }, ticks);
        }
        let mut lead = 0_i64;
        for ticks in turns {
            let line = share.next(true, true).expect("both wait");
            share.book(line, ticks);
            lead += if line == Line::New { ticks as i64 } else { -(ticks as i64) };
            prop_assert!(lead.unsigned_abs() <= 3 * SLICE, "{lead}");
        }
    }
}
