//! Windows that wait to be used again: a small stock of each kind, already cleared.

use crate::hw::tables::Rights;
use crate::hw::window::{OutOfFrames, Window};
use alloc::vec::Vec;

/// Windows of each kind that are kept.
const KEPT: usize = 32;

/// The stock.
pub(crate) struct Windows {
    requests: Vec<Window>,
    responses: Vec<Window>,
    /// Check each window after it was cleared.
    verify: bool,
}

impl Windows {
    pub(crate) const fn new(verify: bool) -> Self {
        Self { requests: Vec::new(), responses: Vec::new(), verify }
    }

    /// A window that a function may read.
    pub(crate) fn request(&mut self) -> Result<Window, OutOfFrames> {
        self.requests.pop().map_or_else(|| Window::new(Rights::Constant), Ok)
    }

    /// A window that a function may write.
    pub(crate) fn response(&mut self) -> Result<Window, OutOfFrames> {
        self.responses.pop().map_or_else(|| Window::new(Rights::Data), Ok)
    }

    /// Takes back a window that came from [`Windows::request`].
    pub(crate) fn keep_request(&mut self, window: Window) {
        keep(&mut self.requests, window, self.verify);
    }

    /// Takes back a window that came from [`Windows::response`].
    pub(crate) fn keep_response(&mut self, window: Window) {
        keep(&mut self.responses, window, self.verify);
    }
}

#[inline]
fn keep(stock: &mut Vec<Window>, mut window: Window, verify: bool) {
    if stock.len() < KEPT {
        window.clear();
        if verify {
            window.verify();
        }
        stock.push(window);
    }
}
