//! An answer on its way out. It stays here, where the function wrote it, until the client has all of it.

use crate::hw::heap;
use crate::hw::window::Window;
use alloc::vec::Vec;
use core::ops::Range;
use mayfly_abi::domain::{RESPONSE_BODY, RESPONSE_HEADERS_MAX};
use mayfly_core::http::answer::{ANSWER_MAX, ANSWER_SHORT, Answer, FULL};
use mayfly_core::http::response::{CONTINUE, HEAD_ROOM, may_have_body, write_head};

/// Where the function's header lines and body lie in its window.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers_len: u32,
    pub(crate) body_len: u32,
    pub(crate) window: Window,
}

enum Bytes {
    /// Written by a function, but for what the kernel added between its headers and its body.
    Window(Window),
    /// The kernel's own.
    Buffer(Vec<u8>),
    Fixed(&'static [u8]),
}

/// An answer that is being sent.
pub(crate) struct Outgoing {
    bytes: Bytes,
    /// What of them is still to reach the client.
    left: Range<usize>,
}

impl Outgoing {
    /// A function's response.
    pub(crate) fn response(response: Response, head_only: bool, keep_alive: bool) -> Self {
        let Response { status, headers_len, body_len, mut window } = response;
        let body_len = if may_have_body(status) { body_len } else { 0 };
        let room = window.start_mut(RESPONSE_BODY as usize);
        let start = write_head(room, headers_len as usize, status, u64::from(body_len), keep_alive);
        let end = RESPONSE_BODY as usize + if head_only { 0 } else { body_len as usize };
        Self { bytes: Bytes::Window(window), left: start..end }
    }

    /// The kernel's own answer, if there is memory for it.
    pub(crate) fn answer(answer: &Answer<'_>, head_only: bool, keep_alive: bool) -> Option<Self> {
        if heap::is_full() {
            return None;
        }
        // What is left of a heap that was nearly full has to do for an answer on each connection.
        let most = if heap::is_nearly_full() { ANSWER_SHORT } else { ANSWER_MAX };
        let mut room = room_for(most)?;
        room.resize(most, 0);
        let lies = answer.write(&mut room, head_only, keep_alive);
        // Room for the longest answer, of which most use a little.
        let mut bytes = room_for(lies.len())?;
        bytes.extend_from_slice(&room[lies]);
        Some(Self { left: 0..bytes.len(), bytes: Bytes::Buffer(bytes) })
    }

    /// The answer for which there always is memory.
    pub(crate) fn full() -> Self {
        Self { bytes: Bytes::Fixed(FULL), left: 0..FULL.len() }
    }

    /// Leave to send a body.
    pub(crate) fn leave() -> Self {
        Self { bytes: Bytes::Fixed(CONTINUE), left: 0..CONTINUE.len() }
    }

    /// Bytes that are still to reach the client.
    pub(crate) fn len(&self) -> usize {
        self.left.len()
    }

    /// Copies what lies `offset` bytes behind the first of them, as far as there is any: how many bytes.
    pub(crate) fn read(&self, offset: usize, out: &mut [u8]) -> usize {
        let mut from = self.left.start + offset;
        let end = self.left.end.min(from + out.len());
        let mut done = 0;
        while from < end {
            let piece = match &self.bytes {
                Bytes::Window(window) => window.chunk(from, end),
                Bytes::Buffer(bytes) => &bytes[from..end],
                Bytes::Fixed(bytes) => &bytes[from..end],
            };
            out[done..done + piece.len()].copy_from_slice(piece);
            done += piece.len();
            from += piece.len();
        }
        done
    }

    /// The client has `len` more bytes.
    pub(crate) fn advance(&mut self, len: usize) {
        self.left.start += len;
    }

    /// The window that it was sent from.
    pub(crate) fn into_window(self) -> Option<Window> {
        match self.bytes {
            Bytes::Window(window) => Some(window),
            Bytes::Buffer(_) | Bytes::Fixed(_) => None,
        }
    }
}

/// An empty buffer for so many bytes, if there is memory for it.
fn room_for(len: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).ok()?;
    Some(bytes)
}

// The head is written in one piece, so that must lie in one page.
const _: () = assert!(RESPONSE_BODY <= mayfly_abi::PAGE);
const _: () = assert!(RESPONSE_HEADERS_MAX as usize + HEAD_ROOM <= RESPONSE_BODY as usize);
