//! A window: pages with an owner, lent to a domain for one invocation. A request or a response lives in one.
//!
//! A window brings its own lowest-level page tables, so lending it costs one entry for each 2 MiB. What a function
//! leaves in a response window never has to be copied to be sent, and its domain is free at once.

use super::heap;
use super::memory::{Frame, Page, clear};
use super::tables::{Rights, SPAN, Table, Tables};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem::take;
use mayfly_abi::PAGE;

const PAGE_LEN: usize = PAGE as usize;
/// Pages that one table maps.
const TABLE_PAGES: usize = (SPAN / PAGE) as usize;

/// Frames that a cleared window keeps room for.
const KEPT: usize = 16;

/// What a page that was never touched reads as. Read-only like other constants, but not in the image's file (link.ld).
#[unsafe(link_section = ".bss.zeros")]
static ZEROS: Page = [0; PAGE_LEN];

/// Memory is used up.
#[derive(Debug)]
pub(crate) struct OutOfFrames;

/// Pages of a request or response. The first one is always there, and kept when a window is used again.
///
/// It goes through many hands, so only its place does.
pub(crate) struct Window(Box<Pages>);

struct Pages {
    rights: Rights,
    /// Maps the first 2 MiB, and the first page of them: most windows are no more.
    table: Table,
    first: Frame,
    more_tables: Vec<Table>,
    /// The other pages there are, with their numbers, in order. One that was not touched is not there.
    more: Vec<(usize, Frame)>,
    /// Bytes from the start that the kernel may have written.
    written: usize,
}

impl Window {
    /// A window of one page that a function may use with `rights`.
    // Kept apart: inlined, it would be new code to the CPU for each kind of window.
    #[inline(never)]
    pub(crate) fn new(rights: Rights) -> Result<Self, OutOfFrames> {
        if heap::is_full() {
            return Err(OutOfFrames);
        }
        let (mut table, first) = (Table::new().ok_or(OutOfFrames)?, Frame::zeroed().ok_or(OutOfFrames)?);
        table.map(0, first.physical(), rights);
        Ok(Self(Box::new(Pages { rights, table, first, more_tables: Vec::new(), more: Vec::new(), written: 0 })))
    }

    /// The page with number `index`, made if it is not there.
    fn page_mut(&mut self, index: usize) -> Result<&mut Page, OutOfFrames> {
        if index == 0 { Ok(&mut self.0.first) } else { self.further_page_mut(index) }
    }

    #[inline(never)]
    fn further_page_mut(&mut self, index: usize) -> Result<&mut Page, OutOfFrames> {
        while self.0.more_tables.len() < index / TABLE_PAGES {
            self.0.more_tables.push(Table::new().ok_or(OutOfFrames)?);
        }
        let at = match self.place(index) {
            Ok(at) => at,
            Err(at) => {
                self.0.more.try_reserve(1).map_err(|_| OutOfFrames)?;
                let frame = Frame::zeroed().ok_or(OutOfFrames)?;
                let table = match index / TABLE_PAGES {
                    0 => &mut self.0.table,
                    further => &mut self.0.more_tables[further - 1],
                };
                table.map(index as u64 * PAGE, frame.physical(), self.0.rights);
                self.0.more.insert(at, (index, frame));
                at
            }
        };
        Ok(&mut self.0.more[at].1)
    }

    /// Where the page with number `index`, not the first, is among the others, or belongs.
    fn place(&self, index: usize) -> Result<usize, usize> {
        match self.0.more.last() {
            // Pages mostly come in order.
            Some((last, _)) if *last == index => Ok(self.0.more.len() - 1),
            Some((last, _)) if *last > index => self.0.more.binary_search_by_key(&index, |(of, _)| *of),
            _ => Err(self.0.more.len()),
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
        &mut self.0.first[..len]
    }

    /// As much of the bytes `offset..end` as lies in one page.
    pub(crate) fn chunk(&self, offset: usize, end: usize) -> &[u8] {
        let at = offset % PAGE_LEN;
        let len = (end - offset).min(PAGE_LEN - at);
        let page: &Page = match offset / PAGE_LEN {
            0 => &self.0.first,
            index => self.place(index).map_or(&ZEROS, |at| &self.0.more[at].1),
        };
        &page[at..at + len]
    }

    /// Shows the window at `base` of a domain. Detached before the window goes anywhere else.
    pub(super) fn attach(&self, tables: &mut Tables, base: u64) {
        tables.attach(base, &self.0.table);
        for (at, table) in self.0.more_tables.iter().enumerate() {
            tables.attach(base + (at as u64 + 1) * SPAN, table);
        }
    }

    /// Hides the window again.
    pub(super) fn detach(&self, tables: &mut Tables, base: u64) {
        tables.detach(base);
        for at in 1..=self.0.more_tables.len() {
            tables.detach(base + at as u64 * SPAN);
        }
    }

    /// A domain may hold translations of so many pages, from the first on.
    pub(super) fn pages(&self) -> usize {
        self.0.more.last().map_or(0, |(last, _)| *last) + 1
    }

    /// Frames that the window holds.
    pub(super) fn frames(&self) -> usize {
        2 + self.0.more.len() + self.0.more_tables.len()
    }

    /// Panics unless nothing is left of the owner before. The checking mode.
    pub(crate) fn verify(&self) {
        let Pages { first, more, written, .. } = &*self.0;
        let clean = more.is_empty() && *written == 0 && first.iter().all(|byte| *byte == 0);
        assert!(clean, "a window was not cleared");
    }

    /// Forgets everything, for the next owner.
    pub(crate) fn clear(&mut self) {
        let Pages { table, first, more_tables, more, written, .. } = &mut *self.0;
        if !more.is_empty() {
            for (index, _) in more.drain(..) {
                if index < TABLE_PAGES {
                    table.unmap(index as u64 * PAGE);
                }
            }
            more.shrink_to(KEPT);
            more_tables.clear();
        }
        let written = take(written).min(PAGE_LEN);
        if table.take_dirty(0) {
            clear(first);
        } else {
            first[..written].fill(0);
        }
    }
}
