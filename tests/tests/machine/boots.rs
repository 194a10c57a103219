//! From power-on to right answers: on every way to get an address, with little memory, and the same every time.

use mayfly_qemu::Launch;
use mayfly_tests::{Exchange, Guest, Request, images};

#[test]
fn hello_answers_over_http() {
    let guest = Guest::boot(images::hello());
    let response = guest.ask(&Request::get("/hello"));
    assert_eq!((response.status, response.text().as_str()), (200, "hello, world\n"));
    assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(response.header("content-length"), Some("13"));
    guest.expect_hello();
}

#[test]
fn every_example_function_gives_its_known_answer() {
    let guest = Guest::boot(images::all());
    let order = [("tea".to_owned(), 6, 2), ("cup".to_owned(), 35, 1)];
    for exchange in [
        Exchange::hello("Ada"),
        Exchange::echo(b"any bytes \0\xff\r\n".to_vec()),
        Exchange::sha256(b"abc".to_vec()),
        Exchange::qr("https://example.org/?q=mayfly"),
        Exchange::json(&order),
        Exchange::wordcount("one two\nthree\n"),
    ] {
        exchange.check(&guest.ask(&exchange.request)).unwrap_or_else(|wrong| panic!("{wrong}"));
    }
}

#[test]
fn answers_have_the_types_that_the_functions_give_them() {
    let guest = Guest::boot(images::all());
    for (request, kind) in [
        (Request::post("/qr", "x"), "image/svg+xml"),
        (Request::post("/json", r#"{"items":[]}"#), "application/json"),
        (Request::post("/echo", "x"), "application/octet-stream"),
        (Request::post("/echo", "x").header("Content-Type", "text/csv"), "text/csv"),
        (Request::post("/wordcount", "x"), "text/plain; charset=utf-8"),
    ] {
        assert_eq!(guest.ask(&request).header("content-type"), Some(kind), "{request:?}");
    }
}

#[test]
fn bad_input_gets_the_functions_own_400() {
    let guest = Guest::boot(images::all());
    for (request, words) in [
        (Request::post("/json", r#"{"items":[{}]}"#), "the body is not an order: missing field `name`"),
        (Request::get("/qr"), "send the text"),
        (Request::post("/qr", "x".repeat(3000)), "3000 bytes are too many"),
    ] {
        let response = guest.ask(&request);
        assert_eq!(response.status, 400, "{response:?}");
        assert!(response.text().contains(words), "{response:?}");
    }
}

#[test]
fn a_function_gets_method_path_query_headers_and_body() {
    let guest = Guest::boot(images::all());
    let request = Request::post("/echo/a%20b/c?x=1&y=%2F?", "body").method("PUT").header("X-One", "1");
    let response = guest.ask(&request);
    assert_eq!((response.status, response.text().as_str()), (200, "body"));
    assert_eq!(response.header("x-mayfly-method"), Some("PUT"));
    assert_eq!(response.header("x-mayfly-path"), Some("/a%20b/c"));
    assert_eq!(response.header("x-mayfly-query"), Some("x=1&y=%2F?"));
    assert_eq!(response.header("x-mayfly-headers"), Some("3"), "Host, X-One and Content-Length");
}

#[test]
fn an_address_comes_by_dhcp_if_the_command_line_has_none() {
    let guest = Guest::serving(Launch::new(images::hello()).dhcp());
    guest.expect_line("address 10.0.2.15/24 by DHCP");
    guest.expect_hello();
}

#[test]
fn sixteen_mebibytes_are_enough() {
    let guest = Guest::serving(Launch::new(images::all()).memory_mib(16));
    guest.expect_hello();
    let exchange = Exchange::echo(vec![7; 1 << 20]);
    exchange.check(&guest.ask(&exchange.request)).unwrap_or_else(|wrong| panic!("{wrong}"));
}

#[test]
fn two_boots_answer_the_same() {
    let answers = || {
        let guest = Guest::boot(images::all());
        ["/hello", "/sha256", "/nothing", "/peek", "/fault/null"].map(|path| guest.ask(&Request::get(path)))
    };
    assert_eq!(answers(), answers());
}

#[test]
fn a_healthy_machine_prints_nothing() {
    let guest = Guest::boot(images::hello());
    guest.expect_hello();
    assert_eq!(guest.machine().console().text(), "");
    assert_eq!(guest.machine().messages().text(), "");
}
