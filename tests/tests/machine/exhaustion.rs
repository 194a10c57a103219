//! A machine whose memory is used up says so, to the client that asks for more, and is as new when it is free again.

use std::thread;
use std::time::Duration;

use mayfly_qemu::Launch;
use mayfly_tests::{Connection, Guest, Request, images};

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

#[test]
fn invocations_that_run_are_not_broken_for_want_of_memory() {
    /// Two of these at once are more than there is.
    const MEBIBYTES: &str = "8";
    const CLIENTS: usize = 6;
    let guest = Guest::serving(Launch::new(images::measuring()).memory_mib(24));
    let statuses = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| guest.connect_and_ask()).collect();
        let ask = |mut connection: Connection| connection.ask(&Request::post("/touch", MEBIBYTES)).status;
        let clients: Vec<_> = clients.into_iter().map(|connection| scope.spawn(move || ask(connection))).collect();
        // Small ones get through meanwhile, and a body that finds no memory waits for some.
        guest.expect_hello();
        let echo = guest.ask(&Request::post("/echo", vec![b'x'; 1 << 20]));
        assert_eq!((echo.status, echo.body.len()), (200, 1 << 20));
        clients.into_iter().map(|client| client.join().expect("a client failed")).collect::<Vec<_>>()
    });
    assert_eq!(statuses, [200; CLIENTS]);
    guest.expect_hello();
}
