//! HTTP: the same bytes read three ways: as what a client sends on a connection, as a chunked body, and as the header
//! lines of a response. How the bytes are cut into pieces never matters.
//!
//! The first byte of an input says how they are cut.

mod body;
mod head;
mod reader;
mod response;

use mayfly_core::http::Reject;
use mayfly_core::http::answer::{ANSWER_MAX, Answer};

use reader::{Event, Reader};

/// Reads the bytes all three ways.
pub fn run(data: &[u8]) -> bool {
    let Some((rhythm, bytes)) = data.split_first() else { return false };
    let mut whole = Reader::new();
    whole.feed(bytes);
    let mut cut = Reader::new();
    pieces(bytes, *rhythm).for_each(|piece| cut.feed(piece));
    assert_eq!(whole, cut, "the pieces matter");

    let mut accepted = false;
    for event in whole.events() {
        match event {
            Event::Request(request) => {
                head::check(&request.bytes, &request.head);
                body::check(request);
                accepted = true;
            }
            Event::Refused(reject) => refusal(*reject),
            Event::TooLarge => {}
        }
    }
    body::check_chunked(bytes, *rhythm);
    accepted | response::check(bytes, *rhythm)
}

/// The bytes in pieces: all of one length, or of lengths that wander.
fn pieces(bytes: &[u8], rhythm: u8) -> impl Iterator<Item = &[u8]> {
    let (mut rest, mut state) = (bytes, u32::from(rhythm));
    std::iter::from_fn(move || {
        let len = if rhythm < 0x80 {
            usize::from(rhythm.max(1))
        } else {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            1 + (state >> 24) as usize % 48
        };
        let (piece, later) = rest.split_at(len.min(rest.len()));
        rest = later;
        (!piece.is_empty()).then_some(piece)
    })
}

/// What the kernel answers to a refused request is a whole response, and its connection is closed.
fn refusal(reject: Reject) {
    assert!(matches!(reject.status, 400 | 405 | 414 | 431 | 501 | 505), "{reject:?}");
    let mut answer = vec![0; ANSWER_MAX];
    let place = Answer::Rejected(reject).write(&mut answer, false, false);
    let written = &answer[place];
    let parsed = response::Parsed::read(written);
    assert_eq!(parsed.status, reject.status);
    assert_eq!(parsed.length, Some((written.len() - parsed.head_len) as u64));
    assert!(parsed.closes);
}
