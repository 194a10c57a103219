//! The requests that docs/smuggling.md lists, with their exact verdicts: the table is read, so that the document cannot
//! say anything else than what is tested.

use std::fs;

use crate::{Connection, Request, Response, images};

/// What separates the responses of one row.
const RESPONSES: &str = " · ";
/// Where the client closes its side.
const END: &str = "{end}";
/// The request that must never be answered.
pub const HIDDEN: &str = "GET /echo/hidden HTTP/1.1\r\nHost: x\r\n\r\n";

/// A row of the table.
#[derive(Debug)]
pub struct Row {
    /// As it stands in the document.
    pub line: String,
    request: Vec<u8>,
    /// Whether the client closes its side behind it.
    ends: bool,
    responses: Vec<Expected>,
    kept: bool,
}

/// A status, and a body if it matters.
#[derive(Debug)]
struct Expected {
    status: u16,
    body: Option<Vec<u8>>,
}

impl Row {
    /// Sends the row in so many pieces. Panics if the verdict is not the table's.
    pub fn send(&self, connection: &mut Connection, pieces: usize) {
        let next = Request::get("/echo/next").to_bytes();
        let behind = match self.kept {
            _ if self.ends => &[],
            true => &next[..],
            false => HIDDEN.as_bytes(),
        };
        let bytes = [&self.request, behind].concat();
        connection.send_slowly(&bytes, bytes.len().div_ceil(pieces).max(1));
        if self.ends {
            connection.finish_sending();
        }
        for (at, expected) in self.responses.iter().enumerate() {
            let response = self.receive(connection);
            let right = expected.body.as_ref().is_none_or(|body| *body == response.body);
            assert!(response.status == expected.status && right, "{response:?} to {}", self.line);
            let closes = !self.kept && at + 1 == self.responses.len();
            assert_eq!(
                response.header("connection"),
                Some(if closes { "close" } else { "keep-alive" }),
                "{}",
                self.line
            );
        }
        if self.kept && !self.ends {
            let response = self.receive(connection);
            assert_eq!(response.header("x-mayfly-path"), Some("/next"), "{response:?} behind {}", self.line);
            connection.finish_sending();
        }
        let more = connection.try_end().err();
        assert!(more.is_none(), "{} behind {}", more.unwrap_or_default(), self.line);
    }

    fn receive(&self, connection: &mut Connection) -> Response {
        let response = connection.try_receive(false);
        response.unwrap_or_else(|error| panic!("no response: {error}, to {}", self.line))
    }
}

/// The rows of docs/smuggling.md.
pub fn table() -> Vec<Row> {
    let file = images::source_root().join("docs/smuggling.md");
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    text.lines().filter(|line| line.starts_with("| `")).map(row).collect()
}

fn row(line: &str) -> Row {
    let cells: Vec<_> = line.trim_matches('|').split('|').map(|cell| cell.strip_prefix(' ').unwrap_or(cell)).collect();
    let [request, _, verdict] = cells[..] else { panic!("three cells are needed in {line}") };
    let request = request.trim().trim_matches('`');
    let (responses, end) = verdict.trim().rsplit_once(' ').unwrap_or(("", verdict.trim()));
    Row {
        line: line.to_owned(),
        request: bytes(request.trim_end_matches(END)),
        ends: request.ends_with(END),
        responses: responses.split(RESPONSES).filter(|text| !text.is_empty()).map(expected).collect(),
        kept: match end {
            "kept" => true,
            "closed" => false,
            _ => panic!("closed or kept is needed at the end of {line}"),
        },
    }
}

/// A status, or a status and a body in backticks.
fn expected(text: &str) -> Expected {
    let (status, body) = text.split_once(' ').map_or((text, None), |(status, body)| (status, Some(body)));
    let body = body.map(|body| bytes(body.strip_prefix('`').and_then(|body| body.strip_suffix('`')).expect(body)));
    Expected { status: status.parse().unwrap_or_else(|_| panic!("{status} is no status")), body }
}

/// The bytes that a notation stands for.
fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let len = match first {
            '{' => {
                let inner = &rest[1..rest.find('}').unwrap_or_else(|| panic!("no closing brace in {text}"))];
                match inner.rsplit_once('*') {
                    Some((what, times)) => bytes.extend(self::bytes(what).repeat(times.parse().expect(inner))),
                    None => {
                        assert_eq!(inner, "hidden", "an unknown word in {text}");
                        bytes.extend(HIDDEN.bytes());
                    }
                }
                inner.len() + 2
            }
            '\\' => {
                let (byte, len) = match rest.as_bytes().get(1) {
                    Some(b'r') => (b'\r', 2),
                    Some(b'n') => (b'\n', 2),
                    Some(b't') => (b'\t', 2),
                    Some(b'0') => (0, 2),
                    Some(b'x') => (u8::from_str_radix(&rest[2..4], 16).expect(rest), 4),
                    _ => panic!("an unknown escape in {text}"),
                };
                bytes.push(byte);
                len
            }
            plain => {
                assert!(plain.is_ascii(), "bytes that are not ASCII are written as escapes: {text}");
                bytes.push(plain as u8);
                1
            }
        };
        rest = &rest[len..];
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_as_it_is_explained() {
        let row = row(r"| `a\r\n\0\xe4{b\t*2}{hidden}{end}` | 9112 1: x | 200 `c\n` · 404 · 400 closed |");
        assert_eq!(row.request, [b"a\r\n\0\xe4b\tb\t", HIDDEN.as_bytes()].concat());
        assert!(row.ends && !row.kept);
        let responses: Vec<_> = row.responses.iter().map(|one| (one.status, one.body.as_deref())).collect();
        assert_eq!(responses, [(200, Some(&b"c\n"[..])), (404, None), (400, None)]);
        assert!(super::row("| `` | x | closed |").responses.is_empty());
    }

    #[test]
    fn the_hidden_request_is_as_long_as_the_table_says() {
        assert_eq!(HIDDEN.len(), 38);
    }
}
