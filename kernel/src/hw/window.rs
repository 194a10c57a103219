//! A window: pages with an owner, lent to a domain for one invocation. A request or a response lives in one.
//!
//! A window brings its own lowest-level page tables, so lending it costs one entry for each 2 MiB. What a function
//! leaves in a response window never has to be copied to be sent, and its domain is free at once.

use super::memory::{Frame, Page, clear};
use super::tables::{Rights, SPAN, Table, Tables};
use alloc::boxed::Box;
use alloc::vec::Vec;
use mayfly_abi::PAGE;

const PAGE_LEN: usize = PAGE as usize;
/// Pages that one table maps.
const TABLE_PAGES: usize = (SPAN / PAGE) as usize;

/// Frames that a cleared window keeps room for.
const KEPT: usize = 16;

/// What a page that was never touched reads as.
static ZEROS: Page = [0; PAGE_LEN];

/// Memory is used up.
#[derive(Debug)]
pub(crate) struct OutOfFrames;

/// Pages of a request or response. Never empty; the first page is kept when a window is used again.
///
/// It goes through many hands, so only its place does.
pub(crate) struct Window(Box<Pages>);

struct Pages {
    rights: Rights,
    tables: Vec<Table>,
    /// The pages there are, with their numbers, in order. A page of a response that was not touched is not there.
    frames: Vec<(usize, Frame)>,
    /// Bytes from the start that the kernel may have written.
    written: usize,
}

impl Window {
    /// A window of one page that a function may use with `rights`.
    // Kept apart: inlined, it would be new code to the CPU for each kind of window.
    #[inline(never)]
    pub(crate) fn new(rights: Rights) -> Result<Self, OutOfFrames> {
        let pages = Pages { rights, tables: Vec::new(), frames: Vec::new(), written: 0 };
        let mut window = Self(Box::new(pages));
        window.page_mut(0)?;
        Ok(window)
    }

    /// The page with number `index`, made if it is not there.
    fn page_mut(&mut self, index: usize) -> Result<&mut Page, OutOfFrames> {
        while self.0.tables.len() <= index / TABLE_PAGES {
            self.0.tables.push(Table::new().ok_or(OutOfFrames)?);
        }
        let at = match self.place(index) {
            Ok(at) => at,
            Err(at) => {
                let frame = Frame::zeroed().ok_or(OutOfFrames)?;
                self.0.tables[index / TABLE_PAGES].map(index as u64 * PAGE, frame.physical(), self.0.rights);
                self.0.frames.insert(at, (index, frame));
                at
            }
        };
        Ok(&mut self.0.frames[at].1)
    }

    /// Where the page with number `index` is among the frames, or belongs.
    fn place(&self, index: usize) -> Result<usize, usize> {
        match self.0.frames.last() {
            // Most windows are one page, and pages mostly come in order.
            Some((last, _)) if *last == index => Ok(self.0.frames.len() - 1),
            Some((last, _)) if *last < index => Err(self.0.frames.len()),
            _ => self.0.frames.binary_search_by_key(&index, |(of, _)| *of),
        }
    }

    /// Makes the page with number `index` available to the function.
    pub(crate) fn touch(&mut self, index: usize) -> Result<(), OutOfFrames> {
        self.page_mut(index).map(|_| ())
    }

    /// Writes bytes at an offset.
    pub(crate) fn write(&mut self, mut offset: usize, mut bytes: &[u8]) -> Result<(), OutOfFrames> {
        self.0.written = self.0.written.max(offset + bytes.len());
        while !bytes.is_empty() {
            let at = offset % PAGE_LEN;
            let (now, later) = bytes.split_at(bytes.len().min(PAGE_LEN - at));
            self.page_mut(offset / PAGE_LEN)?[at..at + now.len()].copy_from_slice(now);
            offset += now.len();
            bytes = later;
        }
        Ok(())
    }

    /// The first `len` bytes, of the first page, to be changed.
    pub(crate) fn start_mut(&mut self, len: usize) -> &mut [u8] {
        self.0.written = self.0.written.max(len);
        // The first page is always there.
        &mut self.0.frames[0].1[..len]
    }

    /// As much of the bytes `offset..end` as lies in one page.
    pub(crate) fn chunk(&self, offset: usize, end: usize) -> &[u8] {
        let at = offset % PAGE_LEN;
        let len = (end - offset).min(PAGE_LEN - at);
        let page: &Page = self.place(offset / PAGE_LEN).map_or(&ZEROS, |at| &self.0.frames[at].1);
        &page[at..at + len]
    }

    /// Shows the window at `base` of a domain. Detached before the window goes anywhere else.
    pub(super) fn attach(&self, tables: &mut Tables, base: u64) {
        for (at, table) in self.0.tables.iter().enumerate() {
            tables.attach(base + at as u64 * SPAN, table);
        }
    }

    /// Hides the window again.
    pub(super) fn detach(&self, tables: &mut Tables, base: u64) {
        for at in 0..self.0.tables.len() {
            tables.detach(base + at as u64 * SPAN);
        }
    }

    /// A domain may hold translations of so many pages, from the first on.
    pub(super) fn pages(&self) -> usize {
        self.0.frames.last().map_or(0, |(last, _)| last + 1)
    }

    /// Frames that the window holds.
    pub(super) fn frames(&self) -> usize {
        self.0.frames.len() + self.0.tables.len()
    }

    /// Panics unless nothing is left of the owner before. The checking mode.
    pub(crate) fn verify(&self) {
        let clean = self.0.frames.iter().all(|(index, page)| *index == 0 && page.iter().all(|byte| *byte == 0));
        assert!(clean && self.0.written == 0, "a window was not cleared");
    }

    /// Forgets everything, for the next owner.
    pub(crate) fn clear(&mut self) {
        if self.0.frames.len() > 1 {
            for (index, _) in self.0.frames.drain(1..) {
                if index < TABLE_PAGES {
                    self.0.tables[0].unmap(index as u64 * PAGE);
                }
            }
            self.0.frames.shrink_to(KEPT);
            self.0.tables.truncate(1);
        }
        let written = self.0.written.min(PAGE_LEN);
        self.0.written = 0;
        let dirty = self.0.tables[0].take_dirty(0);
        if let Some((_, first)) = self.0.frames.first_mut() {
            if dirty {
                clear(first);
            } else {
                first[..written].fill(0);
            }
        }
    }
}
