//! Bodies: never longer than said, and chunked ones decoded as by a decoder that has all the bytes at once.

use mayfly_core::http::Reject;
use mayfly_core::http::chunked::{Decoder, OVERHEAD_MAX};
use mayfly_core::http::head::Framing;

use super::pieces;
use super::reader::{BODY_LIMIT, Request};

/// Holds a body against what its head says about it.
pub(super) fn check(request: &Request) {
    assert!(request.body.len() <= BODY_LIMIT);
    match request.head.framing {
        Framing::None => assert!(request.body.is_empty()),
        Framing::Length(len) => assert_eq!(request.body.len() as u64, len),
        Framing::Chunked => {}
    }
}

/// Decodes the bytes as a chunked body: at once, in pieces, and naively.
pub(super) fn check_chunked(bytes: &[u8], rhythm: u8) {
    let whole = decode([bytes].into_iter());
    let cut = decode(pieces(bytes, rhythm));
    assert_eq!(whole, cut, "the pieces matter");
    let ended = whole.ok().filter(|decoded| decoded.done).map(|decoded| (decoded.body, decoded.consumed));
    assert_eq!(ended, naive(bytes));
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Decoded {
    body: Vec<u8>,
    consumed: usize,
    done: bool,
}

fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Result<Decoded, Reject> {
    let mut decoder = Decoder::default();
    let mut decoded = Decoded::default();
    for piece in pieces {
        let progress = decoder.feed(piece, |run| {
            decoded.body.extend_from_slice(run);
            Ok::<_, Reject>(())
        })?;
        assert!(progress.consumed == piece.len() || progress.done, "bytes of the body are left over");
        decoded.consumed += progress.consumed;
        decoded.done = progress.done;
        assert!(decoded.body.len() <= decoded.consumed);
        if decoded.done {
            break;
        }
    }
    Ok(decoded)
}

/// The body, and how many bytes it took. `None` if it is wrong or does not end.
fn naive(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut rest, mut body, mut overhead) = (bytes, Vec::new(), 0);
    loop {
        let size_line = line(&mut rest)?;
        let digits = size_line.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(size_line.len());
        let (size, extension) = size_line.split_at(digits);
        if !(1..=16).contains(&size.len()) {
            return None;
        }
        let size = u64::from_str_radix(str::from_utf8(size).ok()?, 16).ok()?;
        if !extension.is_empty() {
            let blanks = extension.iter().position(|byte| !matches!(byte, b' ' | b'\t'))?;
            if extension[blanks] != b';' {
                return None;
            }
            // All but the semicolon.
            overhead += extension.len() - 1;
        }
        if size == 0 {
            break;
        }
        let (data, behind) = rest.split_at_checked(usize::try_from(size).ok()?)?;
        body.extend_from_slice(data);
        rest = behind.strip_prefix(b"\r\n")?;
    }
    loop {
        let trailer = line(&mut rest)?;
        if trailer.is_empty() {
            break;
        }
        let colon = trailer.iter().position(|byte| *byte == b':')?;
        if colon == 0 || !trailer[..colon].iter().all(|byte| is_token(*byte)) {
            return None;
        }
        overhead += trailer.len();
    }
    (overhead <= OVERHEAD_MAX as usize).then_some((body, bytes.len() - rest.len()))
}

/// Whether the byte may stand in a name (RFC 9110, 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Takes a line that ends in CR LF and holds no control but the tab.
fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.iter().position(|byte| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f)?;
    let (line, behind) = rest.split_at(end);
    *rest = behind.strip_prefix(b"\r\n")?;
    Some(line)
}
