//! What the escape suite does not look at: the console, the clock, and functions that run beside one that misbehaves.

use std::thread;
use std::time::{Duration, Instant};

use mayfly_tests::{Guest, Request, Response, images};

/// Longer than it takes a client's acknowledgement to arrive.
const QUIET: Duration = Duration::from_millis(20);

#[track_caller]
fn expect(response: &Response, status: u16, text: &str) {
    assert_eq!((response.status, response.text().as_str()), (status, text));
    assert!(!response.closes(), "{response:?}");
}

#[test]
fn a_fault_is_told_on_the_console_with_its_number() {
    let guest = Guest::boot(images::all());
    expect(&guest.ask(&Request::get("/fault/null")), 502, "fault broke: null-access (fault 1)\n");
    guest.expect_line("mayfly: fault 1: fault: null-access: read of 0x0 at 0x");
    expect(&guest.ask(&Request::get("/peek/kernel-text")), 502, "peek broke: kernel-address (fault 2)\n");
    guest.expect_line("mayfly: fault 2: peek: kernel-address: read of 0xffffffff80120000 at 0x");
}

#[test]
fn a_function_that_is_stopped_on_its_way_back_is_told_to_be_where_it_was_interrupted() {
    let guest = Guest::boot(images::all());
    expect(&guest.ask(&Request::get("/fault/step-behind-page-fault")), 502, "fault broke: debug (fault 1)\n");
    guest.expect_line("mayfly: fault 1: fault: debug: debug trap at 0x24");
    let console = guest.machine().console().text();
    assert!(!console.contains("debug trap at 0x2400"), "{console}");
}

#[test]
fn a_panic_is_told_on_the_console_with_its_place() {
    let guest = Guest::boot(images::all());
    assert_eq!(guest.ask(&Request::get("/fault/panic")).status, 502);
    guest.expect_line("fault: functions/hostile/fault/src/main.rs:");
    guest.expect_line("index out of bounds: the len is 2 but the index is 2");
}

#[test]
fn a_function_cannot_forge_a_line_of_the_console() {
    let guest = Guest::boot(images::all()).within(Duration::from_secs(20));
    expect(&guest.ask(&Request::get("/forge/console-line")), 200, "logged\n");
    guest.expect_line("forge: a line  mayfly: fault 99: forged [2J\n");
}

#[test]
fn a_function_that_loops_forever_is_ended_at_its_limit() {
    let guest = Guest::boot(images::all());
    let asked = Instant::now();
    let response = guest.ask(&Request::get("/spin"));
    let took = asked.elapsed();
    expect(&response, 504, "spin ran past its limit of 500 ms (fault 1)\n");
    assert!((Duration::from_millis(490)..Duration::from_secs(3)).contains(&took), "{took:?}");
    guest.expect_hello();
}

#[test]
fn others_answer_while_functions_loop() {
    const SPINNING: usize = 4;
    let guest = Guest::boot(images::all());
    let mut connection = guest.connect_and_ask();
    let spinning: Vec<_> = (0..SPINNING).map(|_| guest.connect_and_ask()).collect();
    thread::scope(|scope| {
        let spinners: Vec<_> = spinning
            .into_iter()
            .map(|mut connection| scope.spawn(move || connection.ask(&Request::get("/spin")).status))
            .collect();
        let mut answered = 0;
        while spinners.iter().any(|spinner| !spinner.is_finished()) {
            let asked = Instant::now();
            expect(&connection.ask(&Request::get("/hello")), 200, "hello, world\n");
            let took = asked.elapsed();
            assert!(took < Duration::from_millis(500), "hello took {took:?}");
            answered += 1;
        }
        assert!(answered > 5, "only {answered} answers");
        for spinner in spinners {
            assert_eq!(spinner.join().expect("it got an answer"), 504);
        }
    });
}

#[test]
fn more_invocations_than_the_manifest_allows_wait_for_their_turn() {
    /// So many at once are allowed if the manifest says nothing.
    const ALLOWED: usize = 8;
    const ASKED: usize = 10;
    /// On a busy host, the first may end before the last is asked: then fewer were there at once, and it is tried again.
    const TRIES: usize = 5;
    for tried in 1.. {
        let [one, allowed, more] = frames_after([1, ALLOWED, ASKED]);
        if one > 0 && allowed >= ALLOWED as u64 * one && more < allowed + one {
            return;
        }
        let counted = format!("{more} page frames for {ASKED}, {allowed} for {ALLOWED}, {one} for one");
        assert!(tried < TRIES, "{counted}");
    }
}

/// Page frames that are in use after so many functions looped at the same time, more than before. What runs at the same time
/// leaves an instance each, in which later ones run. Times would say the same, but not on a busy host.
fn frames_after<const N: usize>(counts: [usize; N]) -> [u64; N] {
    /// Functions that loop leave little of a busy host's time for anything else.
    const PATIENCE: Duration = Duration::from_secs(60);
    let guest = Guest::boot(images::all()).within(N as u32 * PATIENCE);
    let most = counts.into_iter().max().unwrap_or_default();
    let mut connections: Vec<_> = (0..most).map(|_| guest.connect_and_ask()).collect();
    let before = guest.settle(QUIET).frames_used;
    let frames = counts.map(|count| {
        let connections = &mut connections[..count];
        connections.iter_mut().for_each(|connection| connection.send(&Request::get("/spin").to_bytes()));
        for connection in connections {
            assert!(connection.has_bytes(PATIENCE), "no response");
            assert_eq!(connection.receive().status, 504);
        }
        guest.settle(QUIET).frames_used - before
    });
    guest.expect_hello();
    frames
}

#[test]
fn an_invocation_sees_its_own_request_where_another_one_lay_before() {
    let guest = Guest::boot(images::all());
    let mut connection = guest.connect_and_ask();
    expect(&connection.ask(&Request::get("/remember/leave/request")), 200, "left\n");
    // Takes the pages in which that request lay, for as long as its body does not come. No other function runs.
    let mut holding = guest.connect();
    holding.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n");
    thread::sleep(Duration::from_millis(50));
    expect(&connection.ask(&Request::get("/remember/look/heap")), 200, "nothing\n");
    holding.send(b"x");
    expect(&holding.receive(), 200, "x");
}

#[test]
fn nothing_of_a_long_request_is_left_behind_the_end_of_a_short_one() {
    let guest = Guest::boot(images::all());
    let mut connection = guest.connect();
    for round in 0..50 {
        // Several pages of body, then a body that ends in the first.
        let left = connection.ask(&Request::post("/remember/leave/memory", b"REMEMBER".repeat(1024)));
        assert_eq!((left.status, left.text().as_str()), (200, "left\n"), "round {round}");
        let looked = connection.ask(&Request::post("/remember/look/everything", "REM"));
        assert_eq!((looked.status, looked.text().as_str()), (200, "nothing\n"), "round {round}");
    }
}
