//! Many connections: all stay usable, none is refused, and one too many waits for its turn.

use std::time::Duration;

use mayfly_qemu::Launch;
use mayfly_tests::{Connection, Guest, Request, images};

#[track_caller]
fn expect_hello(connection: &mut Connection) {
    let response = connection.ask(&Request::get("/hello"));
    assert_eq!((response.status, response.text().as_str()), (200, "hello, world\n"));
}

#[test]
fn connections_opened_one_after_another_all_stay_usable() {
    const CONNECTIONS: usize = 128;
    let guest = Guest::boot(images::hello());
    let mut connections: Vec<_> = (0..CONNECTIONS).map(|_| guest.connect_and_ask()).collect();
    assert_eq!(guest.settle(Duration::from_millis(20)).connections, CONNECTIONS as u64);
    for _ in 0..10 {
        connections.iter_mut().for_each(expect_hello);
    }
    // Last in, first out, and all at once.
    connections.iter_mut().rev().for_each(expect_hello);
    for connection in &mut connections {
        connection.send(&Request::get("/hello").to_bytes());
    }
    for connection in &mut connections {
        assert_eq!(connection.receive().text(), "hello, world\n");
    }
}

#[test]
fn connections_that_only_come_and_go_leave_nothing() {
    let guest = Guest::boot(images::hello());
    for _ in 0..300 {
        expect_hello(&mut guest.connect());
    }
    for _ in 0..100 {
        guest.connect();
    }
    guest.expect_hello();
    let connections = guest.settle(Duration::from_millis(100)).connections;
    assert!(connections < 32, "{connections} connections are still known");
}

#[test]
fn connections_that_close_in_order_are_soon_forgotten() {
    let guest = Guest::boot(images::hello());
    for _ in 0..200 {
        let mut connection = guest.connect();
        let response = connection.ask(&Request::get("/hello").header("Connection", "close"));
        assert_eq!(response.text(), "hello, world\n");
        connection.expect_end();
    }
    guest.expect_hello();
}

/// A request without its last line.
const BEGUN: &[u8] = b"GET /hello HTTP/1.1\r\nHost: mayfly\r\n";

#[test]
fn a_connection_too_many_takes_the_place_of_one_that_nobody_uses() {
    /// More than a machine of 16 MiB takes from one address.
    const CONNECTIONS: usize = 1000;
    let guest = Guest::serving(Launch::new(images::hello()).memory_mib(16));
    let mut connections: Vec<_> = (0..CONNECTIONS).map(|_| guest.connect_and_ask()).collect();
    let open = guest.settle(Duration::from_millis(20)).connections as usize;
    assert!((512..CONNECTIONS).contains(&open), "{open} connections are open");
    // Closed in order, as an idle connection may be at any time: not reset.
    let closed = connections.extract_if(.., |connection| connection.has_ended(Duration::from_millis(1))).count();
    assert_eq!(closed, CONNECTIONS - open);
    connections.iter_mut().for_each(expect_hello);
}

#[test]
fn a_connection_too_many_waits_while_all_others_are_in_use() {
    const WAITING: usize = 5;
    let guest = Guest::serving(Launch::new(images::hello()).memory_mib(16));
    // Each has begun a request and is in use. As many as the machine takes, and a few too many.
    let first = guest.connect_and_ask();
    let mut others: Vec<Connection> = Vec::new();
    let mut open = guest.settle(Duration::from_millis(1)).connections;
    let mut too_many = 0;
    while too_many < WAITING {
        let mut connection = guest.connect();
        connection.send(BEGUN);
        others.push(connection);
        let now = guest.settle(Duration::from_millis(2)).connections;
        // On a busy host one can be late.
        too_many = if now > open { 0 } else { too_many + 1 };
        open = now;
    }
    drop(first);
    for connection in &mut others {
        connection.send(b"\r\n");
    }
    // Each that is answered and closed makes room for one that waits.
    while let Some(mut connection) = others.pop() {
        if others.len() < WAITING || connection.has_bytes(Duration::from_millis(300)) {
            assert_eq!(connection.receive().text(), "hello, world\n");
        } else {
            others.insert(0, connection);
        }
    }
}
