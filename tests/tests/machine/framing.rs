//! Bodies of every length, and chunked bodies however they are cut: they come back as they were sent.

use mayfly_tests::{Exchange, Guest, Request, images};

/// Around a page, around the connection's buffers, and the longest that echo takes.
const LENGTHS: [usize; 14] =
    [0, 1, 63, 1459, 1460, 1461, 4095, 4096, 4097, 16_384, 32_769, 65_536, (1 << 20) - 1, 1 << 20];

/// Bytes that differ from page to page and from place to place.
fn body(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8 ^ (at / 4096) as u8).collect()
}

#[test]
pub(super) fn bodies_of_every_length_come_back_exactly() {
    let guest = Guest::boot(images::all());
    let mut connection = guest.connect();
    for len in LENGTHS {
        let exchange = Exchange::echo(body(len));
        exchange.check(&connection.ask(&exchange.request)).unwrap_or_else(|wrong| panic!("{wrong}"));
    }
}

#[test]
pub(super) fn chunked_bodies_of_every_length_come_back_exactly() {
    let guest = Guest::boot(images::all());
    let mut connection = guest.connect();
    for len in LENGTHS {
        for chunk in [1 + len / 7, 4096, 1 << 20] {
            let response = connection.ask(&Request::post("/echo", body(len)).chunked(chunk));
            assert!(response.status == 200 && response.body == body(len), "{len} in chunks of {chunk}: {response:?}");
        }
    }
}

#[test]
pub(super) fn a_chunked_body_may_be_cut_anywhere_on_its_way() {
    let guest = Guest::boot(images::all());
    let mut connection = guest.connect();
    let bytes = b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\
        4;name=\"value\"\r\nabcd\r\n00A\r\n0123456789\r\n000\r\nTrailer: dropped\r\n\r\n";
    for cut in 1..bytes.len() {
        connection.send_slowly(&bytes[..cut], cut);
        connection.send(&bytes[cut..]);
        let response = connection.receive();
        assert_eq!((response.status, response.text().as_str()), (200, "abcd0123456789"), "cut at {cut}");
        // Host and Transfer-Encoding: the trailer is none of the headers.
        assert_eq!(response.header("x-mayfly-headers"), Some("2"));
    }
}

#[test]
pub(super) fn a_request_right_behind_a_chunked_body_is_the_next_one() {
    let guest = Guest::boot(images::all());
    let mut connection = guest.connect();
    let mut bytes = Request::post("/echo", "first").chunked(2).to_bytes();
    bytes.extend(Request::post("/echo", "second").to_bytes());
    bytes.extend(Request::post("/echo", "third").chunked(100).to_bytes());
    connection.send(&bytes);
    for text in ["first", "second", "third"] {
        assert_eq!(connection.receive().text(), text);
    }
}

#[test]
pub(super) fn a_body_just_as_long_as_the_limit_is_taken_and_one_byte_more_is_not() {
    let guest = Guest::boot(images::all());
    for (function, limit) in [("/hello", 4096), ("/echo", 1 << 20)] {
        for request in [Request::post(function, body(limit)), Request::post(function, body(limit)).chunked(1000)] {
            assert_eq!(guest.ask(&request).status, 200, "{request:?}");
        }
        for request in
            [Request::post(function, body(limit + 1)), Request::post(function, body(limit + 1)).chunked(1000)]
        {
            let mut connection = guest.connect();
            let response = connection.ask(&request);
            assert_eq!((response.status, response.closes()), (413, true), "{request:?}: {response:?}");
            assert!(response.text().contains(&format!("the {limit} bytes that the function takes")), "{response:?}");
            connection.expect_end();
        }
    }
    guest.expect_hello();
}
