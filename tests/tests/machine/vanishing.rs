//! Clients that leave in the middle of something: whatever they left behind is freed, and the machine goes on.

use std::time::{Duration, Instant};

use mayfly_qemu::Launch;
use mayfly_tests::{Connection, Guest, Request, images};

/// Clients that do the same: were a body of each left behind, a machine of 16 MiB would be full long before the last.
const CLIENTS: usize = 40;
/// Bytes of a body that is long for such a machine.
const LONG: usize = 1 << 20;

/// How long the machine may know a client that has left: on a busy host, much less than this.
const GONE: Duration = Duration::from_secs(20);

/// Lets many clients connect and leave, then checks that all of the machine is there.
fn expect_recovery(client: impl Fn(&mut Connection)) {
    let guest = Guest::serving(Launch::new(images::all()).memory_mib(16));
    for _ in 0..CLIENTS {
        // The machine knows it before it leaves: what it sent is not still on its way when nobody is known any more.
        client(&mut guest.connect_and_ask());
        guest.settle_alone(Duration::from_millis(5), GONE);
        guest.expect_hello();
    }
    let whole = guest.ask(&Request::post("/echo", vec![b'x'; LONG]));
    assert_eq!((whole.status, whole.body.len()), (200, LONG));
    guest.expect_hello();
}

/// Most of a request with a long body.
fn most_of(request: &Request) -> Vec<u8> {
    let mut bytes = request.to_bytes();
    bytes.truncate(LONG);
    bytes
}

#[test]
fn a_client_that_leaves_within_its_head_is_forgotten() {
    expect_recovery(|connection| connection.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-"));
}

#[test]
fn a_client_that_leaves_within_its_body_is_forgotten() {
    let request = most_of(&Request::post("/echo", vec![b'x'; LONG]));
    expect_recovery(|connection| connection.send(&request));
}

#[test]
fn a_client_that_leaves_within_a_chunk_is_forgotten() {
    let request = most_of(&Request::post("/echo", vec![b'x'; LONG]).chunked(4096));
    expect_recovery(|connection| connection.send(&request));
}

#[test]
fn a_client_that_resets_within_its_body_is_forgotten() {
    let request = most_of(&Request::post("/echo", vec![b'x'; LONG]).header("Expect", "100-continue"));
    let head = request.len() - request.iter().rev().take_while(|byte| **byte == b'x').count();
    expect_recovery(|connection| {
        connection.send(&request[..head]);
        // What has arrived and was not read makes the host's end of the connection a reset: here, the interim answer.
        assert!(connection.has_bytes(Duration::from_secs(10)), "no leave to send a body");
        connection.send(&request[head..]);
    });
}

#[test]
fn a_client_that_says_no_more_within_its_body_gets_400() {
    let request = most_of(&Request::post("/echo", vec![b'x'; LONG]));
    expect_recovery(|connection| {
        connection.send(&request);
        connection.finish_sending();
        assert_eq!(connection.receive().status, 400);
        connection.expect_end();
    });
}

#[test]
fn a_client_that_leaves_while_its_function_runs_is_forgotten() {
    let guest = Guest::boot(images::all());
    for _ in 0..3 {
        guest.connect().send(&Request::get("/spin").to_bytes());
    }
    guest.expect_hello();
    guest.expect_line("mayfly: fault 3: spin: ran past 500 ms");
    guest.expect_hello();
}

#[test]
fn clients_that_reset_before_their_turn_get_none() {
    /// Half a second each, if they were all run.
    const SPINS: usize = 60;
    /// What those take that run already, eight at once, and what a busy host adds.
    const MOST: Duration = Duration::from_secs(15);
    let guest = Guest::boot(images::all()).within(Duration::from_secs(90));
    for _ in 0..SPINS {
        let mut connection = guest.connect_and_ask();
        connection.send(&Request::get("/spin").to_bytes());
        guest.expect_hello();
        connection.reset();
    }
    let asked = Instant::now();
    assert_eq!(guest.ask(&Request::get("/spin")).status, 504);
    assert!(asked.elapsed() < MOST, "{:?}", asked.elapsed());
}

#[test]
fn a_client_that_resets_within_its_answer_is_forgotten() {
    expect_recovery(|connection| {
        connection.send(&Request::post("/echo", vec![b'x'; LONG]).to_bytes());
        // Most of the answer is not read, so this is a reset too.
        connection.wait_for_bytes(10);
    });
}

#[test]
fn a_client_that_does_not_read_holds_up_nobody() {
    let guest = Guest::boot(images::all());
    let mut deaf: Vec<_> = (0..8).map(|_| guest.connect_and_ask()).collect();
    for connection in &mut deaf {
        connection.send(&Request::post("/echo", vec![b'x'; LONG]).to_bytes());
    }
    for _ in 0..20 {
        guest.expect_hello();
    }
    for connection in &mut deaf {
        assert_eq!(connection.receive().body.len(), LONG);
    }
}
