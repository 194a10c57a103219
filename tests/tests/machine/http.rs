//! Connections and requests as HTTP/1.1 has them: keep-alive, pipelining, HEAD, HTTP/1.0, slow clients.

use std::time::Duration;

use mayfly_tests::{Connection, Guest, Request, images};

/// hello's answer on a connection that goes on, or not.
#[track_caller]
fn expect_hello(connection: &mut Connection, closes: bool) {
    let response = connection.receive();
    assert_eq!((response.status, response.text().as_str()), (200, "hello, world\n"));
    assert_eq!(response.header("connection"), Some(if closes { "close" } else { "keep-alive" }));
    if closes {
        connection.expect_end();
    }
}

#[test]
pub(super) fn a_connection_serves_many_requests() {
    let guest = Guest::boot(images::all());
    let mut connection = guest.connect();
    for round in 0..200 {
        let response = connection.ask(&Request::post("/hello", format!("{round}")));
        assert_eq!((response.status, response.text()), (200, format!("hello, {round}\n")));
    }
}

#[test]
pub(super) fn pipelined_requests_are_answered_in_their_order() {
    let guest = Guest::boot(images::all());
    let mut connection = guest.connect();
    let requests: Vec<u8> =
        (0..500).flat_map(|number| Request::post("/hello", format!("{number}")).to_bytes()).collect();
    connection.send(&requests);
    for number in 0..500 {
        assert_eq!(connection.receive().text(), format!("hello, {number}\n"));
    }
    connection.expect_silence(Duration::from_millis(50));
}

#[test]
pub(super) fn pipelined_requests_to_functions_of_different_speed_are_answered_in_their_order() {
    let guest = Guest::boot(images::all());
    let mut connection = guest.connect();
    let requests = [
        Request::get("/spin"),
        Request::get("/hello"),
        Request::get("/nothing"),
        Request::post("/echo", "x").chunked(1),
        Request::get("/fault/null"),
        Request::get("/hello").method("HEAD"),
    ];
    connection.send(&requests.iter().flat_map(Request::to_bytes).collect::<Vec<_>>());
    for (request, status) in requests.iter().zip([504, 200, 404, 200, 502, 200]) {
        let response = connection.try_receive(request.is_head()).expect("an answer");
        assert_eq!(response.status, status, "{request:?}: {response:?}");
    }
    connection.expect_silence(Duration::from_millis(50));
}

#[test]
pub(super) fn head_gets_the_head_alone() {
    let guest = Guest::boot(images::all());
    let mut connection = guest.connect();
    for (target, status, len) in [("/hello", 200, "13"), ("/echo", 200, "0"), ("/fault/null", 502, "35")] {
        let response = connection.ask(&Request::get(target).method("HEAD"));
        assert_eq!((response.status, response.header("content-length")), (status, Some(len)), "{response:?}");
        connection.expect_silence(Duration::from_millis(20));
    }
    let with_body = Request::post("/echo", "body").method("HEAD");
    assert_eq!(connection.ask(&with_body).header("content-length"), Some("4"));
    assert_eq!(connection.ask(&Request::get("/hello")).text(), "hello, world\n");
}

#[test]
pub(super) fn what_is_no_request_gets_a_whole_answer_behind_a_head_request_too() {
    let guest = Guest::boot(images::all());
    for wrong in [&b"GET /hello\r\n\r\n"[..], b"GET /hello HTTP/1.1\r\n\r\n", b"GET /hello HTTP/2.0\r\n\r\n"] {
        let mut connection = guest.connect();
        let asked = connection.ask(&Request::get("/hello").method("HEAD"));
        assert_eq!((asked.status, asked.body.len()), (200, 0));
        connection.send(wrong);
        // A client that asked with anything but HEAD waits for as many bytes as the answer says (RFC 9112, 6.3).
        let refused = connection.receive();
        assert!(matches!(refused.status, 400 | 505) && !refused.body.is_empty(), "{refused:?}");
        connection.expect_end();
    }
}

