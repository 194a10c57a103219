//! Memory that an invocation gave back is out of the next one's reach, though the page table and the CPU stay the same.

use mayfly_tests::{Guest, Request, images};

#[test]
fn a_heap_page_that_was_given_back_cannot_be_reached_by_the_next_invocation() {
    let guest = Guest::boot(images::all());
    let mut connection = guest.connect();
    for round in 1..=20 {
        // One after another, so that both run in the one instance there is.
        let left = connection.ask(&Request::get("/stale/leave"));
        assert_eq!(left.text(), format!("left a mark {} bytes into the heap\n", 200 << 10));
        let found = connection.ask(&Request::get("/stale"));
        assert_eq!((found.status, found.text()), (502, format!("stale broke: unmapped (fault {round})\n")));
    }
}
