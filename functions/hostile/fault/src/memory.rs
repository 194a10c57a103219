//! Faults of memory accesses: own memory with the wrong right, and stacks that end.

use alloc::vec;
use core::arch::asm;
use core::hint::black_box;
use core::mem::transmute;
use core::ptr::null;
use core::sync::atomic::{AtomicU8, Ordering};

use mayfly_abi::boot::{KERNEL, KERNEL_MAP};

/// The machine code of `ret`.
const RET: u8 = 0xc3;
/// It lies among the constants.
static CONSTANT: [u8; 16] = [RET; 16];

pub(crate) fn read_null() {
    // SAFETY: none, on purpose: page 0 is never mapped.
    unsafe { null::<u8>().read_volatile() };
}

pub(crate) fn jump_astray() {
    // SAFETY: none, on purpose: nothing is mapped there.
    unsafe { transmute::<usize, extern "C" fn()>(0x1234_5678)() }
}

pub(crate) fn write_text() {
    let own_code = write_text as fn() as *mut u8;
    // SAFETY: none, on purpose: text is mapped R-X.
    unsafe { own_code.write_volatile(RET) };
}

pub(crate) fn write_constants() {
    let constant = black_box(&CONSTANT).as_ptr().cast_mut();
    // SAFETY: none, on purpose: constants are mapped R--.
    unsafe { constant.write_volatile(0) };
}

pub(crate) fn execute_stack() {
    let code = AtomicU8::new(RET);
    execute(code.as_ptr());
}

pub(crate) fn execute_data() {
    static CODE: AtomicU8 = AtomicU8::new(0);
    CODE.store(RET, Ordering::Relaxed);
    execute(CODE.as_ptr());
}

pub(crate) fn execute_heap() {
    execute(black_box(vec![RET; 16]).as_ptr());
}

pub(crate) fn execute_constants() {
    execute(black_box(&CONSTANT).as_ptr());
}

/// Calls the `ret` at an address.
fn execute(code: *const u8) {
    // SAFETY: none, on purpose: what holds bytes to read or write is never executable.
    unsafe { transmute::<*const u8, extern "C" fn()>(code)() }
}

pub(crate) fn recurse() {
    black_box(descend(black_box(0)));
}

/// Calls itself with a little more each time; the black box keeps the compiler from making a loop of it.
#[expect(unconditional_recursion, reason = "using up the stack is what it is for")]
fn descend(depth: u64) -> u64 {
    black_box(descend(black_box(depth) + 1)) + 1
}

/// Steps over the guard page in one go.
pub(crate) fn take_a_big_frame() {
    // SAFETY: none, on purpose: 280 KiB are more than the stack, and end beyond its guard page.
    unsafe { asm!("sub rsp, 286720", "push rax", "add rsp, 286728") };
}

pub(crate) fn push_into_kernel() {
    push_at(KERNEL_MAP + KERNEL + 64);
}

pub(crate) fn push_at_null() {
    push_at(64);
}

pub(crate) fn push_at_noncanonical() {
    push_at(1 << 47 | 64);
}

fn push_at(stack: u64) {
    // SAFETY: none, on purpose: there is no stack of ours at that address.
    unsafe {
        asm!("mov rcx, rsp", "mov rsp, {stack}", "push rax", "mov rsp, rcx", stack = in(reg) stack, out("rcx") _)
    };
}