#[test]
pub(super) fn every_method_reaches_a_function() {
    let guest = Guest::boot(images::all());
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let response = guest.ask(&Request::post("/echo", "body").method(method));
        assert_eq!(response.header("x-mayfly-method"), Some(method), "{response:?}");
        assert_eq!(response.text(), "body");
    }
}

#[test]
pub(super) fn connection_close_is_kept_to() {
    let guest = Guest::boot(images::all());
    for value in ["close", "Close", "x, close", "keep-alive, close"] {
        let mut connection = guest.connect();
        connection.send(&Request::get("/hello").header("Connection", value).to_bytes());
        expect_hello(&mut connection, true);
    }
}

#[test]
pub(super) fn what_follows_a_request_to_close_is_not_answered() {
    let guest = Guest::boot(images::all());
    let mut connection = guest.connect();
    let mut bytes = Request::get("/hello").header("Connection", "close").to_bytes();
    bytes.extend(Request::get("/hello").to_bytes());
    connection.send(&bytes);
    expect_hello(&mut connection, true);
}

#[test]
pub(super) fn http_1_0_closes_unless_it_is_asked_not_to() {
    let guest = Guest::boot(images::all());
    let mut connection = guest.connect();
    connection.send(b"GET /hello HTTP/1.0\r\n\r\n");
    expect_hello(&mut connection, true);
    let mut connection = guest.connect();
    connection.send(b"GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    expect_hello(&mut connection, false);
    connection.send(b"GET /hello HTTP/1.0\r\n\r\n");
    expect_hello(&mut connection, true);
}

#[test]
pub(super) fn a_client_that_has_said_all_still_gets_its_answer() {
    let guest = Guest::boot(images::all());
    let mut connection = guest.connect();
    connection.send(&Request::get("/hello").to_bytes());
    connection.finish_sending();
    let response = connection.receive();
    assert_eq!((response.status, response.text().as_str()), (200, "hello, world\n"));
    connection.expect_end();
}

#[test]
pub(super) fn a_request_may_arrive_byte_by_byte() {
    let guest = Guest::boot(images::all());
    let mut connection = guest.connect();
    for request in [Request::post("/echo", "0123456789"), Request::post("/echo", "0123456789").chunked(3)] {
        connection.send_slowly(&request.to_bytes(), 1);
        assert_eq!(connection.receive().text(), "0123456789");
    }
}

#[test]
pub(super) fn empty_lines_before_a_request_are_skipped() {
    let guest = Guest::boot(images::all());
    let mut connection = guest.connect();
    connection.send(b"\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_hello(&mut connection, false);
}

#[test]
pub(super) fn a_target_may_be_a_whole_url() {
    let guest = Guest::boot(images::all());
    let response = guest.ask(&Request::post("http://mayfly:80/echo/a?b", "x"));
    assert_eq!((response.status, response.header("x-mayfly-path")), (200, Some("/a")));
    assert_eq!(response.header("x-mayfly-query"), Some("b"));
}

#[test]
pub(super) fn leave_to_send_a_body_is_given_when_it_is_asked_for() {
    let guest = Guest::boot(images::all());
    let mut connection = guest.connect();
    let request = Request::post("/echo", "body").header("Expect", "100-continue").to_bytes();
    let (head, body) = request.split_at(request.len() - 4);
    connection.send(head);
    assert_eq!(connection.receive().status, 100);
    connection.expect_silence(Duration::from_millis(50));
    connection.send(body);
    let response = connection.receive();
    assert_eq!((response.status, response.text().as_str()), (200, "body"));
}

#[test]
pub(super) fn leave_to_send_too_long_a_body_is_refused_before_it_is_sent() {
    let guest = Guest::boot(images::all());
    let mut connection = guest.connect();
    connection.send(b"POST /hello HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5000\r\n\r\n");
    assert_eq!(connection.receive().status, 413);
    connection.expect_end();
}

#[test]
pub(super) fn a_body_that_came_with_its_head_needs_no_leave() {
    let guest = Guest::boot(images::all());
    let mut connection = guest.connect();
    connection.send(&Request::post("/echo", "body").header("Expect", "100-continue").to_bytes());
    let response = connection.receive();
    assert_eq!((response.status, response.text().as_str()), (200, "body"));
}
