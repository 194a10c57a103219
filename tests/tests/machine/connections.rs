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

#[test]
fn a_connection_too_many_waits_and_is_never_reset() {
    const WAITING: usize = 5;
    let guest = Guest::serving(Launch::new(images::hello()).memory_mib(16));
    // As many as the machine takes, and a few that get no answer because they are too many.
    let mut served: Vec<Connection> = Vec::new();
    let mut waiting: Vec<Connection> = Vec::new();
    while waiting.len() < WAITING {
        let mut connection = guest.connect();
        connection.send(&Request::get("/hello").to_bytes());
        waiting.push(connection);
        // On a busy host an answer can be late; it moves its connection to where it belongs.
        for mut connection in waiting.extract_if(.., |connection| connection.has_bytes(Duration::from_millis(300))) {
            assert_eq!(connection.receive().text(), "hello, world\n");
            served.push(connection);
        }
    }
    assert!(served.len() >= 64, "only {} connections at once", served.len());
    assert_eq!(guest.settle(Duration::from_millis(20)).connections as usize, served.len());
    served.iter_mut().for_each(expect_hello);
    served.truncate(served.len() - WAITING);
    for connection in &mut waiting {
        assert_eq!(connection.receive().text(), "hello, world\n");
    }
    served.iter_mut().for_each(expect_hello);
}
