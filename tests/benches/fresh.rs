//! Twenty thousand invocations of functions at random, good ones and attacks, every reset checked against its template.
//!
//! `cargo bench -p mayfly-tests --bench fresh`

use std::time::{Duration, Instant};

use mayfly_tests::{Guest, images, invoke_at_random};

const INVOCATIONS: usize = 20_000;

fn main() {
    let guest = Guest::boot(images::all()).within(Duration::from_secs(3600));
    let started = Instant::now();
    let (made, attacks) = invoke_at_random(&guest, INVOCATIONS);
    guest.expect_hello();
    println!(
        "{made} invocations, {attacks} of them attacks: all right, every reset verified; {:.0?}",
        started.elapsed()
    );
}
