//! How much of a processor an idle machine takes, over ten seconds: just booted, and with open connections.
//!
//! `cargo bench -p mayfly-tests --bench idle`

use std::thread;
use std::time::Duration;

use mayfly_qemu::Launch;
use mayfly_tests::{Guest, images};

const TIME: Duration = Duration::from_secs(10);
const CONNECTIONS: usize = 64;

fn main() {
    let guest = Guest::measured(Launch::new(images::all()));
    println!("just booted: {:.2} %", percent(&guest));
    let connections: Vec<_> = (0..CONNECTIONS).map(|_| guest.connect_and_ask()).collect();
    println!("with {} open connections: {:.2} %", connections.len(), percent(&guest));
}

/// Percent of one processor that QEMU takes from now on.
fn percent(guest: &Guest) -> f64 {
    let before = guest.processor_time();
    thread::sleep(TIME);
    100.0 * (guest.processor_time() - before).as_secs_f64() / TIME.as_secs_f64()
}
