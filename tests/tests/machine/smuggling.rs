//! Every request of docs/smuggling.md gets its exact verdict, in one piece and in eight, and hello answers right after
//! each.

use std::time::Duration;

use mayfly_tests::{Guest, images, smuggling};

/// Least number of rows.
const ROWS: usize = 200;
/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(120);

#[test]
fn no_request_is_smuggled_however_it_is_spelled() {
    let rows = smuggling::table();
    assert!(rows.len() >= ROWS, "only {} rows", rows.len());
    let guest = Guest::boot(images::all()).within(LIMIT);
    for pieces in [1, 8] {
        for row in &rows {
            row.send(&mut guest.connect(), pieces);
            guest.expect_hello();
        }
        println!("{} of {} exact, in {pieces}", rows.len(), rows.len());
    }
    assert_eq!(guest.machine().console().text(), "");
}
