//! A request on its way in: from a checked head to a window that holds all of it.

use crate::catalog::{Catalog, Room};
use crate::hw::window::{OutOfFrames, Window};
use crate::invocation::{Event, Source};
use crate::windows::Windows;
use core::mem::offset_of;
use mayfly_abi::ABI_VERSION;
use mayfly_abi::domain::{REQUEST_BYTES, RequestHead, Span};
use mayfly_abi::wire::Wire;
use mayfly_core::http::Reject;
use mayfly_core::http::chunked::Decoder;
use mayfly_core::http::head::{self, Framing, Head};
use mayfly_core::image::RecordError;

/// Why a request gets no further.
pub(crate) enum Stop {
    /// It breaks the protocol.
    Reject(Reject),
    /// There is no such function. Whether the connection can go on.
    NotFound { keep_alive: bool },
    /// The function's record is damaged.
    Damaged(RecordError),
    /// Its body exceeds the function's limit.
    TooLarge(u32),
    /// Memory is used up.
    Full,
}

impl From<Reject> for Stop {
    fn from(reject: Reject) -> Self {
        Self::Reject(reject)
    }
}

impl From<OutOfFrames> for Stop {
    fn from(OutOfFrames: OutOfFrames) -> Self {
        Self::Full
    }
}

/// Frames that a head may take: two pages of it, and a table.
const HEAD_FRAMES: u64 = 4;
/// Frames that what is taken at once of a body may take: all that a client may send ahead, and two tables.
const BODY_FRAMES: u64 = 20;

/// How the end of the body is found.
enum Rest {
    Bytes(u64),
    Chunks(Decoder),
}

/// A request whose body is arriving.
pub(crate) struct Incoming {
    function: usize,
    limit: u32,
    window: Window,
    start: usize,
    len: usize,
    awaits_leave: bool,
    short_of_memory: bool,
    rest: Rest,
}

impl Incoming {
    /// Opens a window with the head of a request for a function, and what that finds first in it.
    pub(crate) fn open(
        function: Option<usize>,
        head: &Head,
        bytes: &[u8],
        catalog: &mut Catalog,
        windows: &mut Windows,
    ) -> Result<Self, Stop> {
        let Some(function) = function else {
            let bodyless = matches!(head.framing, Framing::None | Framing::Length(0));
            return Err(Stop::NotFound { keep_alive: head.keep_alive && bodyless });
        };
        let limits = catalog.limits(function).map_err(Stop::Damaged)?;
        let rest = match head.framing {
            Framing::None => Rest::Bytes(0),
            Framing::Length(len) if len > u64::from(limits.request) => return Err(Stop::TooLarge(limits.request)),
            Framing::Length(len) => Rest::Bytes(len),
            Framing::Chunked => Rest::Chunks(Decoder::default()),
        };
        // A head never waits for memory: there is some that is promised to no invocation.
        if catalog.room_for(HEAD_FRAMES) == Room::Never {
            return Err(Stop::Full);
        }
        let mut window = catalog.with_room(|| windows.request())?;
        catalog.with_room(|| window.write(REQUEST_BYTES as usize, bytes))?;
        let start = REQUEST_BYTES as usize + bytes.len();
        let span = |start: u16, len: u16| Span { offset: REQUEST_BYTES as u32 + u32::from(start), len: len.into() };
        let whole = |of: head::Span| span(of.start, of.len);
        // Of the path, what lies below the route and its slash. `OPTIONS *` has a shorter one, but no route either.
        let route_len = 1 + head.route.len;
        let first = RequestHead {
            abi_version: ABI_VERSION,
            response_limit: limits.response,
            // Filled in by whoever starts the invocation.
            invocation: 0,
            method: whole(head.method_name),
            path: span(head.path.start + route_len, head.path.len - route_len),
            query: whole(head.query),
            headers: whole(head.headers),
            // Filled in once it is whole.
            body: Span { offset: 0, len: 0 },
            reserved: 0,
        };
        first.put(window.start_mut(RequestHead::SIZE));
        Ok(Self {
            function,
            limit: limits.request,
            window,
            start,
            len: 0,
            awaits_leave: head.expect_continue,
            short_of_memory: false,
            rest,
        })
    }

    /// Whether the client waits for leave to send its body.
    pub(crate) fn awaits_leave(&self) -> bool {
        self.awaits_leave && self.len == 0 && !self.is_whole()
    }

    /// Whether no more is needed.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.rest, Rest::Bytes(0))
    }

    /// Takes bytes that have arrived: how many of them belong to the body, and whether it is whole. While invocations hold all
    /// memory it takes none, and the client has to wait.
    pub(crate) fn receive(&mut self, bytes: &[u8], catalog: &mut Catalog) -> Result<(usize, bool), Stop> {
        if bytes.is_empty() || !self.has_room(catalog)? {
            return Ok((0, false));
        }
        self.take(bytes, catalog)
    }

    /// Whether what a segment or a client's window holds can be stored now. An error if it never can.
    fn has_room(&mut self, catalog: &Catalog) -> Result<bool, Stop> {
        let room = catalog.room_for(BODY_FRAMES);
        self.short_of_memory = room == Room::Later;
        if room == Room::Never { Err(Stop::Full) } else { Ok(room == Room::Now) }
    }

    /// Whether it is not the client who is slow: there was no memory for more.
    pub(crate) fn short_of_memory(&self) -> bool {
        self.short_of_memory
    }

    /// Takes bytes that belong to the body: how many, and whether it is whole.
    fn take(&mut self, bytes: &[u8], catalog: &mut Catalog) -> Result<(usize, bool), Stop> {
        let (window, start, len, limit) = (&mut self.window, self.start, &mut self.len, self.limit);
        let mut store = |bytes: &[u8]| -> Result<(), Stop> {
            if bytes.len() > limit as usize - *len {
                return Err(Stop::TooLarge(limit));
            }
            catalog.with_room(|| window.write(start + *len, bytes))?;
            *len += bytes.len();
            Ok(())
        };
        match &mut self.rest {
            Rest::Bytes(left) => {
                let now = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                store(&bytes[..now])?;
                *left -= now as u64;
                Ok((now, *left == 0))
            }
            Rest::Chunks(decoder) => {
                let progress = decoder.feed(bytes, store)?;
                Ok((progress.consumed, progress.done))
            }
        }
    }

    /// The request, which is whole.
    pub(crate) fn finish(mut self, source: Source) -> Event {
        let body = Span { offset: self.start as u32, len: self.len as u32 };
        body.put(&mut self.window.start_mut(RequestHead::SIZE)[offset_of!(RequestHead, body)..]);
        Event { source, function: self.function, request: self.window, request_len: (self.start + self.len) as u64 }
    }
}
