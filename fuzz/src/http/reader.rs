//! A connection as the kernel reads one: head, body, next head, with as much as has arrived.

use mayfly_core::http::Reject;
use mayfly_core::http::chunked::Decoder;
use mayfly_core::http::head::{self, Framing, Head};

/// Most bytes of a body.
pub(super) const BODY_LIMIT: usize = 256;

/// What came of the bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A request that is complete.
    Request(Request),
    /// One that breaks the protocol. Nothing is read after it.
    Refused(Reject),
    /// One whose body exceeds [`BODY_LIMIT`]. Nothing is read after it.
    TooLarge,
}

/// A complete request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// The bytes of its head.
    pub(super) bytes: Vec<u8>,
    pub(super) head: Head,
    pub(super) body: Vec<u8>,
}

/// A connection on which bytes arrive.
#[derive(Debug)]
pub(super) struct Reader {
    /// Bytes that were not needed yet.
    input: Vec<u8>,
    /// How many of them are known not to end a head.
    searched: usize,
    open: Option<(Request, Rest)>,
    events: Vec<Event>,
}

/// How the end of the body is found.
#[derive(Debug)]
enum Rest {
    Bytes(u64),
    Chunks(Decoder),
}

/// Why nothing more is read.
enum Stop {
    Refused(Reject),
    TooLarge,
}

impl From<Reject> for Stop {
    fn from(reject: Reject) -> Self {
        Self::Refused(reject)
    }
}

impl PartialEq for Reader {
    /// Whether the same came of both, and the same of what is not complete. How far was searched does not count.
    fn eq(&self, other: &Self) -> bool {
        let open = |reader: &Self| reader.open.as_ref().map(|(request, _)| request.body.clone());
        (&self.events, &self.input, open(self)) == (&other.events, &other.input, open(other))
    }
}

impl Reader {
    pub(super) fn new() -> Self {
        Self { input: Vec::new(), searched: 0, open: None, events: Vec::new() }
    }

    pub(super) fn events(&self) -> &[Event] {
        &self.events
    }

    /// Takes the bytes that arrive next.
    pub(super) fn feed(&mut self, piece: &[u8]) {
        if matches!(self.events.last(), Some(Event::Refused(_) | Event::TooLarge)) {
            return;
        }
        self.input.extend_from_slice(piece);
        loop {
            match self.step() {
                Ok(true) => {}
                Ok(false) => return,
                Err(stop) => {
                    self.events.push(match stop {
                        Stop::Refused(reject) => Event::Refused(reject),
                        Stop::TooLarge => Event::TooLarge,
                    });
                    (self.open, self.input) = (None, Vec::new());
                    return;
                }
            }
        }
    }

    /// One head or one body, if all of it is there.
    fn step(&mut self) -> Result<bool, Stop> {
        let Some((request, rest)) = &mut self.open else {
            let Some((head, len)) = head::parse(&self.input, self.searched)? else {
                self.searched = self.input.len();
                return Ok(false);
            };
            let rest = match head.framing {
                Framing::None => Rest::Bytes(0),
                Framing::Length(len) if len > BODY_LIMIT as u64 => return Err(Stop::TooLarge),
                Framing::Length(len) => Rest::Bytes(len),
                Framing::Chunked => Rest::Chunks(Decoder::default()),
            };
            let bytes = self.input.drain(..len).collect();
            self.open = Some((Request { bytes, head, body: Vec::new() }, rest));
            self.searched = 0;
            return Ok(true);
        };
        let store = |bytes: &[u8]| {
            if request.body.len() + bytes.len() > BODY_LIMIT {
                return Err(Stop::TooLarge);
            }
            request.body.extend_from_slice(bytes);
            Ok(())
        };
        let (consumed, done) = match rest {
            Rest::Bytes(left) => {
                let now = self.input.len().min(*left as usize);
                let mut store = store;
                store(&self.input[..now])?;
                *left -= now as u64;
                (now, *left == 0)
            }
            Rest::Chunks(decoder) => {
                let progress = decoder.feed(&self.input, store)?;
                (progress.consumed, progress.done)
            }
        };
        self.input.drain(..consumed);
        if done {
            self.events.extend(self.open.take().map(|(request, _)| Event::Request(request)));
        }
        Ok(done)
    }
}
