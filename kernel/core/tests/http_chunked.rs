//! The chunked coding (RFC 9112, 7.1): decoded alike however its bytes are split, and refused where readers differ.

use mayfly_core::http::Reject;
use mayfly_core::http::chunked::{Decoder, OVERHEAD_MAX, Progress};
use proptest::prelude::*;

/// Feeds `pieces` one after another until the body ends: the body, and the bytes that belong to it.
fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<(Vec<u8>, usize)>, Reject> {
    let mut decoder = Decoder::default();
    let mut body = Vec::new();
    let mut total = 0;
    for piece in pieces {
        let progress = decoder.feed(piece, |run| {
            assert!(!run.is_empty());
            body.extend_from_slice(run);
            Ok::<_, Reject>(())
        })?;
        total += progress.consumed;
        if progress.done {
            return Ok(Some((body, total)));
        }
        assert_eq!(progress.consumed, piece.len(), "what is not done takes everything");
    }
    Ok(None)
}

fn whole(input: &[u8]) -> Result<Option<(Vec<u8>, usize)>, Reject> {
    decode([input])
}

fn status(input: &[u8]) -> Result<bool, u16> {
    whole(input).map(|body| body.is_some()).map_err(|reject| reject.status)
}

/// Sound bodies and what they decode to.
const SOUND: [(&[u8], &[u8]); 9] = [
    (b"0\r\n\r\n", b""),
    (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
    (b"5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n000\r\n\r\n", b"hello world"),
    (b"00000a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    (b"A\r\n\r\n0\r\n\r\n\r\nx\r\n0\r\n\r\n", b"\r\n0\r\n\r\n\r\nx"),
    (b"b;name=value;flag\r\nhello world\r\n0;last\r\n\r\n", b"hello world"),
    (b"2 \t;quoted=\"a;b\"\r\nhi\r\n0\r\n\r\n", b"hi"),
    (b"1\r\nx\r\n0\r\nX-Sum: 1\r\nother: value\r\n\r\n", b"x"),
    (b"1;\r\nx\r\n0 ;\r\n\r\n", b"x"),
];

#[test]
fn sound_bodies_are_decoded() {
    for (input, body) in SOUND {
        assert_eq!(whole(input), Ok(Some((body.to_vec(), input.len()))), "{}", input.escape_ascii());
    }
}

#[test]
fn it_does_not_matter_where_the_bytes_are_split() {
    for (input, body) in SOUND {
        for first in 0..=input.len() {
            for second in first..=input.len() {
                let pieces = [&input[..first], &input[first..second], &input[second..]];
                assert_eq!(decode(pieces), Ok(Some((body.to_vec(), input.len()))), "{first} {second}");
            }
        }
        assert_eq!(decode(input.chunks(1)), Ok(Some((body.to_vec(), input.len()))));
    }
}

#[test]
fn a_body_that_has_not_ended_is_not_done() {
    for (input, _) in SOUND {
        for len in 0..input.len() {
            assert_eq!(whole(&input[..len]), Ok(None), "{}", input[..len].escape_ascii());
        }
    }
}

#[test]
fn the_next_request_is_left_alone() {
    for (input, body) in SOUND {
        let pipelined = [input, b"GET / HTTP/1.1\r\n"].concat();
        assert_eq!(whole(&pipelined), Ok(Some((body.to_vec(), input.len()))));
    }
}

#[test]
fn a_decoder_that_is_done_takes_nothing_more() {
    let mut decoder = Decoder::default();
    let mut feed = |input: &[u8]| decoder.feed(input, |_| Ok::<_, Reject>(()));
    assert_eq!(feed(b"0\r\n\r\n"), Ok(Progress { consumed: 5, done: true }));
    assert_eq!(feed(b"5\r\n"), Ok(Progress { consumed: 0, done: true }));
}

#[test]
fn a_size_must_be_plain_hexadecimal_digits() {
    for size in ["", "-1", "+1", " 1", "0x1", "g", "1g", "1_0", "1.0", "\t"] {
        assert_eq!(status(format!("{size}\r\nx\r\n0\r\n\r\n").as_bytes()), Err(400), "{size:?}");
    }
}

#[test]
fn a_size_that_does_not_fit_64_bits_is_refused() {
    assert_eq!(status(b"ffffffffffffffff\r\nx"), Ok(false), "the largest that fits waits for its bytes");
    assert_eq!(status(b"10000000000000000\r\nx"), Err(400));
    assert_eq!(status(b"fffffffffffffffff\r\nx"), Err(400));
    assert_eq!(status(b"00000000000000001\r\nx\r\n0\r\n\r\n"), Err(400), "leading zeros without end");
}

#[test]
fn line_ends_must_be_cr_lf() {
    let bad: [&[u8]; 12] = [
        b"1\nx\r\n0\r\n\r\n",
        b"1\rx\r\n0\r\n\r\n",
        b"1\r\nx\n0\r\n\r\n",
        b"1\r\nx\r0\r\n\r\n",
        b"1\r\nx\r\n0\n\r\n",
        b"1\r\nx\r\n0\r\n\n",
        b"0\r\n\rx",
        b"0\r\na: b\n\r\n",
        b"0\r\na: b\rc\r\n\r\n",
        b"1;a\nx\r\n0\r\n\r\n",
        b"1;a\rb\r\nx\r\n0\r\n\r\n",
        b"1 \nx\r\n0\r\n\r\n",
    ];
    for input in bad {
        assert_eq!(status(input), Err(400), "{}", input.escape_ascii());
    }
}

#[test]
fn a_chunk_longer_or_shorter_than_its_size_is_refused() {
    assert_eq!(status(b"1\r\nxy\r\n0\r\n\r\n"), Err(400));
    assert_eq!(status(b"3\r\nx\r\n0\r\n\r\n"), Err(400));
}

#[test]
fn white_space_behind_a_size_needs_an_extension() {
    assert_eq!(status(b"1 \r\nx\r\n0\r\n\r\n"), Err(400));
    assert_eq!(status(b"1 x\r\nx\r\n0\r\n\r\n"), Err(400));
}

#[test]
fn a_refusal_names_what_is_wrong() {
    let reason = |input: &[u8]| whole(input).expect_err("it is refused").reason;
    assert!(reason(b"x").contains("size"));
    assert!(reason(b"00000000000000000").contains("size"));
    assert!(reason(b"1 x").contains("size"));
    assert!(reason(b"1\r\nxy").contains("more bytes"));
    assert!(reason(b"1\r\nx\rx").contains("CR LF"));
    assert!(reason(b"1;\0").contains("control"));
}

#[test]
fn controls_in_extensions_and_trailers_are_refused() {
    assert_eq!(status(b"1;a\0b\r\nx\r\n0\r\n\r\n"), Err(400));
    assert_eq!(status(b"0\r\na: \x01\r\n\r\n"), Err(400));
    assert_eq!(status(b"0\r\na: \x7f\r\n\r\n"), Err(400));
}

#[test]
fn a_trailer_is_a_name_a_colon_and_a_value() {
    assert_eq!(status(b"0\r\na:\r\nContent-Length:\t5 \r\n\r\n"), Ok(true));
    for bad in ["GET / HTTP/1.1", "a", ": b", "a : b", " a: b", "a: b\r\n c", "\u{e9}: b", "\ta: b"] {
        assert_eq!(status(format!("0\r\n{bad}\r\n\r\n").as_bytes()), Err(400), "{bad:?}");
    }
}

#[test]
fn extensions_and_trailers_have_a_bound_all_together() {
    let max = OVERHEAD_MAX as usize;
    let extension = |len: usize| [b"0;", &vec![b'x'; len][..], b"\r\n\r\n"].concat();
    assert_eq!(status(&extension(max)), Ok(true));
    assert_eq!(status(&extension(max + 1)), Err(431));
    let trailer = |len: usize| [b"0\r\nx:", &vec![b'x'; len - 2][..], b"\r\n\r\n"].concat();
    assert_eq!(status(&trailer(max)), Ok(true));
    assert_eq!(status(&trailer(max + 1)), Err(431));
    let blanks = [b"0", &vec![b' '; max + 1][..]].concat();
    assert_eq!(status(&blanks), Err(431));
    let many_chunks = b"1;ext\r\nx\r\n".repeat(max / 3 + 1);
    assert_eq!(status(&many_chunks), Err(431));
}

#[test]
fn what_the_sink_refuses_ends_the_decoding() {
    #[derive(Debug, PartialEq)]
    enum Stop {
        Full,
        Rejected(u16),
    }
    impl From<Reject> for Stop {
        fn from(reject: Reject) -> Self {
            Self::Rejected(reject.status)
        }
    }
    let result = Decoder::default().feed(b"5\r\nhello\r\n", |_| Err(Stop::Full));
    assert_eq!(result, Err(Stop::Full));
    let result = Decoder::default().feed(b"x", |_| Err(Stop::Full));
    assert_eq!(result, Err(Stop::Rejected(400)));
}

/// A coding of `chunks`, with an extension or a trailer here and there.
fn encode(chunks: &[Vec<u8>], extra: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
        let extension = if extra { ";n=v" } else { "" };
        out.extend_from_slice(format!("{:x}{extension}\r\n", chunk.len()).as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(if extra { b"0\r\nT: 1\r\n\r\n" } else { b"0\r\n\r\n" });
    out
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded_in_pieces_of_any_size(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..6),
        extra in any::<bool>(),
        piece in 1usize..400,
    ) {
        let input = encode(&chunks, extra);
        prop_assert_eq!(decode(input.chunks(piece)), Ok(Some((chunks.concat(), input.len()))));
    }

    #[test]
    fn no_bytes_make_it_panic_or_depend_on_the_split(
        input in prop::collection::vec(
            prop_oneof![prop::sample::select(b"0123fF;\r\n \t\"=x".to_vec()), any::<u8>()], 0..64),
        cut in 0usize..64,
    ) {
        let (first, second) = input.split_at(cut.min(input.len()));
        let once = whole(&input);
        prop_assert_eq!(&decode([first, second]), &once);
        if let Ok(Some((body, consumed))) = once {
            prop_assert!(body.len() + 5 <= consumed && consumed <= input.len());
        }
    }
}
