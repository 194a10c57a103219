//! How a body ends and whether the connection stays (RFC 9112, 3.2, 6 and 9): the headers that smuggling is made of.

use mayfly_core::http::Reject;
use mayfly_core::http::head::{Framing, Head, parse};

fn request(version: &str, lines: &str) -> Result<Head, Reject> {
    let input = format!("POST /f {version}\r\n{lines}\r\n");
    parse(input.as_bytes(), 0).map(|parsed| parsed.expect("it has an end").0)
}

fn framing(lines: &str) -> Result<Framing, u16> {
    request("HTTP/1.1", &format!("Host: h\r\n{lines}")).map(|head| head.framing).map_err(|reject| reject.status)
}

fn keep_alive(version: &str, lines: &str) -> bool {
    request(version, &format!("Host: h\r\n{lines}")).expect("a sound request").keep_alive
}

#[test]
fn a_request_without_framing_has_no_body() {
    assert_eq!(framing(""), Ok(Framing::None));
}

#[test]
fn a_content_length_is_a_decimal_number() {
    assert_eq!(framing("Content-Length: 0\r\n"), Ok(Framing::Length(0)));
    assert_eq!(framing("content-LENGTH:\t007 \r\n"), Ok(Framing::Length(7)));
    assert_eq!(framing("Content-Length: 18446744073709551615\r\n"), Ok(Framing::Length(u64::MAX)));
    for bad in ["", "+5", "-5", "5.0", "0x5", "5 5", "5;", "five", "5,5", "18446744073709551616", "\u{665}"] {
        assert_eq!(framing(&format!("Content-Length: {bad}\r\n")), Err(400), "{bad}");
    }
}

#[test]
fn a_second_content_length_is_refused_even_if_it_says_the_same() {
    assert_eq!(framing("Content-Length: 5\r\nContent-Length: 6\r\n"), Err(400));
    assert_eq!(framing("Content-Length: 5\r\nX: y\r\ncontent-length: 5\r\n"), Err(400));
}

#[test]
fn chunked_is_the_one_transfer_encoding() {
    assert_eq!(framing("Transfer-Encoding: chunked\r\n"), Ok(Framing::Chunked));
    assert_eq!(framing("transfer-encoding:Chunked \r\n"), Ok(Framing::Chunked));
    assert_eq!(framing("Transfer-Encoding: ,, chunked ,\r\n"), Ok(Framing::Chunked), "empty elements");
}

#[test]
fn a_body_whose_last_coding_is_not_its_only_chunked_has_no_end() {
    for other in [
        "",
        ",",
        "gzip",
        "identity",
        "chunked, gzip",
        "chunked, identity",
        "chunked, chunked",
        "chunked, gzip, chunked",
        "gzip, chunked, chunked",
        "chunked;q=1",
        "xchunked",
        "chunkedx",
        "\"chunked\"",
    ] {
        assert_eq!(framing(&format!("Transfer-Encoding: {other}\r\n")), Err(400), "{other}");
    }
}

#[test]
fn an_unknown_coding_below_chunked_is_not_implemented() {
    for other in ["gzip, chunked", "gzip,chunked", "identity, chunked", "gzip, br, Chunked", ",x,,chunked,"] {
        assert_eq!(framing(&format!("Transfer-Encoding: {other}\r\n")), Err(501), "{other}");
    }
}

#[test]
fn a_transfer_encoding_hidden_in_white_space_does_not_pass() {
    assert_eq!(framing("Transfer-Encoding: \x0bchunked\r\n"), Err(400));
    assert_eq!(framing("Transfer-Encoding : chunked\r\n"), Err(400));
    assert_eq!(framing("Transfer-Encoding:\r\n chunked\r\n"), Err(400));
    assert_eq!(framing("X: y\rTransfer-Encoding: chunked\r\n"), Err(400));
}

#[test]
fn transfer_encodings_in_several_lines_are_one_list() {
    let lines = |first, second| framing(&format!("Transfer-Encoding: {first}\r\nTransfer-Encoding: {second}\r\n"));
    assert_eq!(lines("chunked", "chunked"), Err(400));
    assert_eq!(lines("chunked", "gzip"), Err(400));
    assert_eq!(lines("gzip", "chunked"), Err(501));
    assert_eq!(lines("", "chunked"), Ok(Framing::Chunked));
}

