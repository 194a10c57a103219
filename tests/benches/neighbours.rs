//! How long hello takes while other functions loop: alone, beside one and beside eight; then 10,000 times alone.
//!
//! `cargo bench -p mayfly-tests --bench neighbours`

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mayfly_qemu::Launch;
use mayfly_tests::{Connection, Exchange, Guest, Latencies, Request, images};

/// Requests in each measurement.
const REQUESTS: usize = 2000;
/// Requests after all of it.
const AFTER: usize = 10_000;

fn main() {
    let guest = Guest::measured(Launch::new(images::all())).within(Duration::from_secs(1800));
    for neighbours in [0, 1, 8] {
        println!("hello beside {neighbours} looping: {}", beside(&guest, neighbours));
    }
    println!("then {AFTER} right answers: {}", ask(&mut guest.connect(), AFTER));
}

/// Latencies of hello while so many invocations of spin run all the time.
fn beside(guest: &Guest, neighbours: usize) -> Latencies {
    let stop = &AtomicBool::new(false);
    let mut connection = guest.connect_and_ask();
    thread::scope(|scope| {
        for mut spinner in (0..neighbours).map(|_| guest.connect_and_ask()) {
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(spinner.ask(&Request::get("/spin")).status, 504);
                }
            });
        }
        // All of them have begun.
        thread::sleep(Duration::from_millis(if neighbours > 0 { 100 } else { 0 }));
        let latencies = ask(&mut connection, REQUESTS);
        stop.store(true, Ordering::Relaxed);
        latencies
    })
}

/// Asks hello so many times and checks every answer.
fn ask(connection: &mut Connection, requests: usize) -> Latencies {
    let exchange = Exchange::hello("you");
    let one = || {
        let asked = Instant::now();
        let response = connection.ask(&exchange.request);
        let latency = asked.elapsed();
        exchange.check(&response).unwrap_or_else(|wrong| panic!("{wrong}"));
        latency
    };
    std::iter::repeat_with(one).take(requests).collect()
}
