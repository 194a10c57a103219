//! The time that a client has for many bytes: tests.

use mayfly_core::http::pace::Pace;

const SECOND: u64 = 1_000_000_000;
const PATIENCE: u64 = 30 * SECOND;

#[test]
fn a_client_that_takes_a_kilobyte_a_second_may_go_on_for_ever() {
    let mut pace = Pace::new(PATIENCE, 0);
    for second in 1..10_000 {
        assert!(pace.deadline(1024, second * SECOND) > (second + 1) * SECOND, "after {second} seconds");
    }
}

#[test]
fn a_client_that_takes_a_byte_now_and_then_has_no_more_time_than_one_that_takes_none() {
    let mut pace = Pace::new(PATIENCE, 0);
    let end = (1..).map(|second| (second * SECOND, pace.deadline(1, second * SECOND))).find(|(now, end)| end <= now);
    assert_eq!(end.map(|(now, _)| now), Some(PATIENCE + SECOND));
}

#[test]
fn however_fast_a_client_was_it_has_its_patience_and_no_more_for_the_next_bytes() {
    let mut pace = Pace::new(PATIENCE, 0);
    assert_eq!(pace.deadline(1 << 30, SECOND), SECOND + PATIENCE);
}
