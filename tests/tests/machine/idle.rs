//! A machine with nothing to do leaves the host's processor alone. Generous here; the `idle` bench has the figure.

use std::thread;
use std::time::Duration;

use mayfly_tests::{Guest, images};

#[test]
fn an_idle_machine_takes_next_to_no_processor_time() {
    const TIME: Duration = Duration::from_secs(5);
    let guest = Guest::boot(images::all());
    // Open, and quiet.
    let _connection = guest.connect_and_ask();
    let before = guest.processor_time();
    thread::sleep(TIME);
    let used = guest.processor_time() - before;
    println!("{used:?} of processor time in {TIME:?}");
    assert!(used < TIME * 3 / 100, "{used:?} of processor time in {TIME:?}");
    guest.expect_hello();
}
