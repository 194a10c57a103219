//! A smaller version of the acceptance load; `cargo bench -p mayfly-tests --bench load` puts the whole one on.

use std::time::Duration;

use mayfly_tests::{Guest, Load, images};

#[test]
fn every_answer_of_a_mixed_load_is_right() {
    let guest = Guest::boot(images::all()).within(Duration::from_secs(120));
    let load = Load { requests: 5_000, connections: 64, at_once: 16, longest_body: 256 << 10 };
    let outcome = load.put_on(&guest);
    println!("{outcome}");
    assert_eq!((outcome.latencies.count(), outcome.failures), (load.requests, 0), "{outcome}");
    guest.expect_hello();
}
