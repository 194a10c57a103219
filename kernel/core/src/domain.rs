//! What belongs where in a domain: the meaning of a page that is not there, the heap's growth, and the memory that a
//! function may point to in a call.

use core::ops::Range;

use mayfly_abi::PAGE;
use mayfly_abi::call::Code;
use mayfly_abi::domain::{HEAP_BASE, REQUEST_BASE, RESPONSE_BASE, RESPONSE_BODY, STACK_BASE, STACK_TOP};
use mayfly_abi::image::SEGMENTS;

use crate::claim::Region;
use crate::image::{Plan, Rights, Segment};

/// Regions of a domain: its segments, stack, heap, and the two windows.
pub const REGIONS: usize = SEGMENTS + 4;

/// What a page that is not mapped yet turns out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// A page of the domain's own: it starts as these bytes of the bundle, zeros after them.
    Private {
        /// Address of the page.
        page: u64,
        /// Where its first bytes lie in the bundle; empty if it starts as zeros.
        origin: Range<usize>,
    },
    /// A page of the response window, counted from the window's start.
    Response {
        /// Number of the page.
        index: usize,
    },
}

/// The memory of one domain, as far as it is decided: the function's plan, and how far its heap has grown.
#[derive(Clone, Debug)]
pub struct Space<'a> {
    plan: Plan<'a>,
    /// Pages of heap that an invocation starts with.
    heap_start: u32,
    heap_pages: u32,
    request_len: u64,
}

impl<'a> Space<'a> {
    /// The memory of a domain for the function that `plan` describes. An initialisation has left `heap_start` pages of
    /// heap, which count towards the limit like all others.
    pub fn new(plan: Plan<'a>, heap_start: u32) -> Self {
        Self { plan, heap_start, heap_pages: heap_start, request_len: 0 }
    }

    /// The function's plan.
    pub fn plan(&self) -> &Plan<'a> {
        &self.plan
    }

    /// Starts an invocation whose request window holds `request_len` bytes. The heap is as at first.
    pub fn start(&mut self, request_len: u64) {
        self.heap_pages = self.heap_start;
        self.request_len = request_len;
    }

    /// Pages of heap that there are now.
    pub fn heap_pages(&self) -> u32 {
        self.heap_pages
    }

    /// First address behind the heap that an invocation starts with.
    pub fn heap_start(&self) -> u64 {
        HEAP_BASE + u64::from(self.heap_start) * PAGE
    }

    /// What the page at `address` would be, if the function may have one there that was not made yet.
    pub fn missing(&self, address: u64) -> Option<Missing> {
        let page = address & !(PAGE - 1);
        if (RESPONSE_BASE..self.response_end()).contains(&address) {
            return Some(Missing::Response { index: ((page - RESPONSE_BASE) / PAGE) as usize });
        }
        let segment =
            self.plan.segments().iter().find(|segment| {
                segment.rights == Rights::ReadWrite && (segment.address..end(segment)).contains(&address)
            });
        let Some(segment) = segment else {
            let has = (STACK_BASE..STACK_TOP).contains(&address) || (HEAP_BASE..self.heap_end()).contains(&address);
            return has.then_some(Missing::Private { page, origin: 0..0 });
        };
        let from = page - segment.address;
        let len = u64::from(segment.file_len).saturating_sub(from).min(PAGE);
        let start = (segment.offset + from) as usize;
        Some(Missing::Private { page, origin: if len == 0 { 0..0 } else { start..start + len as usize } })
    }

    /// Adds `pages` to the end of the heap and returns where they start, or refuses by the function's memory limit.
    ///
    /// Data and heap count towards the limit. The stack does not: it has a bound of its own.
    pub fn grow(&mut self, pages: u32) -> Result<u64, Code> {
        let data = self.plan.data_pages;
        let left = self.plan.limits.memory_pages.saturating_sub(data).saturating_sub(self.heap_pages);
        if pages > left {
            return Err(Code::OutOfMemory);
        }
        let start = self.heap_end();
        self.heap_pages += pages;
        Ok(start)
    }

    /// Everything the function may point to in a call.
    pub fn regions(&self) -> [Region; REGIONS] {
        let mut regions = [Region { start: 0, end: 0, writable: false }; REGIONS];
        regions[0] = Region { start: STACK_BASE, end: STACK_TOP, writable: true };
        regions[1] = Region { start: HEAP_BASE, end: self.heap_end(), writable: true };
        regions[2] = Region { start: REQUEST_BASE, end: REQUEST_BASE + self.request_len, writable: false };
        regions[3] = Region { start: RESPONSE_BASE, end: self.response_end(), writable: true };
        for (region, segment) in regions[4..].iter_mut().zip(self.plan.segments()) {
            let writable = segment.rights == Rights::ReadWrite;
            *region = Region { start: segment.address, end: end(segment), writable };
        }
        regions
    }

    fn heap_end(&self) -> u64 {
        HEAP_BASE + u64::from(self.heap_pages) * PAGE
    }

    fn response_end(&self) -> u64 {
        RESPONSE_BASE + RESPONSE_BODY + u64::from(self.plan.limits.response)
    }
}

fn end(segment: &Segment) -> u64 {
    segment.address + u64::from(segment.pages) * PAGE
}
