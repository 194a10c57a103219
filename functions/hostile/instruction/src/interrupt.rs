//! `int` with every operand there is.

use core::arch::global_asm;

/// Bytes from one instruction to the next.
const STEP: usize = 4;

global_asm!(
    ".balign {step}",
    "interrupts:",
    ".set vector, 0",
    ".rept 256",
    ".balign {step}",
    // `int n` by its bytes: the assembler would write `int 3` in its short form, which is another instruction.
    ".byte 0xcd, vector",
    "ret",
    ".set vector, vector + 1",
    ".endr",
    step = const STEP,
);

unsafe extern "C" {
    static interrupts: u8;
}

/// Executes `int vector`.
pub(crate) fn raise(vector: u64) {
    let first = &raw const interrupts;
    let chosen = first.wrapping_add(vector as usize * STEP);
    // SAFETY: an `int` and a `ret` lie there, for every operand of 8 bits.
    unsafe { core::mem::transmute::<*const u8, extern "C" fn()>(chosen)() }
}
