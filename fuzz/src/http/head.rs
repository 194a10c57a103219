//! A head that was accepted, read once more line by line and as literally as RFC 9112 puts it.

use mayfly_abi::domain::HEAD_MAX;
use mayfly_core::http::Method;
use mayfly_core::http::head::{self, Framing, HEADERS_MAX, Head, TARGET_MAX, Version};

/// Holds `head` against `bytes`, which it was parsed from and which are all of it.
pub(super) fn check(bytes: &[u8], head: &Head) {
    assert!(bytes.len() <= HEAD_MAX as usize);
    // Whoever else reads these bytes finds the same lines: there is no line end but CR LF, and one empty line.
    let text = skip_empty_lines(bytes);
    let lines = text.strip_suffix(b"\r\n\r\n").expect("a head ends in an empty line");
    let lines: Vec<&[u8]> = split(lines, b"\r\n");
    for line in &lines {
        assert!(
            !line.is_empty() && !line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)),
            "{}",
            line.escape_ascii()
        );
    }

    let words: Vec<&[u8]> = lines[0].split(|byte| *byte == b' ').collect();
    let [method, target, version] = words[..] else { panic!("{} words in the request line", words.len()) };
    assert_eq!(head.method_name.of(bytes), method);
    assert_eq!(Method::from_name(method), Some(head.method));
    assert_eq!(version, if head.version == Version::Http11 { b"HTTP/1.1" } else { b"HTTP/1.0" });
    check_target(bytes, head, target);

    let fields: Vec<(Vec<u8>, &[u8])> = lines[1..].iter().map(|line| field(line)).collect();
    assert!(fields.len() <= HEADERS_MAX);
    let headers: Vec<u8> = lines[1..].iter().flat_map(|line| [line, &b"\r\n"[..]]).flatten().copied().collect();
    assert_eq!(head.headers.of(bytes), headers, "the function sees all header lines, and nothing else");
    check_fields(head, &fields);
}

/// Path and query are those of the target, and the path leads to a route as the kernel splits it.
fn check_target(bytes: &[u8], head: &Head, target: &[u8]) {
    assert!((1..=TARGET_MAX).contains(&target.len()));
    let (path, query) = (head.path.of(bytes), head.query.of(bytes));
    assert!(str::from_utf8(path).is_ok() && str::from_utf8(query).is_ok());
    assert!(!path.iter().chain(query).any(|byte| *byte <= b' ' || *byte == 0x7f || *byte == b'#'));
    assert!(!path.contains(&b'?'));
    let mut halves = target.splitn(2, |byte| *byte == b'?');
    let whole_path = halves.next().unwrap_or_default();
    assert_eq!(query, halves.next().unwrap_or_default());
    if target.starts_with(b"/") || target == b"*" {
        assert_eq!(path, whole_path);
    } else {
        assert!(target[..7].eq_ignore_ascii_case(b"http://"));
        let host = split(&whole_path[7..], b"/")[0];
        assert!(!host.is_empty() && !host.contains(&b'@'));
        let behind = &whole_path[7 + host.len()..];
        assert_eq!(path, if behind.is_empty() { b"/" } else { behind });
    }

    let (route, below) = head::route(path);
    if path == b"*" {
        assert!(head.method == Method::Options && route.is_empty() && below.is_empty());
    } else {
        // The window's `path` is what follows the slash and the route.
        assert_eq!([b"/", route, below].concat(), path);
        assert!(!route.contains(&b'/') && (below.is_empty() || below.starts_with(b"/")));
    }
}

/// Framing and connection are what the fields say, and none that matters is there twice.
fn check_fields(head: &Head, fields: &[(Vec<u8>, &[u8])]) {
    let all =
        |name: &[u8]| -> Vec<&[u8]> { fields.iter().filter(|field| field.0 == name).map(|field| field.1).collect() };
    let (lengths, codings, hosts) = (all(b"content-length"), all(b"transfer-encoding"), all(b"host"));
    assert!(lengths.len() <= 1 && (lengths.is_empty() || codings.is_empty()) && hosts.len() <= 1);
    // The lines of a list are one list, and its empty elements are none.
    let codings: Vec<_> = codings.into_iter().flat_map(|value| split(value, b",")).map(trim).collect();
    match head.framing {
        Framing::None => assert!(lengths.is_empty() && codings.is_empty()),
        Framing::Chunked => {
            let named: Vec<_> = codings.into_iter().filter(|coding| !coding.is_empty()).collect();
            assert!(named.len() == 1 && named[0].eq_ignore_ascii_case(b"chunked") && head.version == Version::Http11);
        }
        Framing::Length(length) => {
            assert!(lengths[0].iter().all(u8::is_ascii_digit));
            let said: u64 = str::from_utf8(lengths[0]).expect("digits").parse().expect("a number");
            assert_eq!(length, said);
        }
    }
    if head.version == Version::Http11 {
        assert_eq!(hosts.len(), 1);
    }
    let options: Vec<Vec<u8>> = all(b"connection")
        .into_iter()
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(|option| trim(option).to_ascii_lowercase())
        .collect();
    let says = |option: &[u8]| options.iter().any(|said| said == option);
    let stays = if head.version == Version::Http11 { !says(b"close") } else { says(b"keep-alive") && !says(b"close") };
    assert_eq!(head.keep_alive, stays);
    let expects = all(b"expect").iter().any(|value| value.eq_ignore_ascii_case(b"100-continue"));
    assert_eq!(head.expect_continue, expects && head.version == Version::Http11);
}

/// A field's name in lower case, and its value without the white space around it.
fn field(line: &[u8]) -> (Vec<u8>, &[u8]) {
    let colon = line.iter().position(|byte| *byte == b':').expect("a field has a colon");
    let (name, value) = line.split_at(colon);
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    assert!(!name.is_empty() && name.iter().all(is_token), "{}", line.escape_ascii());
    let is_control = |byte: &u8| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f;
    assert!(!value.iter().any(is_control), "{}", line.escape_ascii());
    (name.to_ascii_lowercase(), trim(&value[1..]))
}

fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

fn skip_empty_lines(mut bytes: &[u8]) -> &[u8] {
    while let Some(rest) = bytes.strip_prefix(b"\r\n") {
        bytes = rest;
    }
    bytes
}

fn split<'a>(mut bytes: &'a [u8], at: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    while let Some(end) = bytes.windows(at.len()).position(|window| window == at) {
        parts.push(&bytes[..end]);
        bytes = &bytes[end + at.len()..];
    }
    parts.push(bytes);
    parts
}
