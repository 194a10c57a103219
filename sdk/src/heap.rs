//! The heap: a linked list of holes over memory that the Grow call adds page by page.
//!
//! Nothing is asked of the kernel, and no page is written, before the first allocation.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::NonNull;

use mayfly_abi::call::Code;
use mayfly_abi::page_up;

use crate::call;

/// Least that the heap grows by, in bytes, if the memory limit allows it: a call costs more than a page.
const STEP: u64 = 64 << 10;
/// More than the allocator needs beside an allocation, in bytes: a hole's header before it and one behind it.
const HEADERS: u64 = 64;

/// The function's allocator. [`function!`](crate::function!) makes the one there is.
#[derive(Debug)]
pub struct Heap(UnsafeCell<linked_list_allocator::Heap>);

// SAFETY: a domain has one thread.
unsafe impl Sync for Heap {}

impl Heap {
    /// An empty heap.
    #[expect(clippy::new_without_default, reason = "a `static` needs a const constructor")]
    pub const fn new() -> Self {
        Self(UnsafeCell::new(linked_list_allocator::Heap::empty()))
    }
}

// SAFETY: the allocator behind it gives out each byte once until it is freed, and refuses by `Err`, never by panic.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: one thread, and neither the allocator nor the Grow call allocates: no other reference is alive.
        let heap = unsafe { &mut *self.0.get() };
        heap.allocate_first_fit(layout)
            .or_else(|()| grow(heap, layout).and_then(|()| heap.allocate_first_fit(layout)))
            .map_or(core::ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, allocation: *mut u8, layout: Layout) {
        // SAFETY: as in `alloc`.
        let heap = unsafe { &mut *self.0.get() };
        // SAFETY: the caller vouches that `alloc` gave out `allocation`, which is therefore not null, for this layout.
        unsafe { heap.deallocate(NonNull::new_unchecked(allocation), layout) }
    }
}

/// Adds memory for at least one allocation of `layout`: a step, or just what is needed where a step is too much.
fn grow(heap: &mut linked_list_allocator::Heap, layout: Layout) -> Result<(), ()> {
    let needed = page_up(layout.size() as u64 + layout.align() as u64 + HEADERS);
    let ask = |bytes: u64| call::grow(bytes as usize).map(|start| (start, bytes as usize));
    let (start, len) = match ask(needed.max(STEP)) {
        Err(Code::OutOfMemory) if needed < STEP => ask(needed),
        answer => answer,
    }
    .map_err(|_| ())?;
    if heap.bottom().is_null() {
        // SAFETY: the kernel has just mapped these bytes for us, until the domain ends.
        unsafe { heap.init(start, len) };
    } else {
        // SAFETY: as above, and each Grow starts where the one before it ended.
        unsafe { heap.extend(len) };
    }
    Ok(())
}
