//! Responses: header lines that pass the check make one response, whose frame only the kernel has set.

use mayfly_abi::domain::RESPONSE_HEADERS_MAX;
use mayfly_core::http::response::{HEAD_ROOM, check_headers, write_head};

/// Most header lines: as many as fit, and the kernel's own.
const FIELDS: usize = RESPONSE_HEADERS_MAX as usize / 4 + 4;
/// Fields that frame a response or manage the connection.
const FRAME: [&str; 6] = ["content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "trailer"];

/// A response's head, as a client reads it.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) status: u16,
    pub(super) head_len: usize,
    pub(super) length: Option<u64>,
    pub(super) closes: bool,
    fields: usize,
    frame_fields: usize,
}

impl Parsed {
    /// Reads the head at the start of `bytes`, which must be there.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let mut headers = vec![httparse::EMPTY_HEADER; FIELDS];
        let mut response = httparse::Response::new(&mut headers);
        let Ok(httparse::Status::Complete(head_len)) = response.parse(bytes) else {
            panic!("no client can read {}", bytes.escape_ascii())
        };
        let value = |name: &str| {
            let field = response.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name));
            field.map(|field| String::from_utf8_lossy(field.value).into_owned())
        };
        let is_frame = |name: &str| FRAME.iter().any(|frame| name.eq_ignore_ascii_case(frame));
        Self {
            status: response.code.expect("a status"),
            head_len,
            length: value("content-length").map(|length| length.parse().expect("a number")),
            closes: value("connection").is_some_and(|value| value == "close"),
            fields: response.headers.len(),
            frame_fields: response.headers.iter().filter(|field| is_frame(field.name)).count(),
        }
    }
}

/// Takes the bytes as a function's header lines. Whether they are, and there are any.
pub(super) fn check(bytes: &[u8], rhythm: u8) -> bool {
    let headers = &bytes[..bytes.len().min(RESPONSE_HEADERS_MAX as usize)];
    if !check_headers(headers) {
        return false;
    }
    let status = 200 + u16::from(rhythm) * 25 / 16;
    let (body_len, keep_alive) = (bytes.len() as u64, rhythm.is_multiple_of(2));
    let mut room = vec![0; headers.len() + HEAD_ROOM];
    room[..headers.len()].copy_from_slice(headers);
    let start = write_head(&mut room, headers.len(), status, body_len, keep_alive);
    let head = &room[start..];
    let parsed = Parsed::read(head);
    assert_eq!(parsed.head_len, head.len(), "there is something behind the head");
    assert_eq!(parsed.status, status);
    assert_eq!(parsed.closes, !keep_alive);
    let has_length = !matches!(status, 204 | 304);
    assert_eq!(parsed.length, has_length.then_some(body_len));
    let (lines, own) = (headers.iter().filter(|byte| **byte == b'\n').count(), 1 + usize::from(has_length));
    assert_eq!((parsed.fields, parsed.frame_fields), (lines + own, own), "a function has set the frame");
    !headers.is_empty()
}
