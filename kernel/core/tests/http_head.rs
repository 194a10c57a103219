//! Request heads (RFC 9112, 2 to 5): where they end, what they are split into, and what is refused with which status.

use mayfly_core::http::Method;
use mayfly_core::http::head::{Framing, HEADERS_MAX, Head, TARGET_MAX, Version, find_end, parse, route};
use proptest::prelude::*;

const MAX: usize = mayfly_abi::domain::HEAD_MAX as usize;

fn head(input: &str) -> Head {
    let (head, len) = parse(input.as_bytes(), 0).expect(input).expect(input);
    assert_eq!(len, input.len());
    head
}

/// The status with which a head is refused; 0 if it is accepted, 1 if it has not ended.
fn status(input: impl AsRef<[u8]>) -> u16 {
    match parse(input.as_ref(), 0) {
        Ok(Some(_)) => 0,
        Ok(None) => 1,
        Err(reject) => reject.status,
    }
}

/// The status for a request with this request line.
fn line(line: &str) -> u16 {
    status(format!("{line}\r\nHost: h\r\n\r\n"))
}

/// The status for a request with these header lines besides Host.
fn headers(lines: &str) -> u16 {
    status(format!("GET /f HTTP/1.1\r\nHost: h\r\n{lines}\r\n"))
}

/// Path and query of an accepted request target.
fn target(target: &str) -> (String, String) {
    let input = format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
    let head = head(&input);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("targets are UTF-8");
    (text(head.path.of(input.as_bytes())), text(head.query.of(input.as_bytes())))
}

#[test]
fn a_request_is_split_into_its_parts() {
    let input = "POST /echo/a/b?x=1&y=%20 HTTP/1.1\r\nHost: localhost:8080\r\nX: \r\nContent-Length: 3\r\n\r\n";
    let head = head(input);
    let of = |span: mayfly_core::http::head::Span| std::str::from_utf8(span.of(input.as_bytes())).expect("text");
    assert_eq!(head.method, Method::Post);
    assert_eq!(of(head.method_name), "POST");
    assert_eq!(of(head.path), "/echo/a/b");
    assert_eq!(of(head.query), "x=1&y=%20");
    assert_eq!(of(head.headers), "Host: localhost:8080\r\nX: \r\nContent-Length: 3\r\n");
    assert_eq!(head.framing, Framing::Length(3));
    assert_eq!(head.version, Version::Http11);
}

#[test]
fn an_http_1_0_request_needs_no_headers_at_all() {
    let head = head("GET / HTTP/1.0\r\n\r\n");
    assert_eq!((head.version, head.headers.len, head.framing), (Version::Http10, 0, Framing::None));
}

#[test]
fn every_known_method_is_accepted_and_any_other_gets_405() {
    for name in Method::ALLOW.split(", ") {
        assert_eq!(line(&format!("{name} / HTTP/1.1")), 0, "{name}");
    }
    for name in ["TRACE", "CONNECT", "BREW", "get", "Get", "GETS", "PROPFIND", "M-SEARCH"] {
        assert_eq!(line(&format!("{name} / HTTP/1.1")), 405, "{name}");
    }
}

#[test]
fn empty_lines_before_the_request_are_skipped() {
    let input = "\r\n\r\nGET /f HTTP/1.1\r\nHost: h\r\n\r\n";
    let head = head(input);
    assert_eq!(head.method_name.of(input.as_bytes()), b"GET");
    assert_eq!(head.path.of(input.as_bytes()), b"/f");
    assert_eq!(head.headers.of(input.as_bytes()), b"Host: h\r\n");
    assert_eq!(status("\r\n\r\n\r\n"), 1);
    assert_eq!(status("\r\n".repeat(MAX / 2)), 431);
}

#[test]
fn what_follows_the_head_is_left_alone() {
    let first = "GET /f HTTP/1.1\r\nHost: h\r\n\r\n";
    for rest in ["GET /g HTTP/1.1\r\n", "\r\n\r\n", "\0\n", &"x".repeat(2 * MAX)] {
        let (_, len) = parse(format!("{first}{rest}").as_bytes(), 0).expect("sound").expect("whole");
        assert_eq!(len, first.len());
    }
}

#[test]
fn a_head_that_has_not_ended_is_waited_for() {
    let input = "\r\nPOST /f?q HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n";
    for len in 0..input.len() {
        assert_eq!(status(&input[..len]), 1, "{:?}", &input[..len]);
    }
    assert_eq!(status(input), 0);
}

#[test]
fn a_bare_line_feed_is_refused_at_once() {
    for input in [
        "GET / HTTP/1.1\n",
        "GET / HTTP/1.1\nHost: h\n\n",
        "GET / HTTP/1.1\r\nHost: h\n",
        "GET / HTTP/1.1\r\nHost: h\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\n\n",
        "\n",
        "\n\r\n",
        "\r\n\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
    ] {
        assert_eq!(status(input), 400, "{input:?}");
    }
}

