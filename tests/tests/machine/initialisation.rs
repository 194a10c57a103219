//! What a function's initialisation leaves is there for every request, is made once, and is never changed by one.

use std::time::Duration;

use mayfly_tests::{Guest, Request, images};

fn factors(guest: &Guest, number: u32) -> String {
    let response = guest.ask(&Request::post("/factors", number.to_string()));
    assert_eq!(response.status, 200, "{response:?}");
    response.text()
}

#[test]
fn a_table_made_by_the_initialisation_serves_every_request() {
    let guest = Guest::counting(images::all());
    assert_eq!(factors(&guest, 60), "60 = 2 * 2 * 3 * 5\n");
    let first = guest.ledger().expect("it serves").domains;
    assert_eq!(factors(&guest, 99_991), "99991 = 99991\n");
    assert_eq!(factors(&guest, 1), "1 = 1\n");
    let later = guest.ledger().expect("it serves").domains - first;
    assert!(later * 5 < first, "two later requests take {later} ticks, the first took {first}");
    let response = guest.ask(&Request::post("/factors", "100000"));
    assert_eq!(response.status, 400);
    guest.expect_hello();
}

#[test]
fn requests_that_come_during_the_initialisation_wait_for_it() {
    let guest = Guest::boot(images::all());
    let mut connections: Vec<_> = (0..12).map(|_| guest.connect_and_ask()).collect();
    for (number, connection) in (2..).zip(&mut connections) {
        connection.send(&Request::post("/factors", format!("{}", number * 1000)).to_bytes());
    }
    for (number, connection) in (2..).zip(&mut connections) {
        let text = connection.receive().text();
        assert!(text.starts_with(&format!("{} = 2 * ", number * 1000)), "{text}");
    }
    guest.expect_hello();
}

#[test]
fn what_was_initialised_with_the_image_serves_as_if_it_had_been_on_the_machine() {
    let guest = Guest::boot(images::measuring());
    let mut connection = guest.connect();
    for number in [0, 1, 99, 9999, 7] {
        let response = connection.ask(&Request::post("/frozen", format!("{number}")));
        assert_eq!(response.text(), format!("{}, asked 1 times\n", number * number));
    }
    guest.expect_hello();
}

#[test]
fn what_was_initialised_with_the_image_costs_nothing_on_the_machine() {
    /// Fewer instructions than the table has entries.
    const LITTLE: u64 = 10_000;
    const QUIET: Duration = Duration::from_millis(20);
    let guest = Guest::counting(images::measuring());
    let mut connection = guest.connect_and_ask();
    let mut domains = || {
        let before = guest.settle(QUIET).domains;
        assert_eq!(connection.ask(&Request::post("/frozen", "7")).status, 200);
        guest.settle(QUIET).domains - before
    };
    let (first, second) = (domains(), domains());
    assert!(first - second < LITTLE, "{first} instructions for the first request, {second} for the second");
}
