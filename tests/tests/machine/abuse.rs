//! Clients that are slow, silent, deaf or greedy: each costs a bounded amount for a bounded time, others are served
//! meanwhile, and connections and memory come back to what they were. Those that just leave are in vanishing.rs.

use std::time::{Duration, Instant};

use mayfly_qemu::Launch;
use mayfly_qemu::wire::Impairments;
use mayfly_tests::{Guest, Request, images};

/// How long a request may take to arrive: the kernel's limit, and what a busy host adds.
const ARRIVAL: Duration = Duration::from_secs(10);
const LATE: Duration = Duration::from_secs(5);
/// How long what a client held may take to come back: longer than the wait for late packets.
const RETURN: Duration = Duration::from_secs(20);
/// Longer than it takes a client's acknowledgement to arrive.
const QUIET: Duration = Duration::from_millis(20);
/// Page frames that may be kept from a peak that was higher than the first: less than one for each client.
const KEPT: u64 = 32;
/// Bytes of a long body.
const LONG: usize = 1 << 20;

/// A machine that has met both functions before.
fn boot() -> Guest {
    boot_on(Launch::new(images::all()))
}

fn boot_on(launch: Launch) -> Guest {
    let guest = Guest::serving(launch).within(Duration::from_secs(90));
    assert_eq!(guest.ask(&Request::post("/echo", vec![b'x'; LONG])).status, 200);
    guest.expect_hello();
    guest
}

/// Page frames in use once no connection is left.
fn frames_at_rest(guest: &Guest) -> u64 {
    guest.settle_alone(QUIET, RETURN).frames_used
}

/// Has it abused again and again, by twenty clients or more: after each time the machine is as well as ever, and holds
/// no more than after the first time but for memory that is kept for the next such peak.
fn expect_return(guest: &Guest, abuse: impl Fn(&Guest)) {
    let frames = [(); 3].map(|()| {
        abuse(guest);
        guest.expect_hello();
        frames_at_rest(guest)
    });
    println!("frames in use after each time: {frames:?}");
    assert!(frames[2] <= frames[0] + KEPT, "frames that do not come back: {frames:?}");
    assert_eq!(guest.machine().console().text(), "");
}

#[test]
fn requests_that_do_not_arrive_get_408_after_ten_seconds_and_silence_gets_nothing() {
    /// Clients of each kind.
    const CLIENTS: usize = 4;
    const HEAD: &[u8] = b"GET /hello HTTP/1.1\r\nHost: x\r\n";
    let beginnings: [&[u8]; 7] = [
        b"",
        b"G",
        HEAD,
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\na: b",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
    ];
    let guest = boot();
    let begun = Instant::now();
    let mut waiting = Vec::new();
    for beginning in beginnings.repeat(CLIENTS) {
        let mut connection = guest.connect();
        connection.send(beginning);
        waiting.push((beginning, connection));
        // QEMU's queue of connections that the machine does not know yet is short.
        guest.settle(QUIET);
    }
    // A head that never stops coming is as late as one that does.
    let mut dripping = guest.connect();
    dripping.send(HEAD);
    let dripped = Instant::now();
    while !dripping.has_bytes(Duration::from_millis(500)) {
        dripping.send(b"a");
        guest.expect_hello();
    }
    assert!((ARRIVAL..ARRIVAL + LATE).contains(&(dripped.elapsed() + QUIET)), "408 after {:?}", dripped.elapsed());
    waiting.push((HEAD, dripping));
    for (beginning, mut connection) in waiting {
        if !beginning.is_empty() {
            let response = connection.receive();
            assert_eq!((response.status, response.closes()), (408, true), "{}", beginning.escape_ascii());
        }
        connection.expect_end();
    }
    assert!(begun.elapsed() < ARRIVAL + LATE, "{:?}", begun.elapsed());
    guest.expect_hello();
    frames_at_rest(&guest);
    assert_eq!(guest.machine().console().text(), "");
}