#[test]
fn length_and_transfer_encoding_together_are_refused() {
    assert_eq!(framing("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), Err(400));
    assert_eq!(framing("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), Err(400));
    assert_eq!(framing("Transfer-Encoding: identity\r\nContent-Length: 5\r\n"), Err(400));
}

#[test]
fn http_1_0_knows_no_transfer_encoding() {
    for coding in ["chunked", "gzip"] {
        let reject = request("HTTP/1.0", &format!("Transfer-Encoding: {coding}\r\n")).expect_err("it is refused");
        assert_eq!(reject.status, 400, "{coding}");
    }
    let head = request("HTTP/1.0", "Content-Length: 5\r\n").expect("a sound request");
    assert_eq!(head.framing, Framing::Length(5));
}

#[test]
fn http_1_1_needs_exactly_one_host() {
    let refused = |lines| request("HTTP/1.1", lines).expect_err("it is refused").status;
    assert_eq!(refused(""), 400);
    assert_eq!(refused("Hosts: h\r\n"), 400);
    assert_eq!(refused("Host: a\r\nHost: b\r\n"), 400);
    assert_eq!(refused("Host: a\r\nhost: a\r\n"), 400);
    assert!(request("HTTP/1.1", "hOST:h\r\n").is_ok());
}

#[test]
fn http_1_0_needs_no_host_but_not_two_either() {
    assert!(request("HTTP/1.0", "").is_ok());
    assert!(request("HTTP/1.0", "Host: h\r\n").is_ok());
    assert!(request("HTTP/1.0", "Host: h\r\nHost: h\r\n").is_err());
}

#[test]
fn a_host_is_a_host_and_a_port() {
    for good in ["", "h", "localhost:8080", "10.0.2.15", "[::1]:80", "[::1]", "h:", "a-b.example", "%41"] {
        assert!(request("HTTP/1.1", &format!("Host: {good}\r\n")).is_ok(), "{good}");
    }
    let misplaced = ["h:80:80", "h:x", "h:-1", "::1", "[::1", "::1]", "[::1]80", "h[", "[[::1]]"];
    for bad in ["a b", "a/b", "user@h", "h?q", "h#f", "http://h", "h\\", "\u{e9}", "a\tb"].into_iter().chain(misplaced)
    {
        assert_eq!(request("HTTP/1.1", &format!("Host: {bad}\r\n")).expect_err(bad).status, 400, "{bad}");
    }
}

#[test]
fn http_1_1_stays_unless_it_says_close() {
    assert!(keep_alive("HTTP/1.1", ""));
    assert!(keep_alive("HTTP/1.1", "Connection: keep-alive\r\n"));
    assert!(keep_alive("HTTP/1.1", "Connection: upgrade, closed, x-close\r\n"));
    assert!(keep_alive("HTTP/1.1", "X: close\r\nConnection:\r\n"));
    for close in ["close", "Close", "CLOSE", "x,close", "keep-alive , close", ", ,\tclose\t,"] {
        assert!(!keep_alive("HTTP/1.1", &format!("Connection: {close}\r\n")), "{close}");
    }
    assert!(!keep_alive("HTTP/1.1", "Connection: x\r\nConnection: close\r\n"));
    assert!(!keep_alive("HTTP/1.1", "Connection: close\r\nConnection: keep-alive\r\n"));
}

#[test]
fn http_1_0_stays_only_if_it_says_keep_alive() {
    assert!(!keep_alive("HTTP/1.0", ""));
    assert!(!keep_alive("HTTP/1.0", "Connection: x\r\n"));
    assert!(keep_alive("HTTP/1.0", "Connection: Keep-Alive\r\n"));
    assert!(!keep_alive("HTTP/1.0", "Connection: keep-alive, close\r\n"));
}

#[test]
fn only_an_http_1_1_client_waits_for_continue() {
    let expects = |version, lines: &str| {
        request(version, &format!("Host: h\r\n{lines}")).expect("a sound request").expect_continue
    };
    assert!(expects("HTTP/1.1", "Expect: 100-continue\r\n"));
    assert!(expects("HTTP/1.1", "expect: 100-Continue\r\n"));
    assert!(!expects("HTTP/1.1", ""));
    assert!(!expects("HTTP/1.1", "Expect: 200-ok\r\n"));
    assert!(!expects("HTTP/1.0", "Expect: 100-continue\r\n"), "its clients do not know interim answers");
}

#[test]
fn a_header_counts_by_its_whole_name() {
    let same_lengths = "Host: h\r\nDate: a b\r\nAccept: 100-continue\r\nUser-Agent: close\r\n\
                        Accept-Charset: utf-8\r\nIf-Modified-Since: never\r\n";
    let head = request("HTTP/1.1", same_lengths).expect("a sound request");
    assert_eq!((head.framing, head.keep_alive, head.expect_continue), (Framing::None, true, false));
}

#[test]
fn every_refusal_is_a_sentence() {
    for lines in
        ["", "Host: a\r\nHost: b\r\n", "Host: h\r\nContent-Length: x\r\n", "Host: h\r\nTransfer-Encoding: x\r\n"]
    {
        let reason = request("HTTP/1.1", lines).expect_err("it is refused").reason;
        assert!(reason.contains(' ') && !reason.ends_with('.'), "the answer adds the end: {reason}");
    }
}