#[test]
fn a_bare_carriage_return_is_refused() {
    assert_eq!(line("GET / HTTP/1.1\r"), 400);
    assert_eq!(line("GET /\r HTTP/1.1"), 400);
    assert_eq!(headers("X: a\rb\r\n"), 400);
    assert_eq!(headers("X\r: a\r\n"), 400);
    assert_eq!(headers("\r\r\n"), 400);
}

#[test]
fn a_request_line_has_two_single_spaces() {
    for bad in [
        "GET",
        "GET /",
        "GET / ",
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET\t/\tHTTP/1.1",
        " GET / HTTP/1.1",
        "GET / x HTTP/1.1",
        "GET HTTP/1.1",
        "/ HTTP/1.1",
        "G\0T / HTTP/1.1",
        "G(T / HTTP/1.1",
        "\x16\x03\x01\x02",
    ] {
        assert_eq!(line(bad), 400, "{bad:?}");
    }
}

#[test]
fn other_versions_get_505_and_what_is_no_version_400() {
    for version in ["HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/9.9"] {
        assert_eq!(line(&format!("GET / {version}")), 505, "{version}");
    }
    assert_eq!(status("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505, "the preface of HTTP/2");
    for version in ["HTTP/1", "HTTP/1.", "HTTP/11", "HTTP/1.10", "HTTP/2", "http/1.1", "HTTP/1,1", "HTTQ/1.1", "H"] {
        assert_eq!(line(&format!("GET / {version}")), 400, "{version}");
    }
}

#[test]
fn a_target_is_split_at_its_first_question_mark() {
    for (input, path, query) in [
        ("/", "/", ""),
        ("/f", "/f", ""),
        ("/f?", "/f", ""),
        ("/f?a=b", "/f", "a=b"),
        ("/f?a?b/c", "/f", "a?b/c"),
        ("/?x", "/", "x"),
        ("//f//", "//f//", ""),
        ("/%2f..%00", "/%2f..%00", ""),
        ("/\u{e9}?\u{e9}", "/\u{e9}", "\u{e9}"),
    ] {
        assert_eq!(target(input), (path.to_owned(), query.to_owned()), "{input}");
    }
}

#[test]
fn an_absolute_target_is_reduced_to_its_path() {
    for (input, path, query) in [
        ("http://host/f/x?q", "/f/x", "q"),
        ("HTTP://host:80/f", "/f", ""),
        ("http://[::1]:80/", "/", ""),
        ("http://host", "/", ""),
        ("http://host?q", "/", "q"),
        ("http://host?q/r", "/", "q/r"),
    ] {
        assert_eq!(target(input), (path.to_owned(), query.to_owned()), "{input}");
    }
    for bad in ["http://", "http:///f", "http://?q", "http:/f", "https://host/", "ftp://host/", "http://user@host/"] {
        assert_eq!(line(&format!("GET {bad} HTTP/1.1")), 400, "{bad}");
    }
}

#[test]
fn a_target_that_is_no_path_is_refused() {
    for bad in ["f", "?q", "*", "/f#fragment", "/f?q#fragment", "host:80", "/\u{7f}"] {
        assert_eq!(line(&format!("GET {bad} HTTP/1.1")), 400, "{bad}");
    }
    assert_eq!(status(b"GET /\xff HTTP/1.1\r\nHost: h\r\n\r\n"), 400, "not UTF-8");
}

#[test]
fn options_may_ask_about_the_server_itself() {
    let input = "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n";
    let path = head(input).path;
    assert_eq!(route(path.of(input.as_bytes())), (&b""[..], &b""[..]), "which is no function's route");
    assert_eq!(line("OPTIONS *?q HTTP/1.1"), 400);
    assert_eq!(line("OPTIONS ** HTTP/1.1"), 400);
}

#[test]
fn a_long_target_gets_414() {
    let with_target = |len: usize| line(&format!("GET /{} HTTP/1.1", "x".repeat(len - 1)));
    assert_eq!(with_target(TARGET_MAX), 0);
    assert_eq!(with_target(TARGET_MAX + 1), 414);
    assert_eq!(with_target(2 * MAX), 414, "also if the line does not end within the limit");
    assert_eq!(status(format!("GET /{}", "x".repeat(MAX))), 414);
    let of_len = |len: usize| format!("GET /{} HTTP/1.1\r\nX: {}", "x".repeat(len - 1), "y".repeat(MAX));
    assert_eq!(status(of_len(TARGET_MAX)), 431, "the headers are what is too long");
    assert_eq!(status(of_len(TARGET_MAX + 1)), 414);
}

#[test]
fn a_long_head_gets_431_as_soon_as_it_is_too_long() {
    let start = "GET /f HTTP/1.1\r\nHost: h\r\nX: ";
    let of_len = |len: usize| format!("{start}{}\r\n\r\n", "x".repeat(len - start.len() - 4));
    assert_eq!(status(of_len(MAX)), 0);
    assert_eq!(status(of_len(MAX + 1)), 431);
    assert_eq!(status(&of_len(MAX + 1)[..MAX - 1]), 1);
    assert_eq!(status(&of_len(MAX + 1)[..MAX]), 431);
    assert_eq!(status("x".repeat(MAX)), 431);
}

#[test]
fn more_than_64_header_lines_get_431() {
    assert_eq!(headers(&"X: y\r\n".repeat(HEADERS_MAX - 1)), 0);
    assert_eq!(headers(&"X: y\r\n".repeat(HEADERS_MAX)), 431);
}

#[test]
fn header_lines_are_a_token_a_colon_and_a_value() {
    for good in ["X:y\r\n", "X:\r\n", "X: \r\n", "X:\t y \t\r\n", "!#$%&'*+-.^_`|~: y\r\n", "X: \u{e9}\r\n"] {
        assert_eq!(headers(good), 0, "{good:?}");
    }
    for bad in ["X\r\n", "X : y\r\n", ": y\r\n", "X y: z\r\n", "X(: y\r\n", "\u{e9}: y\r\n", "X\0: y\r\n"] {
        assert_eq!(headers(bad), 400, "{bad:?}");
    }
    for control in ['\0', '\x01', '\x0b', '\x1f', '\x7f'] {
        assert_eq!(headers(&format!("X: a{control}b\r\n")), 400, "{control:?}");
    }
}

#[test]
fn a_folded_header_line_is_refused() {
    assert_eq!(headers("X: a\r\n b\r\n"), 400);
    assert_eq!(headers("X: a\r\n\tb\r\n"), 400);
    assert_eq!(status("GET /f HTTP/1.1\r\n X: a\r\nHost: h\r\n\r\n"), 400, "white space before the first line");
}

#[test]
fn a_route_is_the_first_segment_of_the_path() {
    for (path, segment, rest) in [
        ("/", "", ""),
        ("/f", "f", ""),
        ("/f/", "f", "/"),
        ("/f/a/b", "f", "/a/b"),
        ("//f", "", "/f"),
        ("*", "", ""),
        ("", "", ""),
    ] {
        assert_eq!(route(path.as_bytes()), (segment.as_bytes(), rest.as_bytes()), "{path}");
    }
}

/// Pieces of requests, so that random heads get past the first byte.
fn near_request() -> impl Strategy<Value = Vec<u8>> {
    let pieces: Vec<&[u8]> = vec![
        b"GET ",
        b"OPTIONS ",
        b"/f",
        b"*",
        b"?",
        b"#",
        b"http://",
        b"h",
        b" HTTP/1.1\r\n",
        b" HTTP/1.0\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"Host: h\r\n",
        b"Content-Length: 1\r\n",
        b"Connection: close, x\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"X:",
        b"\0",
        b"\xff",
        b"aaaaaaaaaaaaaaa",
    ];
    let lines = prop::collection::vec(prop::sample::select(pieces), 0..12);
    (any::<bool>(), lines, any::<bool>()).prop_map(|(start, lines, end)| {
        let start: &[u8] = if start { b"GET /f?q HTTP/1.1\r\nHost: h\r\n" } else { b"" };
        let end: &[u8] = if end { b"\r\n\r\n" } else { b"" };
        [start, &lines.concat(), end].concat()
    })
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(input in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&input, 0);
    }

    #[test]
    fn what_is_accepted_has_sound_parts(input in near_request()) {
        if let Ok(Some((head, len))) = parse(&input, 0) {
            prop_assert!(len <= input.len() && input[..len].ends_with(b"\r\n\r\n"));
            let name = head.method_name.of(&input);
            prop_assert_eq!(Method::from_name(name), Some(head.method));
            let path = head.path.of(&input);
            prop_assert!(path.starts_with(b"/") || path == b"*");
            prop_assert!(std::str::from_utf8(path).is_ok() && std::str::from_utf8(head.query.of(&input)).is_ok());
            let headers = head.headers.of(&input);
            prop_assert!(headers.is_empty() || headers.ends_with(b"\r\n"));
            prop_assert_eq!(usize::from(head.headers.start) + headers.len() + 2, len);
            // The same bytes as a second parser reads them.
            let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
            let mut request = httparse::Request::new(&mut fields);
            prop_assert_eq!(request.parse(&input), Ok(httparse::Status::Complete(len)));
            prop_assert!(headers.starts_with(request.headers.first().map_or("", |field| field.name).as_bytes()));
        }
    }

    #[test]
    fn it_does_not_matter_how_much_was_searched_before(input in near_request(), cut in any::<prop::sample::Index>()) {
        let first = cut.index(input.len() + 1);
        if find_end(&input[..first], 0).is_none() {
            prop_assert_eq!(find_end(&input, first), find_end(&input, 0));
            prop_assert_eq!(parse(&input, first), parse(&input, 0));
        }
    }

    #[test]
    fn what_was_decided_stays_decided_when_more_arrives(input in near_request(), more in near_request()) {
        let decided = parse(&input, 0);
        if decided != Ok(None) {
            prop_assert_eq!(parse(&[input, more].concat(), 0), decided);
        }
    }
}
