//! The request and response windows: the only place where an address of the domain's map becomes memory.

use core::ptr::{with_exposed_provenance, with_exposed_provenance_mut};

use mayfly_abi::domain::{REQUEST_BASE, RESPONSE_BASE, RESPONSE_BODY, RESPONSE_HEADERS_MAX, RequestHead};
use mayfly_abi::wire::Wire;

use crate::request::Request;

/// The request as the kernel wrote it.
pub(crate) fn request() -> Request {
    let window = with_exposed_provenance::<u8>(REQUEST_BASE as usize);
    let body = RequestHead::get(head()).body;
    // SAFETY: the kernel has checked that the window reaches to the end of the body, which comes last; it is mapped, and
    // never written while the function runs.
    let window = unsafe { core::slice::from_raw_parts(window, body.offset as usize + body.len as usize) };
    Request::new(head(), window)
}

/// Where the response's headers and its body go. Both are empty: whoever asks a second time starts over.
pub(crate) fn response() -> (Area, Area) {
    let headers = with_exposed_provenance_mut(RESPONSE_BASE as usize);
    let body = with_exposed_provenance_mut((RESPONSE_BASE + RESPONSE_BODY) as usize);
    // SAFETY: the kernel maps the window for the headers and as much body as it says in the request, and no reference
    // into it is ever made.
    unsafe {
        (
            Area::new(headers, RESPONSE_HEADERS_MAX as usize),
            Area::new(body, RequestHead::get(head()).response_limit as usize),
        )
    }
}

/// The fixed part of the request.
fn head() -> &'static [u8; RequestHead::SIZE] {
    // SAFETY: the kernel maps at least a page there, and it is never written while the function runs.
    unsafe { &*with_exposed_provenance(REQUEST_BASE as usize) }
}

/// A run of bytes that is written from its start towards its end, and never read.
#[derive(Debug)]
pub(crate) struct Area {
    start: *mut u8,
    capacity: usize,
    len: usize,
}

impl Area {
    /// An empty area.
    ///
    /// # Safety
    /// `capacity` bytes at `start` can be written as long as the area is, and no reference points into them.
    pub(crate) unsafe fn new(start: *mut u8, capacity: usize) -> Self {
        Self { start, capacity, len: 0 }
    }

    /// Adds `bytes`, all of them or, if there is no room for all, none. Says whether it did.
    #[must_use]
    pub(crate) fn push(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > self.capacity - self.len {
            return false;
        }
        // SAFETY: there is room, nobody else holds the area's memory, so `bytes` lies elsewhere.
        unsafe { self.start.add(self.len).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        self.len += bytes.len();
        true
    }

    /// Forgets what was added after the first `len` bytes.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Bytes added.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Most bytes that can be added.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }
}