#[test]
fn heads_without_end_cost_no_memory() {
    const BOMBS: usize = 20;
    /// More than a refused client may still send.
    const FLOOD: usize = 8 << 20;
    let (line, flood) = (b"a: 0123456789abcdef\r\n", vec![b'x'; FLOOD]);
    expect_return(&boot(), |guest| {
        for _ in 0..BOMBS {
            let mut connection = guest.connect();
            connection.send(b"GET /hello HTTP/1.1\r\nHost: x\r\n");
            connection.send(&line.repeat(1000));
            assert_eq!(connection.receive().status, 431);
            connection.expect_end();
        }
        let mut flooding = guest.connect();
        flooding.send(b"GET /hello HTTP/1.1\r\nHost: x\r\na: ");
        // It is told why or reset, whichever comes first; what matters is that it is stopped and that nobody else is.
        let _ = flooding.try_send(&flood);
    });
}

#[test]
fn heads_that_do_not_end_on_hundreds_of_connections_leave_room_for_others() {
    /// More than the kernel's heap in 16 MiB can hold, all together.
    const CLIENTS: usize = 700;
    let head = [&b"GET /hello HTTP/1.1\r\nX: "[..], &[b'x'; 7 << 10]].concat();
    let guest = Guest::serving(Launch::new(images::hello()).memory_mib(16)).within(Duration::from_secs(90));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let mut client = guest.connect();
            client.send(&head);
            // The host's side of the wire takes few at once.
            guest.settle(Duration::from_millis(1));
            client
        })
        .collect();
    // Each needs memory of its own, and an answer of the kernel's does too.
    for _ in 0..20 {
        guest.expect_hello();
        assert_eq!(guest.ask(&Request::get("/nobody")).status, 404);
    }
    drop(clients);
    frames_at_rest(&guest);
    assert_eq!(guest.machine().console().text(), "");
}

#[test]
fn a_client_that_asks_and_does_not_read_is_held_up_and_loses_nothing() {
    /// More than all buffers between the client and the function together.
    const MOST: usize = 64 << 20;
    /// Page frames that such a client may hold.
    const HELD: u64 = 64;
    const BODY: usize = 2000;
    let request = Request::post("/echo", vec![b'x'; BODY]).to_bytes();
    let batch = request.repeat(100);
    let guest = boot();
    let before = frames_at_rest(&guest);
    let mut greedy = guest.connect();
    let mut sent = 0;
    loop {
        let taken = greedy.send_until_stuck(&batch, Duration::from_millis(300));
        sent += taken;
        assert!(sent < MOST, "it takes whatever it gets");
        if taken < batch.len() {
            break;
        }
    }
    let held = guest.settle(QUIET).frames_used.saturating_sub(before);
    println!("{sent} bytes of requests taken, {held} frames held");
    assert!(held < HELD, "{held} frames for one client");
    guest.expect_hello();
    // The request that was cut can be sent whole once others are answered.
    let (whole, cut) = (sent / request.len(), sent % request.len());
    for at in 0..whole {
        let response = greedy.try_receive(false).unwrap_or_else(|error| panic!("answer {at} of {whole}: {error}"));
        assert_eq!((response.status, response.body.len()), (200, BODY));
    }
    greedy.send(&request[cut..]);
    assert_eq!(greedy.receive().body.len(), BODY);
    greedy.finish_sending();
    greedy.expect_end();
    guest.expect_hello();
    frames_at_rest(&guest);
    assert_eq!(guest.machine().console().text(), "");
}

#[test]
fn clients_that_ask_and_never_read_are_forgotten_when_they_leave() {
    const CLIENTS: usize = 20;
    let (long, many) = (Request::post("/echo", vec![b'x'; LONG]).to_bytes(), Request::get("/hello").to_bytes());
    // QEMU's own network can fail an assertion and end QEMU when a client leaves for whose bytes it has no room.
    let guest = boot_on(Launch::new(images::all()).wire(Impairments::default()));
    expect_return(&guest, |guest| {
        for _ in 0..CLIENTS {
            let mut connection = guest.connect();
            connection.send(&long);
            connection.send_until_stuck(&many.repeat(5000), Duration::from_millis(50));
            guest.expect_hello();
            drop(connection);
            // How many are there at once decides how much memory is kept for the next such peak.
            frames_at_rest(guest);
        }
    });
}

