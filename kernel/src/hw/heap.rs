//! The kernel's heap. Thousands of functions in use mean thousands of small blocks, so those that come back are kept by
//! size: the heap below looks through all its holes in turn, and would have as many.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::NonNull;
use linked_list_allocator::Heap;
use spin::Mutex;

/// Small blocks have a multiple of this size, and lie at a multiple of it.
const UNIT: usize = 64;
/// Sizes of small blocks: up to 2 KiB.
const SIZES: usize = 32;

/// All blocks that nobody has.
struct Blocks {
    /// Of small blocks, one list for each size: each block starts with the next one's address.
    small: [Option<NonNull<u8>>; SIZES],
    /// Bytes of them.
    listed: usize,
    rest: Heap,
}

// SAFETY: nobody else has the blocks on the lists.
unsafe impl Send for Blocks {}

impl Blocks {
    /// A block from a list.
    fn take(&mut self, list: usize) -> Option<NonNull<u8>> {
        let block = self.small[list]?;
        // SAFETY: a block on a list is nobody's, and starts as `dealloc` has left it.
        self.small[list] = unsafe { block.cast().read() };
        self.listed -= (list + 1) * UNIT;
        Some(block)
    }
}

struct KernelHeap(Mutex<Blocks>);

#[global_allocator]
static HEAP: KernelHeap = KernelHeap(Mutex::new(Blocks { small: [None; SIZES], listed: 0, rest: Heap::empty() }));

/// Gives memory to the heap, for good.
///
/// # Safety
///
/// The memory is the caller's to give, and this is called once.
pub(super) unsafe fn init(start: *mut u8, len: usize) {
    // SAFETY: the caller vouches for it.
    unsafe { HEAP.0.lock().rest.init(start, len) };
}

/// Whether so much of it is in use that what is left is for connections.
pub(crate) fn is_crowded() -> bool {
    let blocks = HEAP.0.lock();
    blocks.rest.free() + blocks.listed < blocks.rest.size() / 2
}

/// Whether so much of it was ever in use that nothing more is kept for anybody: what is left is for connections themselves,
/// which together take a quarter of it, and for answers.
#[inline(never)]
pub(crate) fn is_nearly_full() -> bool {
    let blocks = HEAP.0.lock();
    blocks.rest.free() < blocks.rest.size() * 3 / 8
}

/// Whether what is left is for those that run, which are not refused any more.
#[inline(never)]
pub(crate) fn is_full() -> bool {
    let blocks = HEAP.0.lock();
    blocks.rest.free() + blocks.listed < blocks.rest.size() / 16
}

/// Which list a block of this layout belongs to, and the layout that all blocks of that list have; none if it is not small.
fn small(layout: Layout) -> Option<(usize, Layout)> {
    let units = layout.size().div_ceil(UNIT);
    let list = units.checked_sub(1).filter(|list| *list < SIZES && layout.align() <= UNIT)?;
    Some((list, Layout::from_size_align(units * UNIT, UNIT).ok()?))
}

// SAFETY: every block comes from the locked heap, which hands each out once and aligned as asked.
unsafe impl GlobalAlloc for KernelHeap {
    // Kept apart: inlined, it would be new code to the CPU at each place that allocates.
    #[inline(never)]
    unsafe fn alloc(&self, mut layout: Layout) -> *mut u8 {
        let mut blocks = self.0.lock();
        let list = match small(layout) {
            Some((list, whole)) => {
                if let Some(block) = blocks.take(list) {
                    return block.as_ptr();
                }
                layout = whole;
                list
            }
            None => SIZES,
        };
        let mut block = blocks.rest.allocate_first_fit(layout).ok();
        if block.is_none() {
            // A block that is too long is better than none. It is short from now on.
            block = (list + 1..SIZES).find_map(|list| blocks.take(list));
        }
        block.map_or(core::ptr::null_mut(), NonNull::as_ptr)
    }

    #[inline(never)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let mut blocks = self.0.lock();
        // SAFETY: the caller gives back a block of this heap, which is never null.
        let block = unsafe { NonNull::new_unchecked(block) };
        match small(layout) {
            Some((list, whole)) => {
                // SAFETY: the block is nobody's any more, and long enough and aligned for an address.
                unsafe { block.cast().write(blocks.small[list]) };
                blocks.small[list] = Some(block);
                blocks.listed += whole.size();
            }
            // SAFETY: it came from there, with this layout.
            None => unsafe { blocks.rest.deallocate(block, layout) },
        }
    }
}
