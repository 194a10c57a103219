//! Writes to its stack, to its response, and to as many pages of data as its query has bytes, in a known number of
//! instructions: what else a request takes is the kernel's.
#![no_std]
#![no_main]

use core::arch::global_asm;
use core::mem::offset_of;
use core::panic::PanicInfo;
use core::sync::atomic::AtomicU8;

use mayfly_abi::PAGE;
use mayfly_abi::call::Call;
use mayfly_abi::domain::{RESPONSE_BASE, RESPONSE_BODY, RequestHead, Span};

// tests/tests/machine/budgets.rs counts on it: 11 instructions, and 4 for each page.
global_asm!(
    ".section .text._start, \"ax\"",
    ".global _start",
    "_start:",
    "mov ecx, [rdi + {query_len}]",
    "mov edx, offset {pages}",
    "push rcx",
    "mov byte ptr [{body}], 0x2e",
    "jrcxz 3f",
    "2:",
    "mov byte ptr [rdx], 1",
    "add rdx, {page}",
    "dec ecx",
    "jnz 2b",
    "3:",
    "mov eax, {respond}",
    "mov edi, 200",
    "xor esi, esi",
    "mov edx, 1",
    "syscall",
    "ud2",
    pages = sym PAGES,
    query_len = const offset_of!(RequestHead, query) + offset_of!(Span, len),
    body = const RESPONSE_BASE + RESPONSE_BODY,
    page = const PAGE,
    respond = const Call::Respond as u32,
);

/// Pages to write to.
static PAGES: Pages = Pages([const { AtomicU8::new(0) }; 64 * PAGE as usize]);

#[repr(align(4096))]
#[expect(dead_code, reason = "only the code above writes to it")]
struct Pages([AtomicU8; 64 * PAGE as usize]);

/// Nothing panics.
#[panic_handler]
fn panicked(_: &PanicInfo) -> ! {
    loop {}
}
