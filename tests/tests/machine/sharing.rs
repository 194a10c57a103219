//! The core is shared: equal work gets equal time, and a short request does not wait for long ones.

use std::thread;

use mayfly_tests::{Guest, Request, images};

#[test]
fn two_functions_that_compute_all_the_time_get_equal_shares() {
    /// Long beside a slice, and beside what it takes the second one to begin. A million instructions each.
    const MILLIS: &str = "3000";
    let guest = Guest::counting(images::measuring());
    let connections = [guest.connect_and_ask(), guest.connect_and_ask()];
    let counts = thread::scope(|scope| {
        let clients = connections.map(|mut connection| {
            scope.spawn(move || {
                let response = connection.ask(&Request::post("/count", MILLIS));
                response.text().trim().parse::<f64>().unwrap_or_else(|_| panic!("{response:?}"))
            })
        });
        clients.map(|client| client.join().expect("a client failed"))
    });
    println!("{counts:?}");
    let [one, other] = counts;
    assert!((one - other).abs() <= 0.05 * one.max(other), "{one} and {other} steps");
}
