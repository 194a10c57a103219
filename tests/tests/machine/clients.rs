//! HTTP clients that others wrote: curl, wrk, ApacheBench, h2load and Python's own. None of them sees an error.

use std::fs;
use std::time::Duration;

use mayfly_tests::{Guest, images, tool};

/// Bytes of a body that is as long as echo takes; curl asks for leave to send it.
const LONG: usize = 1 << 20;

fn boot() -> Guest {
    Guest::boot(images::all()).within(Duration::from_secs(120))
}

fn url(guest: &Guest, path: &str) -> String {
    format!("http://127.0.0.1:{}{path}", guest.machine().port())
}

/// What a tool prints as text.
#[track_caller]
fn text(program: &str, arguments: &[&str]) -> String {
    String::from_utf8(tool::run(program, arguments, b"").0).expect("text")
}

#[track_caller]
fn expect_lines(printed: &str, lines: &[&str]) {
    // Tables are aligned with as many spaces as it takes.
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    for line in lines {
        assert!(printed.lines().any(|other| words(other) == words(line)), "no line `{line}` in\n{printed}");
    }
}

/// curl's answer to a request with this body, and what it tells about the connection.
#[track_caller]
fn curl(arguments: &[&str], body: &[u8]) -> (Vec<u8>, String) {
    let usual = ["--verbose", "--silent", "--show-error", "--fail", "--max-time", "30"];
    tool::run("curl", usual.iter().chain(arguments), body)
}

/// A file beside the images with this body.
fn body_file(name: &str, len: usize) -> String {
    let path = images::place(name);
    fs::create_dir_all(path.parent().expect("it is in a folder")).expect("there is room");
    fs::write(&path, vec![b'x'; len]).expect("there is room");
    path.to_str().expect("its name is ASCII").to_owned()
}

#[test]
fn curl_uploads_bodies_with_leave_in_chunks_and_at_once() {
    let guest = boot();
    let echo = url(&guest, "/echo");
    let long: Vec<u8> = (0..LONG).map(|at| (at % 251) as u8).collect();
    let (answer, told) = curl(&["--header", "Expect: 100-continue", "--data-binary", "@-", &echo], &long);
    assert!(answer == long && told.contains("< HTTP/1.1 100 Continue"), "{told}");
    let (answer, told) = curl(&["--header", "Expect:", "--data-binary", "@-", &echo], &long);
    assert!(answer == long && !told.contains("100 Continue"), "{told}");
    let (answer, told) = curl(&["--upload-file", "-", &echo], &long);
    assert!(answer == long && told.contains("> Transfer-Encoding: chunked"), "{told}");
    let (answer, told) = curl(&["--http1.0", "--data-binary", "@-", &echo], b"short");
    assert!(answer == b"short" && told.contains("Closing connection"), "{told}");
    guest.expect_hello();
}

#[test]
fn curl_keeps_its_connection_from_one_request_to_the_next() {
    let guest = boot();
    let (hello, echo) = (url(&guest, "/hello"), url(&guest, "/echo"));
    let requests =
        [&hello, "--next", "--silent", "--data", "abc\n", &echo, "--next", "--silent", "--data", "you", &hello];
    let (answers, told) = curl(&requests, b"");
    assert_eq!(String::from_utf8_lossy(&answers), "hello, world\nabc\nhello, you\n");
    assert_eq!(told.matches("Re-using existing connection").count(), 2, "{told}");
    let (answer, told) = curl(&["--head", &hello], b"");
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n") && answer.ends_with(b"\r\n\r\n"), "{told}");
    let range = format!("{hello}?[1-100]");
    let (answers, _) = curl(&["--parallel", "--parallel-max", "4", &range], b"");
    assert_eq!(String::from_utf8_lossy(&answers), "hello, world\n".repeat(100));
    guest.expect_hello();
}

#[test]
fn wrk_sees_no_error() {
    let guest = boot();
    let printed = text("wrk", &["-t", "2", "-c", "8", "-d", "2s", &url(&guest, "/hello")]);
    let [errors, others] = ["Socket errors", "Non-2xx"].map(|what| printed.contains(what));
    assert!(!errors && !others && printed.contains("Requests/sec"), "{printed}");
    guest.expect_hello();
}

#[test]
fn wrk_gets_every_body_back_that_it_posts() {
    let guest = boot();
    let script = images::source_root().join("tests/clients/echo.lua");
    let script = script.to_str().expect("its name is ASCII");
    let printed = text("wrk", &["-t", "2", "-c", "8", "-d", "2s", "-s", script, &url(&guest, "/echo")]);
    assert!(!printed.contains("Socket errors") && !printed.contains("Non-2xx"), "{printed}");
    assert!(!printed.contains("answers 0,") && printed.contains(", wrong 0\n"), "{printed}");
    guest.expect_hello();
}

#[test]
fn apache_bench_sees_no_error() {
    let guest = boot();
    let (hello, echo) = (url(&guest, "/hello"), url(&guest, "/echo"));
    let all_right = ["Complete requests: 500", "Failed requests: 0"];
    // Without -k, each request has its own connection and is HTTP/1.0.
    for arguments in [&["-n", "500", "-c", "4", &hello][..], &["-n", "500", "-c", "4", "-k", &hello]] {
        let printed = text("ab", arguments);
        expect_lines(&printed, &all_right);
        assert!(!printed.contains("Non-2xx"), "{printed}");
        if arguments.contains(&"-k") {
            expect_lines(&printed, &["Keep-Alive requests: 500"]);
        }
    }
    let body = body_file("body.20000", 20_000);
    let printed = text("ab", &["-n", "500", "-c", "4", "-k", "-p", &body, "-T", "text/plain", &echo]);
    expect_lines(&printed, &all_right);
    expect_lines(&printed, &["Document Length: 20000 bytes", "Keep-Alive requests: 500"]);
    assert!(!printed.contains("Non-2xx"), "{printed}");
    guest.expect_hello();
}

#[test]
fn h2load_sees_no_error_with_and_without_pipelining() {
    let guest = boot();
    let (hello, echo) = (url(&guest, "/hello"), url(&guest, "/echo"));
    let body = body_file("body.3000", 3000);
    for arguments in [
        &["-n", "2000", "-c", "8", &hello][..],
        &["-n", "2000", "-c", "4", "-m", "16", &hello],
        &["-n", "2000", "-c", "4", "-m", "4", "-d", &body, &echo],
    ] {
        let printed = text("h2load", &[&["--h1"], arguments].concat());
        expect_lines(
            &printed,
            &[
                "requests: 2000 total, 2000 started, 2000 done, 2000 succeeded, 0 failed, 0 errored, 0 timeout",
                "status codes: 2000 2xx, 0 3xx, 0 4xx, 0 5xx",
            ],
        );
    }
    guest.expect_hello();
}

#[test]
fn pythons_client_gets_what_it_asks_for() {
    let guest = boot();
    let script = images::source_root().join("tests/clients/session.py");
    let port = guest.machine().port().to_string();
    assert_eq!(text("python3", &[script.to_str().expect("its name is ASCII"), &port]), "as it must be\n");
    guest.expect_hello();
}
