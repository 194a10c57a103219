//! The chunked transfer coding (RFC 9112, 7.1), decoded as its bytes arrive and handed on without a copy.

use super::Reject;
use super::bytes::{is_token, is_value};
use crate::digits::digit;

/// Most bytes of chunk extensions and trailers in one body, all together.
pub const OVERHEAD_MAX: u32 = 8 << 10;
/// Most digits of a chunk size, leading zeros included.
const DIGITS_MAX: u8 = 16;

const SIZE: Reject = Reject::bad("a chunk's size is not a hexadecimal number that fits 64 bits");
const LINE_END: Reject = Reject::bad("a line of the chunked body does not end in CR LF");
const DATA_END: Reject = Reject::bad("a chunk has more bytes than its size says");
const CONTROL: Reject = Reject::bad("a chunk extension or trailer holds a control character");
const TRAILER: Reject = Reject::bad("a trailer is not a name, a colon and a value");
const OVERHEAD: Reject = Reject { status: 431, reason: "the body's chunk extensions and trailers exceed 8192 bytes" };

/// What comes next in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Digits of a chunk's size; this many have been read.
    Size(u8),
    /// White space between the size and the semicolon of an extension.
    Blank,
    /// The rest of the size's line.
    Extension,
    /// The line feed behind a size.
    SizeEnd,
    /// Bytes of a chunk.
    Data,
    /// The carriage return behind a chunk.
    DataReturn,
    /// The line feed behind a chunk.
    DataEnd,
    /// The first byte of a trailer line, or of the empty line that ends the body.
    Line,
    /// The rest of a trailer's name.
    TrailerName,
    /// The value of a trailer.
    Trailer,
    /// The line feed behind a trailer.
    TrailerEnd,
    /// The line feed that ends the body.
    End,
    /// Nothing.
    Done,
}

/// A body that has been decoded up to some byte. Trailers and extensions are checked and dropped.
#[derive(Clone, Debug)]
pub struct Decoder {
    state: State,
    /// Value of the size so far, then bytes left in the chunk.
    remaining: u64,
    overhead: u32,
}

/// How far [`Decoder::feed`] got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the input that belong to the body. All of them, unless the body has ended.
    pub consumed: usize,
    /// Whether the body has ended.
    pub done: bool,
}

impl Default for Decoder {
    /// A decoder for the first byte of a body.
    fn default() -> Self {
        Self { state: State::Size(0), remaining: 0, overhead: 0 }
    }
}

impl Decoder {
    /// Decodes `input`, the bytes that follow what was fed before, and hands each run of the body's bytes to `sink`.
    ///
    /// Stops where the body ends: what follows is the next request. After an error the decoder is of no more use.
    pub fn feed<E: From<Reject>>(
        &mut self,
        input: &[u8],
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Progress, E> {
        let mut at = 0;
        while at < input.len() && self.state != State::Done {
            if self.state == State::Data {
                let rest = &input[at..];
                let len = usize::try_from(self.remaining).map_or(rest.len(), |remaining| remaining.min(rest.len()));
                sink(&rest[..len])?;
                at += len;
                self.remaining -= len as u64;
                if self.remaining == 0 {
                    self.state = State::DataReturn;
                }
            } else {
                self.state = self.step(input[at])?;
                at += 1;
            }
        }
        Ok(Progress { consumed: at, done: self.state == State::Done })
    }

    /// The state behind `byte`, which is none of a chunk's own.
    fn step(&mut self, byte: u8) -> Result<State, Reject> {
        match (self.state, byte) {
            (State::Size(1..), b'\r') => Ok(State::SizeEnd),
            (State::Size(1..), b';') => Ok(State::Extension),
            (State::Size(1..), b' ' | b'\t') => self.skip(byte, State::Blank),
            (State::Size(digits @ 0..DIGITS_MAX), _) => {
                // Sixteen digits are 64 bits: nothing is shifted out.
                self.remaining = self.remaining << 4 | digit(byte, 16).ok_or(SIZE)?;
                Ok(State::Size(digits + 1))
            }
            (State::Size(_), _) => Err(SIZE),
            (State::Blank, b' ' | b'\t') => self.skip(byte, State::Blank),
            (State::Blank, b';') => Ok(State::Extension),
            (State::Blank, _) => Err(SIZE),
            (State::Extension, b'\r') => Ok(State::SizeEnd),
            (State::Extension, _) => self.skip(byte, State::Extension),
            (State::SizeEnd, b'\n') if self.remaining == 0 => Ok(State::Line),
            (State::SizeEnd, b'\n') => Ok(State::Data),
            (State::DataReturn, b'\r') => Ok(State::DataEnd),
            (State::DataReturn, _) => Err(DATA_END),
            (State::DataEnd, b'\n') => Ok(State::Size(0)),
            (State::Line, b'\r') => Ok(State::End),
            (State::Trailer, b'\r') => Ok(State::TrailerEnd),
            (State::TrailerName, b':') => self.skip(byte, State::Trailer),
            (State::Line | State::TrailerName, _) if is_token(byte) => self.skip(byte, State::TrailerName),
            (State::Line | State::TrailerName, _) => Err(TRAILER),
            (State::Trailer, _) => self.skip(byte, State::Trailer),
            (State::TrailerEnd, b'\n') => Ok(State::Line),
            (State::End, b'\n') => Ok(State::Done),
            _ => Err(LINE_END),
        }
    }

    /// Drops a byte of an extension or trailer.
    fn skip(&mut self, byte: u8, next: State) -> Result<State, Reject> {
        if byte == b'\n' {
            return Err(LINE_END);
        }
        if !is_value(byte) {
            return Err(CONTROL);
        }
        self.overhead += 1;
        if self.overhead > OVERHEAD_MAX {
            return Err(OVERHEAD);
        }
        Ok(next)
    }
}
