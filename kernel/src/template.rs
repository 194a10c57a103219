//! What an initialisation has left: the pages and the heap that every invocation of the function starts with.

use crate::catalog::Instance;
use crate::hw::memory::Frame;
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
        let mut pages = Vec::new();
        for (address, frame) in instance.domain.into_written() {
            if !(STACK_BASE..STACK_TOP).contains(&address) {
                let at = pages.partition_point(|(of, _)| *of < address);
                pages.insert(at, (address, Arc::new(frame)));
            }
        }
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
