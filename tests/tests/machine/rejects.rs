//! Requests that break a limit: each gets its exact status and a sentence, its connection is closed, and nobody else
//! notices. Those that break the protocol are in docs/smuggling.md.

use mayfly_tests::{Guest, Request, images};

/// What is sent, and the status that it gets.
struct Case(&'static str, u16, Vec<u8>);

/// A request to echo with these header lines, and what follows them.
fn echo(what: &'static str, status: u16, headers: &str, body: &str) -> Case {
    Case(what, status, format!("POST /echo HTTP/1.1\r\n{headers}\r\n{body}").into_bytes())
}

fn over_a_limit() -> Vec<Case> {
    let long = |len: usize| "x".repeat(len);
    let many: String = (0..65).map(|at| format!("h{at}: x\r\n")).collect();
    let chunked = "Host: x\r\nTransfer-Encoding: chunked\r\n";
    vec![
        echo("a length over the limit", 413, "Host: x\r\nContent-Length: 1048577\r\n", ""),
        echo("a length far over the limit", 413, "Host: x\r\nContent-Length: 18446744073709551615\r\n", ""),
        echo("a chunk over the limit", 413, chunked, &format!("100001\r\n{}\r\n0\r\n\r\n", long(0x10_0001))),
        Case("a long target", 414, format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", long(4096)).into_bytes()),
        Case("a target without end", 414, format!("GET /{}", long(9000)).into_bytes()),
        echo("a long header", 431, &format!("Host: x\r\na: {}\r\n", long(8192)), ""),
        echo("a header without end", 431, &format!("Host: x\r\na: {}", long(9000)), ""),
        echo("many headers", 431, &many, ""),
        echo("long trailers", 431, chunked, &format!("0\r\na: {}\r\n\r\n", long(8192))),
    ]
}

#[test]
pub(super) fn requests_over_a_limit_get_the_limits_own_status() {
    let guest = Guest::boot(images::all());
    for Case(what, status, bytes) in over_a_limit() {
        let mut connection = guest.connect();
        // What is behind a refused request must not be taken for another one.
        connection.send(&[bytes, Request::get("/hello").to_bytes()].concat());
        let response = connection.receive();
        assert_eq!((response.status, response.closes()), (status, true), "{what}: {response:?}");
        assert!(response.text().ends_with('\n') && response.text().len() > 10, "{what}: {response:?}");
        connection.expect_end();
        guest.expect_hello();
    }
    assert_eq!(guest.machine().console().text(), "");
}

#[test]
pub(super) fn requests_just_within_the_limits_are_served() {
    let guest = Guest::boot(images::all());
    let (path, query) = ("x".repeat(2000), "y".repeat(4096 - 2007));
    let request = Request::get(format!("/echo/{path}?{query}"));
    let response = guest.ask(&request);
    // The response's headers would exceed their own limit, so it is echo that cannot answer.
    assert_eq!(response.status, 502, "{response:?}");
    let many = (0..63).fold(Request::get("/echo"), |request, at| request.header(&format!("h{at}"), "x"));
    assert_eq!(guest.ask(&many).header("x-mayfly-headers"), Some("64"));
    let room = 8192 - Request::get("/hello").header("a", "").to_bytes().len();
    let long = Request::get("/hello").header("a", &"x".repeat(room));
    assert_eq!(long.to_bytes().len(), 8192);
    assert_eq!(guest.ask(&long).status, 200);
}

#[test]
pub(super) fn an_unknown_method_is_told_the_known_ones() {
    let guest = Guest::boot(images::all());
    let response = guest.ask(&Request::get("/hello").method("BREW"));
    assert_eq!(response.header("allow"), Some("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
}

#[test]
pub(super) fn an_unknown_route_gets_404_with_the_list_of_functions() {
    let guest = Guest::boot(images::all());
    let mut connection = guest.connect();
    let list: String = images::routes().iter().map(|route| format!("/{route}\n")).collect();
    for target in ["/", "/nothing", "/hell", "/hello2", "/Hello", "//hello", "/%68ello", "/?/hello"] {
        let response = connection.ask(&Request::get(target));
        assert_eq!(response.status, 404, "{target}: {response:?}");
        assert_eq!(response.text(), format!("no function has this route; there are:\n{list}"), "{target}");
        assert!(!response.closes(), "{target}: {response:?}");
    }
    // With a body that nobody wants, the connection cannot go on.
    let response = connection.ask(&Request::post("/nothing", "body"));
    assert_eq!((response.status, response.closes()), (404, true));
    connection.expect_end();
}
