//! Memory: filled with the secret, and found as the image has it, or zero.

use alloc::vec::Vec;
use core::arch::asm;
use core::hint::black_box;
use core::ops::Range;
use core::ptr::{with_exposed_provenance, with_exposed_provenance_mut};
use core::sync::atomic::{AtomicU64, Ordering};

use mayfly_abi::call::{Call, RANDOM_MAX};
use mayfly_abi::domain::{HEAP_BASE, RESPONSE_BASE, RESPONSE_BODY, STACK_BASE, STACK_TOP, WAY_BACK};
use mayfly_abi::{PAGE, page_up};
use mayfly_sdk::{Request, Response};

use crate::{Found, SECRET};

/// Most bytes of a response's body, as in mayfly.toml.
const RESPONSE_LIMIT: u64 = 16 << 10;
/// Bytes of heap that are filled, behind the first page, in which the allocator keeps its books.
const HEAP: u64 = 128 << 10;
/// Bytes from the top of the stack that are in use.
const IN_USE: u64 = 2 * PAGE;
/// How far into the heap a page is touched alone, so that the pages before it are never made.
const FAR: usize = 200 << 10;
/// What [`DATA`] is built with.
const FIRST: u64 = 1;
/// What [`PREPARED`] holds after the initialisation.
const SECOND: u64 = 2;
/// Words of each static: more than a page.
const WORDS: usize = 600;

static BSS: [AtomicU64; WORDS] = [const { AtomicU64::new(0) }; WORDS];
static DATA: [AtomicU64; WORDS] = [const { AtomicU64::new(FIRST) }; WORDS];
static PREPARED: [AtomicU64; WORDS] = [const { AtomicU64::new(0) }; WORDS];

/// The initialisation.
pub(crate) fn prepare() {
    PREPARED.iter().for_each(|word| word.store(SECOND, Ordering::Relaxed));
}

/// Fills stack, heap, data, bss, what the initialisation has left, and the response window.
pub(crate) fn fill() {
    let heap = allocate();
    for range in [stack(), far_heap(), response()] {
        for address in range.step_by(8) {
            // SAFETY: all of it is mapped for us to write, and nothing of ours lies there: the stack in use is left out,
            // the vector is empty, no response is begun.
            unsafe { with_exposed_provenance_mut::<u64>(address as usize).write_volatile(SECRET) };
        }
    }
    drop(heap);
    BSS.iter().chain(&DATA).chain(&PREPARED).for_each(|word| word.store(SECRET, Ordering::Relaxed));
}

/// Has the kernel fill bss with random numbers, and touches none of it.
pub(crate) fn have_filled() {
    for start in (0..size_of_val(&BSS)).step_by(RANDOM_MAX as usize) {
        let len = (size_of_val(&BSS) - start).min(RANDOM_MAX as usize);
        // SAFETY: the bytes lie in the static, which may change behind any reference.
        unsafe {
            asm!(
                "syscall",
                inlateout("rax") Call::Random as u64 => _, in("rdi") BSS.as_ptr().byte_add(start), in("rsi") len,
                clobber_abi("sysv64"),
                options(nostack),
            );
        }
    }
}

/// The page through which the kernel lets an interrupted function go on: none of its words is the secret.
pub(crate) fn look_at_way_back() -> Found {
    let found = (WAY_BACK..WAY_BACK + PAGE).step_by(8).find(|address| {
        // SAFETY: the page is there to be read by the CPU in our name.
        let word = unsafe { with_exposed_provenance::<u64>(*address as usize).read_volatile() };
        // Never with the secret in a register: interrupted here, we would find our own.
        black_box(!word) == !SECRET
    });
    found.map_or(Ok(()), |address| Err(("way back", address)))
}

pub(crate) fn look_at_stack() -> Found {
    zeros("stack", stack())
}

pub(crate) fn look_at_heap() -> Found {
    let heap = allocate();
    let found = zeros("heap", far_heap());
    drop(heap);
    found
}

pub(crate) fn look_at_response() -> Found {
    zeros("response window", response())
}

/// The rest of the last page that holds some of the request.
pub(crate) fn look_behind_request(request: &Request) -> Found {
    // The body comes last, also when it is empty.
    let end = request.body().as_ptr_range().end as u64;
    for address in end..page_up(end + 1) {
        // SAFETY: the window is mapped to the end of the page.
        let found = unsafe { with_exposed_provenance::<u8>(address as usize).read_volatile() };
        if found != 0 {
            return Err(("request window", found.into()));
        }
    }
    Ok(())
}

pub(crate) fn look_at_bss() -> Found {
    constant("bss", &BSS, 0)
}

pub(crate) fn look_at_data() -> Found {
    constant("data", &DATA, FIRST)
}

pub(crate) fn look_at_prepared() -> Found {
    constant("prepared", &PREPARED, SECOND)
}

/// Makes one page of heap far from the start, and writes to it.
pub(crate) fn touch_far_heap() {
    let mut heap = Vec::<u8>::with_capacity(FAR + PAGE as usize);
    heap.spare_capacity_mut()[FAR].write(0x5a);
    black_box(&heap);
}

/// Reads there without having a heap: a translation that the CPU still holds would lead to somebody else's frame.
pub(crate) fn read_far_heap() -> u8 {
    let place = with_exposed_provenance::<u8>(HEAP_BASE as usize + FAR);
    // SAFETY: none, on purpose: the heap was given back.
    unsafe { place.read_volatile() }
}

pub(crate) fn ask_for_too_much() -> Response {
    black_box(Vec::<u8>::with_capacity(1 << 20));
    attacks::survived("a heap over the limit")
}

fn allocate() -> Vec<u8> {
    black_box(Vec::with_capacity((PAGE + HEAP) as usize))
}

fn stack() -> Range<u64> {
    STACK_BASE..STACK_TOP - IN_USE
}

fn far_heap() -> Range<u64> {
    HEAP_BASE + PAGE..HEAP_BASE + PAGE + HEAP
}

fn response() -> Range<u64> {
    RESPONSE_BASE..RESPONSE_BASE + RESPONSE_BODY + RESPONSE_LIMIT
}

fn zeros(name: &'static str, range: Range<u64>) -> Found {
    for address in range.step_by(8) {
        // SAFETY: all of it is mapped for us, and nobody refers to it.
        let found = unsafe { with_exposed_provenance::<u64>(address as usize).read_volatile() };
        if found != 0 {
            return Err((name, found));
        }
    }
    Ok(())
}

fn constant(name: &'static str, words: &[AtomicU64], right: u64) -> Found {
    let wrong = words.iter().map(|word| word.load(Ordering::Relaxed)).find(|word| *word != right);
    wrong.map_or(Ok(()), |word| Err((name, word)))
}
