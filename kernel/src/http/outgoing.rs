//! An answer on its way out: a head, and a body that is sent from the window where the function wrote it.

use crate::hw::window::Window;
use alloc::vec;
use alloc::vec::Vec;
use mayfly_abi::domain::{RESPONSE_BODY, RESPONSE_HEADERS_MAX};
use mayfly_core::http::answer::{ANSWER_MAX, Answer};
use mayfly_core::http::response::{HEAD_ROOM, may_have_body, write_head};
use smoltcp::socket::tcp;

/// Where the function's header lines and body lie in its window.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers_len: u32,
    pub(crate) body_len: u32,
    pub(crate) window: Window,
}

/// An answer that is being sent.
pub(crate) struct Outgoing {
    head: Vec<u8>,
    head_sent: usize,
    body: Option<Body>,
}

struct Body {
    window: Window,
    next: usize,
    end: usize,
}

impl Outgoing {
    /// A function's response. `head` is a buffer to use; what it holds does not matter.
    pub(crate) fn response(response: Response, mut head: Vec<u8>, head_only: bool, keep_alive: bool) -> Self {
        let Response { status, headers_len, body_len, window } = response;
        let headers = window.chunk(0, headers_len as usize);
        head.clear();
        head.resize(HEAD_ROOM + headers.len(), 0);
        let body_len = if may_have_body(status) { body_len } else { 0 };
        let len = write_head(&mut head, status, headers, u64::from(body_len), keep_alive);
        let Some(len) = len else { panic!("a response head outgrew its room") };
        head.truncate(len);
        let end = RESPONSE_BODY as usize + if head_only { 0 } else { body_len as usize };
        Self { head, head_sent: 0, body: Some(Body { window, next: RESPONSE_BODY as usize, end }) }
    }

    /// The kernel's own answer.
    pub(crate) fn answer(answer: &Answer<'_>, head_only: bool, keep_alive: bool) -> Self {
        let mut head = vec![0; ANSWER_MAX];
        let len = answer.write(&mut head, head_only, keep_alive);
        head.truncate(len);
        // Room for the longest answer, of which most use a little.
        head.shrink_to_fit();
        Self { head, head_sent: 0, body: None }
    }

    /// Hands as much as fits to the socket. True once it has everything.
    pub(crate) fn send(&mut self, socket: &mut tcp::Socket<'static>) -> bool {
        while self.head_sent < self.head.len() {
            match socket.send_slice(&self.head[self.head_sent..]) {
                Ok(0) | Err(_) => return false,
                Ok(sent) => self.head_sent += sent,
            }
        }
        let Some(body) = &mut self.body else { return true };
        while body.next < body.end {
            match socket.send_slice(body.window.chunk(body.next, body.end)) {
                Ok(0) | Err(_) => return false,
                Ok(sent) => body.next += sent,
            }
        }
        true
    }

    /// Bytes handed over so far, to see whether a slow client reads.
    pub(crate) fn progress(&self) -> usize {
        self.head_sent + self.body.as_ref().map_or(0, |body| body.next)
    }

    /// The buffer, and the window that the body was sent from.
    pub(crate) fn into_parts(self) -> (Vec<u8>, Option<Window>) {
        (self.head, self.body.map(|body| body.window))
    }
}

// The header lines are read as one chunk, so they must lie in one page.
const _: () = assert!(RESPONSE_HEADERS_MAX <= mayfly_abi::PAGE);
