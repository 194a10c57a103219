//! Response heads, the check of functions' headers, and the kernel's own answers.

mod bundle;

use bundle::bundle;
use mayfly_abi::domain::RESPONSE_HEADERS_MAX;
use mayfly_core::http::answer::{ANSWER_MAX, ANSWER_SHORT, Answer, FULL};
use mayfly_core::http::response::{HEAD_ROOM, check_headers, may_have_body, reason, write_head};
use mayfly_core::http::{Method, Reject};
use mayfly_core::image::Image;
use proptest::prelude::*;

fn head(status: u16, headers: &[u8], body_len: u64, keep_alive: bool) -> String {
    let mut room = [0; HEAD_ROOM + RESPONSE_HEADERS_MAX as usize];
    room[..headers.len()].copy_from_slice(headers);
    let start = write_head(&mut room, headers.len(), status, body_len, keep_alive);
    String::from_utf8_lossy(&room[start..]).into_owned()
}

fn answer(answer: &Answer<'_>, head_only: bool) -> (String, String) {
    let mut out = [0; ANSWER_MAX];
    let lies = answer.write(&mut out, head_only, false);
    let text = String::from_utf8(out[lies].to_vec()).expect("answers are text");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head ends in an empty line");
    (head.to_owned(), body.to_owned())
}

