//! The stamps of a request: in order, of one request only, and of any that the host wants them of. docs/ledger.md

use std::time::Duration;

use mayfly_abi::ledger::{Ledger, Phase};
use mayfly_qemu::Launch;
use mayfly_tests::{Connection, Guest, Request, images};

/// Longer than it takes the client's acknowledgement to arrive.
const QUIET: Duration = Duration::from_millis(20);

/// The ledger once a request was answered and the machine rests.
fn ask(guest: &Guest, connection: &mut Connection) -> Ledger {
    let before = guest.settle(QUIET);
    assert_eq!(connection.ask(&Request::get("/hello")).status, 200);
    guest.settle_after(&before, QUIET)
}

/// All stamps of a request, which must be there and in order.
#[track_caller]
fn stamps(ledger: &Ledger) -> Vec<u64> {
    let stamps: Vec<_> = Phase::REQUEST.iter().map(|phase| ledger.stamp(*phase)).collect();
    assert!(stamps[0] != 0 && stamps.is_sorted_by(|one, next| one < next), "{stamps:?}");
    stamps
}

#[test]
fn the_first_request_is_stamped_and_later_ones_only_when_it_is_forgotten() {
    let guest = Guest::measured(Launch::new(images::hello()));
    let mut connection = guest.connect();
    let first = ask(&guest, &mut connection);
    let boot: Vec<_> = Phase::BOOT.iter().map(|phase| first.stamp(*phase)).collect();
    assert!(boot.iter().all(|stamp| *stamp != 0), "{boot:?}");
    assert_eq!(stamps(&ask(&guest, &mut connection)), stamps(&first), "what is stamped stays");

    guest.machine().forget_request().expect("the memory can be written");
    let forgotten = guest.settle(QUIET);
    assert!(Phase::REQUEST.iter().all(|phase| forgotten.stamp(*phase) == 0), "{forgotten:?}");
    let later = ask(&guest, &mut connection);
    let rested = stamps(&first)[Phase::REQUEST.len() - 1];
    assert!(stamps(&later)[0] > rested, "{later:?}");
    assert_eq!(later.stamp(Phase::Listening), first.stamp(Phase::Listening), "the boot's are not forgotten");
    assert_eq!(later.stamp(Phase::Syn), 0, "the connection was there already");
}

#[test]
fn from_waking_to_rest_is_what_a_request_takes() {
    const REQUESTS: usize = 6;
    /// Most instructions of finding a timer too early and setting it anew, which wakes the machine by itself.
    const TIMER: u64 = 100;
    let guest = Guest::counting(images::hello());
    let mut connection = guest.connect_and_ask();
    let beside: Vec<_> = (0..REQUESTS)
        .map(|_| {
            let before = guest.settle(QUIET);
            guest.machine().forget_request().expect("the memory can be written");
            let after = ask(&guest, &mut connection);
            let stamps = stamps(&after);
            let (all, request) = (after.busy - before.busy, stamps[stamps.len() - 1] - stamps[0]);
            all.checked_sub(request).unwrap_or_else(|| panic!("{request} of {all} instructions are the request's"))
        })
        .collect();
    // An acknowledgement that comes by itself is work too, but not of the request.
    assert!(beside.iter().any(|beside| *beside < TIMER), "instructions beside those of the requests: {beside:?}");
}