#[test]
fn clients_that_close_their_side_at_any_moment_are_answered_and_forgotten() {
    const CLIENTS: usize = 20;
    const PIPELINED: usize = 50;
    let long = Request::post("/echo", vec![b'x'; LONG]).to_bytes();
    expect_return(&boot(), |guest| {
        for _ in 0..CLIENTS {
            let mut silent = guest.connect();
            silent.finish_sending();
            let mut pipelining = guest.connect();
            pipelining.send(&Request::get("/hello").to_bytes().repeat(PIPELINED));
            pipelining.finish_sending();
            let mut deaf = guest.connect();
            deaf.send(&long);
            deaf.finish_sending();
            silent.expect_end();
            guest.expect_hello();
            for _ in 0..PIPELINED {
                assert_eq!(pipelining.receive().text(), "hello, world\n");
            }
            pipelining.expect_end();
            assert_eq!(deaf.receive().body.len(), LONG);
            deaf.expect_end();
        }
    });
}

#[test]
fn clients_that_reset_at_any_moment_are_forgotten() {
    let request = Request::post("/echo", vec![b'x'; LONG]).to_bytes();
    // Before and within the head, right behind it, within the body, at its end.
    let sent = [0, 1, 30, request.len() - LONG, 1000, LONG / 2, request.len() - 1, request.len()];
    expect_return(&boot(), |guest| {
        for sent in sent {
            let mut connection = guest.connect();
            connection.send(&request[..sent]);
            connection.reset();
            guest.expect_hello();
        }
        // Within the answer.
        for read in [1, 1000, LONG / 2] {
            let mut connection = guest.connect();
            connection.send(&request);
            connection.wait_for_bytes(read);
            connection.reset();
            guest.expect_hello();
        }
    });
}

#[test]
fn a_body_that_drips_gets_408_though_it_never_stops() {
    /// A byte each half second must not hold a connection for longer.
    const MOST: Duration = Duration::from_secs(30);
    let guest = boot();
    let mut dripping = guest.connect();
    dripping.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
    let begun = Instant::now();
    while !dripping.has_bytes(Duration::from_millis(500)) {
        assert!(begun.elapsed() < MOST, "still waited for after {:?}", begun.elapsed());
        dripping.send(b"a");
    }
    let response = dripping.receive();
    assert_eq!((response.status, response.closes()), (408, true), "{response:?}");
    dripping.expect_end();
    guest.expect_hello();
}

#[test]
fn a_connection_that_nobody_uses_is_closed_in_order_after_a_minute_and_not_before() {
    /// A minute of a machine whose clocks are said to be ten times as slow as they are.
    const MINUTE: Duration = Duration::from_secs(6);
    let launch = Launch::new(images::hello()).icount();
    let guest = Guest::serving(launch.kernel_argument("tsc_hz=100000000").kernel_argument("lapic_hz=100000000"));
    let mut connection = guest.connect();
    let mut ask = |silence| {
        connection.expect_silence(silence);
        let asked = Instant::now();
        assert_eq!(connection.ask(&Request::get("/hello")).status, 200);
        asked
    };
    ask(QUIET);
    // Counted from the last answer.
    ask(MINUTE * 2 / 3);
    let asked = ask(MINUTE * 2 / 3);
    assert!(connection.has_ended(MINUTE + LATE), "it is still open after {:?}", asked.elapsed());
    let elapsed = asked.elapsed();
    println!("closed after {elapsed:?}");
    assert!(elapsed >= MINUTE, "closed after {elapsed:?}");
    guest.expect_hello();
}
