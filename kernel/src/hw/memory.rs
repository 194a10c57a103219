//! Page frames, and where the kernel heap gets its own. A [`Frame`] is owned by one value at a time and goes back when that is dropped.
//!
//! Frames are handed out in order of address, and nothing is cleared at boot. A frame is cleared when it is handed out,
//! unless it never was and the command line says that the machine started with zeros.

use super::cpu::direct;
use super::traps::Traps;
use super::{cpu, exit, heap, ledger, tables};
use bootloader_api::BootInfo;
use bootloader_api::info::{FrameBuffer, MemoryRegionKind};
use core::arch::asm;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;
use mayfly_abi::PAGE;
use mayfly_abi::boot::{DEVICES, DIRECT_MAP_LEN, DIRECT_MAP_MAX};
use mayfly_abi::paging::{DEVICE, READ_WRITE};
use mayfly_core::command_line::CommandLine;
use spin::Mutex;

/// Bytes of a frame.
pub(crate) type Page = [u8; PAGE as usize];

/// Runs of usable memory that are kept: firmware leaves a dozen or two.
const RUNS: usize = 32;
/// Least memory with which the kernel starts, above the image.
const LEAST: u64 = 3 << 20;

/// Fills a page with zeros: in half as many instructions as `rep stosq`, which the compiler would make of a loop.
#[inline(never)]
pub(crate) fn clear(page: &mut Page) {
    // SAFETY: 256 times 16 bytes are the page, which is aligned.
    unsafe {
        asm!(
            "xorps {zero}, {zero}",
            ".set mayfly_at, 0",
            ".rept 256",
            "movaps [{page} + mayfly_at], {zero}",
            ".set mayfly_at, mayfly_at + 16",
            ".endr",
            zero = out(xmm_reg) _,
            page = in(reg) page.as_mut_ptr(),
            options(nostack, preserves_flags),
        );
    }
}

/// One page of physical memory, and the right to it.
pub(crate) struct Frame(NonNull<Page>);

// SAFETY: a frame is plain memory that one value owns; the direct map shows it to every core alike.
unsafe impl Send for Frame {}
// SAFETY: a shared frame is only read.
unsafe impl Sync for Frame {}

struct Pool {
    /// Memory never handed out: runs as `(next, end)`, physical.
    fresh: [(u64, u64); RUNS],
    /// Physical address of the first frame that came back, 0 if none; each holds the address of the next.
    returned: u64,
    used: u64,
    total: u64,
    /// Runs that were added.
    runs: usize,
    /// Bytes of the longest of them.
    longest: u64,
    /// Memory never handed out is zero.
    starts_zeroed: bool,
}

static POOL: Mutex<Pool> = Mutex::new(Pool {
    fresh: [(0, 0); RUNS],
    returned: 0,
    used: 0,
    total: 0,
    runs: 0,
    longest: 0,
    starts_zeroed: false,
});

impl Frame {
    /// A frame full of zeros, or `None` if memory is used up.
    pub(crate) fn zeroed() -> Option<Self> {
        POOL.lock().take()
    }

    /// Its physical address.
    pub(crate) fn physical(&self) -> u64 {
        self.0.as_ptr() as u64 - direct(0)
    }
}

impl Pool {
    /// A frame full of zeros.
    fn take(&mut self) -> Option<Frame> {
        let pool = self;
        let physical = pool.returned;
        if physical != 0 {
            let mut page: NonNull<Page> = pointer(physical);
            // SAFETY: a frame on the list belongs to the pool, which left the next one's address in it.
            unsafe {
                pool.returned = page.cast::<u64>().read();
                clear(page.as_mut());
            }
            pool.used += 1;
            return Some(Frame(page));
        }
        let mut page = pointer(pool.take_fresh(PAGE)?);
        if !pool.starts_zeroed {
            // SAFETY: the frame was nobody's, and the direct map shows it.
            clear(unsafe { page.as_mut() });
        }
        Some(Frame(page))
    }
}

impl Deref for Frame {
    type Target = Page;

    fn deref(&self) -> &Page {
        // SAFETY: this value owns the frame; a domain that maps it runs only while its owner is borrowed mutably.
        unsafe { self.0.as_ref() }
    }
}

impl DerefMut for Frame {
    fn deref_mut(&mut self) -> &mut Page {
        // SAFETY: as for `deref`.
        unsafe { self.0.as_mut() }
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        let mut pool = POOL.lock();
        // SAFETY: the frame has no owner any more; the pool keeps its list in it.
        unsafe { self.0.cast::<u64>().write(pool.returned) };
        pool.returned = self.physical();
        pool.used -= 1;
    }
}

impl Pool {
    /// Adds a run of memory, unless it is empty. The longest are kept.
    fn add(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        if self.runs == RUNS {
            return self.replace_shortest(start, end);
        }
        self.fresh[self.runs] = (start, end);
        self.runs += 1;
        self.total += (end - start) / PAGE;
        self.longest = self.longest.max(end - start);
    }

    #[cold]
    #[inline(never)]
    fn replace_shortest(&mut self, start: u64, end: u64) {
        let shortest = self.fresh.iter_mut().min_by_key(|run| run.1 - run.0);
        if let Some(run) = shortest.filter(|run| run.1 - run.0 < end - start) {
            self.total = self.total + (end - start) / PAGE - (run.1 - run.0) / PAGE;
            *run = (start, end);
            self.longest = self.longest.max(end - start);
        }
    }

