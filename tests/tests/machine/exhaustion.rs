//! A machine whose memory is used up says so, to the client that asks for more, and is as new when it is free again.

use std::time::Duration;

use mayfly_qemu::Launch;
use mayfly_tests::{Guest, Request, images};

#[test]
fn a_body_for_which_there_is_no_memory_gets_503_and_the_machine_recovers() {
    /// Longest body that echo takes, but for the byte that would complete it.
    const ALMOST: usize = (1 << 20) - 1;
    let guest = Guest::serving(Launch::new(images::all()).memory_mib(16));
    let bytes = Request::post("/echo", vec![b'x'; ALMOST + 1]).to_bytes();
    let (most, last) = bytes.split_at(bytes.len() - 1);
    let mut holding = Vec::new();
    let refused = loop {
        assert!(holding.len() < 16, "sixteen mebibytes hold more than sixteen bodies");
        let mut connection = guest.connect();
        connection.send(most);
        // A refused client is told at once; one that is not waits for its last byte.
        if connection.has_bytes(Duration::from_millis(300)) {
            break connection.receive();
        }
        holding.push(connection);
    };
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")), "{refused:?}");
    assert!(holding.len() >= 4, "only {} bodies at once", holding.len());
    // Others still get their turn, one after another: a whole answer needs memory that a half one will give back.
    for mut connection in holding {
        connection.send(last);
        let status = connection.receive().status;
        assert!(matches!(status, 200 | 503), "{status}");
    }
    let response = guest.ask(&Request::post("/echo", vec![b'x'; 1 << 20]));
    assert_eq!((response.status, response.body.len()), (200, 1 << 20));
    guest.expect_hello();
}