#[test]
fn a_head_has_status_line_headers_length_and_connection() {
    assert_eq!(
        head(200, b"Content-Type: text/plain\r\n", 12, true),
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\nConnection: keep-alive\r\n\r\n"
    );
    assert_eq!(head(404, b"", 0, false), "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

#[test]
fn a_status_without_a_usual_phrase_keeps_its_space() {
    assert!(head(299, b"", 0, true).starts_with("HTTP/1.1 299 \r\n"));
}

#[test]
fn no_content_and_not_modified_state_no_length() {
    for status in [204, 304] {
        assert!(!head(status, b"", 7, true).contains("Content-Length"), "{status}");
        assert!(!may_have_body(status));
    }
    assert!(head(205, b"", 0, true).contains("Content-Length: 0\r\n") && !may_have_body(205));
    assert!(may_have_body(200) && may_have_body(404));
}

#[test]
fn every_head_fits_its_room() {
    let headers = [b'x'; RESPONSE_HEADERS_MAX as usize];
    for status in 200..=599 {
        let head = head(status, &headers, u64::MAX, true);
        assert!(head.contains(&"x".repeat(headers.len())));
        assert!(reason(status).bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
    }
}

#[test]
fn headers_that_are_lines_are_accepted() {
    for headers in [
        &b""[..],
        b"Content-Type: text/plain\r\n",
        b"A:b\r\nX-1:\r\nset-cookie: a=b; Path=/\r\n",
        b"X: \t tab and \xc3\xa9\r\n",
        b"!#$%&'*+-.^_`|~09azAZ: x\r\n",
        b"Dated: x\r\nConnections: x\r\nX-Content-Length: 1\r\n",
    ] {
        assert!(check_headers(headers), "{}", headers.escape_ascii());
    }
}

#[test]
fn headers_that_are_not_lines_are_refused() {
    for headers in [
        &b"A"[..],
        b"A:",
        b"A: b",
        b"A: b\r",
        b"A: b\n",
        b"A: b\r\n\r\n",
        b"\r\n",
        b": b\r\n",
        b"A\r\n",
        b"A b: c\r\n",
        b"A : c\r\n",
        b" A: c\r\n",
        b"A: b\r\n folded\r\n",
        b"A: b\rc\r\n",
        b"A: b\0\r\n",
        b"A: \x7f\r\n",
        b"A\xe9: b\r\n",
        b"A: b\r\nHTTP/1.1 200 OK\r\n",
    ] {
        assert!(!check_headers(headers), "{}", headers.escape_ascii());
    }
}

#[test]
fn fields_that_only_the_kernel_may_set_are_refused_in_any_case() {
    for name in ["Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "Trailer", "Date"] {
        for name in [name.to_owned(), name.to_lowercase(), name.to_uppercase()] {
            assert!(!check_headers(format!("{name}: 1\r\n").as_bytes()), "{name}");
            assert!(!check_headers(format!("A: b\r\n{name}:1\r\nC: d\r\n").as_bytes()), "{name}");
        }
    }
}

#[test]
fn answers_say_whose_fault_it_is() {
    let reject = Reject { status: 400, reason: "the Content-Length header is not a number" };
    let bytes = bundle(&["hello"]);
    let image = Image::open(&bytes).expect("a sound bundle");
    let function = &b"peek"[..];
    let table = [
        (Answer::Rejected(reject), 400, "the Content-Length header is not a number\n"),
        (Answer::NotFound(&image), 404, "no function has this route; there are:\n/hello\n"),
        (Answer::TooSlow, 408, "the request did not arrive in time\n"),
        (Answer::TooLarge { limit: 1024 }, 413, "the body is larger than the 1024 bytes that the function takes\n"),
        (Answer::Broke { function, fault: "kernel-address", id: 17 }, 502, "peek broke: kernel-address (fault 17)\n"),
        (Answer::Full, 503, "no room for another invocation now; try again in a second\n"),
        (Answer::RanOut { function, limit_ms: 250, id: 3 }, 504, "peek ran past its limit of 250 ms (fault 3)\n"),
        (
            Answer::OutOfMemory { function, limit_pages: 1024, id: 4 },
            507,
            "peek asked for more memory than its limit of 4096 KiB (fault 4)\n",
        ),
    ];
    for (kind, status, expected) in table {
        let (head, body) = answer(&kind, false);
        assert_eq!((kind.status(), body.as_str()), (status, expected));
        assert!(head.starts_with(&format!("HTTP/1.1 {status} {}\r\n", reason(status))), "{head}");
        assert!(head.contains("\r\nContent-Type: text/plain; charset=utf-8\r\n"), "{head}");
        assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", expected.len())), "{head}");
        assert!(head.ends_with("\r\nConnection: close"), "{head}");
        assert_eq!(answer(&kind, true), (head, String::new()), "HEAD gets the same head and no body");
    }
}

#[test]
fn a_405_names_the_methods_and_a_503_says_when_to_come_back() {
    let (head, _) = answer(&Answer::Rejected(Reject { status: 405, reason: "no" }), false);
    assert!(head.contains("\r\nAllow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n"), "{head}");
    for name in Method::ALLOW.split(", ") {
        assert!(Method::from_name(name.as_bytes()).is_some(), "{name}");
    }
    assert!(answer(&Answer::Full, false).0.contains("\r\nRetry-After: 1\r\n"));
    assert!(!answer(&Answer::TooSlow, false).0.contains("Retry-After"));
}

#[test]
fn a_404_names_a_hundred_functions_and_counts_the_others() {
    let routes: Vec<String> = (0..250).map(|at| format!("{at:048}")).collect();
    let routes: Vec<&str> = routes.iter().map(String::as_str).collect();
    for (count, last) in
        [(100, format!("/{:048}", 99)), (101, "and 1 more".to_owned()), (250, "and 150 more".to_owned())]
    {
        let bytes = bundle(&routes[..count]);
        let image = Image::open(&bytes).expect("a sound bundle");
        let (_, body) = answer(&Answer::NotFound(&image), false);
        assert_eq!(body.lines().last(), Some(last.as_str()), "whole, even with the longest routes");
        assert_eq!(body.lines().filter(|line| line.starts_with('/')).count(), 100);
    }
}

#[test]
fn with_little_room_every_answer_but_a_list_is_whole() {
    let function = &[b'f'; 32][..];
    let longest = "a header line starts with white space, has a space before its colon, or an invalid name";
    for answer in [
        Answer::Rejected(Reject { status: 405, reason: longest }),
        Answer::TooLarge { limit: u32::MAX },
        Answer::Broke { function, fault: "protection-key-write", id: u64::MAX },
        Answer::Full,
        Answer::OutOfMemory { function, limit_pages: u32::MAX / 4, id: u64::MAX },
    ] {
        let (mut short, mut long) = ([0; ANSWER_SHORT], [0; ANSWER_MAX]);
        let (in_short, in_long) = (answer.write(&mut short, false, true), answer.write(&mut long, false, true));
        assert_eq!(short[in_short].escape_ascii().to_string(), long[in_long].escape_ascii().to_string());
    }
}

#[test]
fn the_answer_that_needs_no_memory_is_a_503_that_ends_the_connection() {
    let mut fields = [httparse::EMPTY_HEADER; 4];
    let mut response = httparse::Response::new(&mut fields);
    let len = response.parse(FULL).expect("a client understands it");
    assert_eq!((len, response.code), (httparse::Status::Complete(FULL.len()), Some(503)));
    let said: Vec<_> = response.headers.iter().map(|field| (field.name, field.value)).collect();
    assert_eq!(said, [("Retry-After", &b"1"[..]), ("Content-Length", b"0"), ("Connection", b"close")]);
}

#[test]
fn an_answer_without_room_is_cut_but_well_formed() {
    let bytes = bundle(&["hello", "world"]);
    let image = Image::open(&bytes).expect("a sound bundle");
    for kind in [Answer::NotFound(&image), Answer::Rejected(Reject { status: 405, reason: "no" })] {
        for room in 0..ANSWER_MAX {
            let mut out = vec![0; room];
            let lies = kind.write(&mut out, false, true);
            assert_eq!(!lies.is_empty(), room >= 256, "{room}");
            let text = String::from_utf8(out[lies].to_vec()).expect("answers are text");
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{room}");
            }
        }
    }
}

proptest! {
    /// The oracle is the other side's parser: what passes is headers to a client, and only those.
    #[test]
    fn headers_that_pass_are_headers_to_a_client(
        headers in prop::collection::vec(prop_oneof![
            prop::sample::select(b"ab:\r\n \t".to_vec()), any::<u8>()], 0..40),
    ) {
        if check_headers(&headers) {
            let message = [&headers[..], b"\r\n"].concat();
            let mut parsed = [httparse::EMPTY_HEADER; 32];
            let result = httparse::parse_headers(&message, &mut parsed).expect("a client understands it");
            let httparse::Status::Complete((len, fields)) = result else { panic!("it has an end") };
            prop_assert_eq!(len, message.len());
            prop_assert_eq!(fields.len(), headers.iter().filter(|byte| **byte == b'\n').count());
        }
    }
}