    /// Adds the memory that the image's page tables do not show, or show as devices, in whole large pages of it.
    #[cold]
    #[inline(never)]
    fn add_high(&mut self, boot: &BootInfo) {
        for region in boot.memory_regions.iter().filter(|region| region.kind == MemoryRegionKind::Usable) {
            let start = region.start.max(DEVICES).next_multiple_of(tables::SPAN);
            let end = region.end.min(DIRECT_MAP_MAX) & !(tables::SPAN - 1);
            let shown = tables::show(start, end, READ_WRITE, || self.take());
            self.add(start, shown);
        }
        cpu::flush_all();
    }

    /// Cuts `len` bytes (a multiple of a page) off the first fresh run that has them.
    fn take_fresh(&mut self, len: u64) -> Option<u64> {
        let run = self.fresh.iter_mut().find(|run| run.1 - run.0 >= len)?;
        let start = run.0;
        run.0 += len;
        self.used += len / PAGE;
        Some(start)
    }

    /// The same for as long as the machine runs.
    fn take_forever(&mut self, pages: u64) -> Option<&'static mut [u8]> {
        let first: *mut u8 = pointer(self.take_fresh(pages * PAGE)?).cast().as_ptr();
        // SAFETY: the pool never hands these pages out again, and the direct map shows them in one piece.
        Some(unsafe { core::slice::from_raw_parts_mut(first, (pages * PAGE) as usize) })
    }
}

/// Memory in one piece, zeroed, for as long as the machine runs. `None` if there is no such piece.
pub(crate) fn forever(pages: u64) -> Option<&'static mut [u8]> {
    let mut pool = POOL.lock();
    let memory = pool.take_forever(pages)?;
    if !pool.starts_zeroed {
        memory.as_chunks_mut().0.iter_mut().for_each(clear);
    }
    Some(memory)
}

/// The same with whatever it held before: for buffers, of which nobody reads what nobody has written.
pub(crate) fn forever_as_it_is(pages: u64) -> Option<&'static mut [u8]> {
    POOL.lock().take_forever(pages)
}

/// Physical address of memory that came from [`forever`].
pub(crate) fn physical(memory: &[u8]) -> u64 {
    memory.as_ptr() as u64 - direct(0)
}

/// Frames that nobody uses.
pub(crate) fn free() -> u64 {
    let (used, total) = count();
    total - used
}

/// Frames in use, and frames there are.
pub(crate) fn count() -> (u64, u64) {
    let pool = POOL.lock();
    (pool.used, pool.total)
}

fn pointer(physical: u64) -> NonNull<Page> {
    // SAFETY: the direct map does not start at 0.
    unsafe { NonNull::new_unchecked(direct(physical) as *mut Page) }
}

/// Proof that frames and heap can be had.
pub(crate) struct Memory(());

impl Memory {
    /// Whether the direct map shows a screen, which lies there; it is made to if the image's tables end below it.
    pub(crate) fn shows(&self, screen: &FrameBuffer) -> bool {
        let start = screen.buffer().as_ptr() as u64 - direct(0);
        let end = start.saturating_add(screen.info().byte_len as u64).next_multiple_of(tables::SPAN);
        let first = start.max(DIRECT_MAP_LEN) & !(tables::SPAN - 1);
        end <= DIRECT_MAP_MAX && (end <= first || tables::show(first, end, DEVICE, || POOL.lock().take()) == end)
    }
}

/// The heap's part of memory. Instances are held to half of it, and what connections keep for later to five eighths: the
/// rest is for connections themselves, of which there is one for four frames at most, and for the kernel's own answers.
const HEAP_SHARE: u64 = 6;
/// Least and most bytes of it.
const HEAP_LEAST: u64 = 256 << 10;
const HEAP_MOST: u64 = 256 << 20;

/// Takes over the usable memory that the loader reports, and makes the heap. Memory starts as zeros if the command line
/// says so.
pub(crate) fn init(boot: &BootInfo, line: &CommandLine, _: &Traps) -> Memory {
    let mut pool = POOL.lock();
    pool.starts_zeroed = line.zeroed_ram;
    let mut last = 0;
    for region in boot.memory_regions.iter().filter(|region| region.kind == MemoryRegionKind::Usable) {
        pool.add(mayfly_abi::page_up(region.start), region.end.min(DEVICES) & !(PAGE - 1));
        last = last.max(region.end);
    }
    if last > DEVICES {
        pool.add_high(boot);
    }
    let bytes = pool.total * PAGE;
    let len = (bytes / HEAP_SHARE).min(pool.longest / 2).clamp(HEAP_LEAST, HEAP_MOST) & !(PAGE - 1);
    let Some(start) = pool.take_fresh(len).filter(|_| bytes >= LEAST) else {
        exit::refuse(format_args!(
            "too little memory: {} KiB are free beside the image, at least {} KiB are needed; give the machine more",
            bytes >> 10,
            LEAST >> 10
        ));
    };
    ledger::set_frames(pool.used, pool.total);
    // SAFETY: the pool has just given these pages away for good.
    unsafe { heap::init(pointer(start).cast().as_ptr(), len as usize) };
    Memory(())
}
