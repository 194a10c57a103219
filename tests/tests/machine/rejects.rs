//! Requests that break the protocol or a limit: each gets its exact status, its connection is closed, and nobody else
//! notices.

use mayfly_tests::{Guest, Request, images};

/// What is sent, and the status that it gets.
struct Case(&'static str, u16, Vec<u8>);

fn case(what: &'static str, status: u16, bytes: &[u8]) -> Case {
    Case(what, status, bytes.to_vec())
}

/// A request to echo with these header lines, and what follows them.
fn echo(what: &'static str, status: u16, headers: &str, body: &str) -> Case {
    Case(what, status, format!("POST /echo HTTP/1.1\r\n{headers}\r\n{body}").into_bytes())
}

fn malformed() -> Vec<Case> {
    let twice = "Content-Length: 1\r\nContent-Length: 1\r\n";
    let both = "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n";
    let chunked = "Host: x\r\nTransfer-Encoding: chunked\r\n";
    vec![
        case("a bare LF behind the request line", 400, b"GET /hello HTTP/1.1\nHost: x\r\n\r\n"),
        case("a bare LF behind a header", 400, b"GET /hello HTTP/1.1\r\nHost: x\n\r\n"),
        case("a bare CR", 400, b"GET /hello HTTP/1.1\r\nHost: x\ra: b\r\n\r\n"),
        case("no request at all", 400, b"\x16\x03\x01\x02\r\n\r\n"),
        case("only a method", 400, b"GET\r\n\r\n"),
        case("no version", 400, b"GET /hello\r\n\r\n"),
        case("two spaces", 400, b"GET  /hello HTTP/1.1\r\nHost: x\r\n\r\n"),
        case("something behind the version", 400, b"GET /hello HTTP/1.1 x\r\nHost: x\r\n\r\n"),
        case("a NUL in the target", 400, b"GET /he\0llo HTTP/1.1\r\nHost: x\r\n\r\n"),
        case("a target that is neither path nor URL", 400, b"GET hello HTTP/1.1\r\nHost: x\r\n\r\n"),
        case("a fragment", 400, b"GET /hello#x HTTP/1.1\r\nHost: x\r\n\r\n"),
        case("no Host", 400, b"GET /hello HTTP/1.1\r\n\r\n"),
        echo("two Hosts", 400, "Host: x\r\nHost: x\r\n", ""),
        echo("a Host with a path", 400, "Host: x/y\r\n", ""),
        echo("a NUL in a header", 400, "Host: x\r\na: b\0c\r\n", ""),
        echo("a control character in a header", 400, "Host: x\r\na: \x01\r\n", ""),
        echo("a space before the colon", 400, "Host: x\r\na : b\r\n", ""),
        echo("no colon", 400, "Host: x\r\nab\r\n", ""),
        echo("no name", 400, "Host: x\r\n: b\r\n", ""),
        echo("a folded line", 400, "Host: x\r\na: b\r\n c\r\n", ""),
        echo("a name that is not ASCII", 400, "Host: x\r\nä: b\r\n", ""),
        echo("two Content-Lengths", 400, &format!("Host: x\r\n{twice}"), "a"),
        echo("a list of lengths", 400, "Host: x\r\nContent-Length: 1, 1\r\n", "a"),
        echo("a negative length", 400, "Host: x\r\nContent-Length: -1\r\n", "a"),
        echo("a signed length", 400, "Host: x\r\nContent-Length: +1\r\n", "a"),
        echo("a length in hexadecimal", 400, "Host: x\r\nContent-Length: 0x1\r\n", "a"),
        echo("an empty length", 400, "Host: x\r\nContent-Length:\r\n", ""),
        echo("a length beyond 64 bits", 400, "Host: x\r\nContent-Length: 18446744073709551616\r\n", ""),
        echo("a length and chunks", 400, &format!("Host: x\r\n{both}"), "0\r\n\r\n"),
        echo("chunked twice", 400, &format!("{chunked}Transfer-Encoding: chunked\r\n"), "0\r\n\r\n"),
        case("chunks in HTTP/1.0", 400, b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        echo("a chunk size that is no number", 400, chunked, "x\r\n\r\n"),
        echo("no chunk size", 400, chunked, "\r\n"),
        echo("a chunk size beyond 64 bits", 400, chunked, "10000000000000000\r\n"),
        echo("a chunk size with a sign", 400, chunked, "+1\r\na\r\n0\r\n\r\n"),
        echo("a bare LF behind a chunk size", 400, chunked, "1\na\r\n0\r\n\r\n"),
        echo("a chunk longer than its size", 400, chunked, "1\r\nab\r\n0\r\n\r\n"),
        echo("a NUL in a chunk extension", 400, chunked, "1;\0\r\na\r\n0\r\n\r\n"),
        echo("a bare LF behind a trailer", 400, chunked, "0\r\na: b\n\r\n"),
    ]
}

fn over_a_limit() -> Vec<Case> {
    let long = |len: usize| "x".repeat(len);
    let many: String = (0..65).map(|at| format!("h{at}: x\r\n")).collect();
    let chunked = "Host: x\r\nTransfer-Encoding: chunked\r\n";
    vec![
        case("an unknown method", 405, b"BREW /hello HTTP/1.1\r\nHost: x\r\n\r\n"),
        case("a method in lower case", 405, b"get /hello HTTP/1.1\r\nHost: x\r\n\r\n"),
        case("CONNECT", 405, b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n"),
        case("TRACE", 405, b"TRACE /hello HTTP/1.1\r\nHost: x\r\n\r\n"),
        echo("a length over the limit", 413, "Host: x\r\nContent-Length: 1048577\r\n", ""),
        echo("a length far over the limit", 413, "Host: x\r\nContent-Length: 18446744073709551615\r\n", ""),
        echo("a chunk over the limit", 413, chunked, &format!("100001\r\n{}\r\n0\r\n\r\n", long(0x10_0001))),
        Case("a long target", 414, format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", long(4096)).into_bytes()),
        Case("a target without end", 414, format!("GET /{}", long(9000)).into_bytes()),
        echo("a long header", 431, &format!("Host: x\r\na: {}\r\n", long(8192)), ""),
        echo("a header without end", 431, &format!("Host: x\r\na: {}", long(9000)), ""),
        echo("many headers", 431, &many, ""),
        echo("long trailers", 431, chunked, &format!("0\r\na: {}\r\n\r\n", long(8192))),
        echo("another coding", 501, "Host: x\r\nTransfer-Encoding: gzip\r\n", ""),
        echo("another coding before chunked", 501, "Host: x\r\nTransfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
        case("HTTP/2", 505, b"GET /hello HTTP/2.0\r\nHost: x\r\n\r\n"),
        case("HTTP/1.2", 505, b"GET /hello HTTP/1.2\r\nHost: x\r\n\r\n"),
    ]
}

/// Each case is answered with its status and a sentence, and the connection is closed in order.
fn expect_rejections(cases: Vec<Case>) {
    let guest = Guest::boot(images::all());
    for Case(what, status, bytes) in cases {
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
fn malformed_requests_get_400() {
    expect_rejections(malformed());
}

#[test]
fn requests_over_a_limit_get_the_limits_own_status() {
    expect_rejections(over_a_limit());
}

#[test]
fn requests_just_within_the_limits_are_served() {
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
fn an_unknown_method_is_told_the_known_ones() {
    let guest = Guest::boot(images::all());
    let response = guest.ask(&Request::get("/hello").method("BREW"));
    assert_eq!(response.header("allow"), Some("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
}

#[test]
fn an_unknown_route_gets_404_with_the_list_of_functions() {
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
