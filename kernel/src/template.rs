//! What an initialisation has left: the pages and the heap that every invocation of the function starts with.

use crate::catalog::Instance;
use crate::hw::memory::Frame;
use alloc::collections::BinaryHeap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use mayfly_abi::domain::{STACK_BASE, STACK_TOP};

/// Frozen pages. Each is shared by all instances that copy from it, and never written again.
pub(crate) struct Template {
    /// By address.
    pages: Vec<(u64, Arc<Frame>)>,
    heap_pages: u32,
}

impl Template {
    /// Of a function that starts as it lies in the image, with so many pages of heap.
    pub(crate) const fn new(heap_pages: u32) -> Self {
        Self { pages: Vec::new(), heap_pages }
    }

    /// Freezes what an instance has written. Its stack is of no use to anybody.
    pub(crate) fn freeze(instance: Instance) -> Self {
        let heap_pages = instance.space.heap_pages();
        let written = instance.domain.into_written().filter(|(address, _)| !(STACK_BASE..STACK_TOP).contains(address));
        let (addresses, mut frames): (Vec<_>, Vec<_>) = written.map(|(address, frame)| (address, Some(frame))).unzip();
        // A heap, because the sorts of slices are so much code.
        let order: BinaryHeap<_> = addresses.into_iter().zip(0..).collect();
        let sorted = order.into_sorted_vec().into_iter();
        let pages =
            sorted.filter_map(|(address, at): (u64, usize)| Some((address, Arc::new(frames[at].take()?)))).collect();
        Self { pages, heap_pages }
    }

    /// What the page at an address starts as, if the initialisation has written it.
    pub(crate) fn page(&self, address: u64) -> Option<Arc<Frame>> {
        let at = self.pages.binary_search_by_key(&address, |(of, _)| *of).ok()?;
        Some(Arc::clone(&self.pages[at].1))
    }

    /// Pages of heap.
    pub(crate) fn heap_pages(&self) -> u32 {
        self.heap_pages
    }
}
