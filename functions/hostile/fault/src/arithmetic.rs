//! Faults of calculations: what the CPU reports if asked to.

use core::arch::asm;

pub(crate) fn divide_by_zero() {
    // SAFETY: a division by zero faults before it changes anything.
    unsafe { asm!("div {zero:e}", zero = in(reg) 0, inout("eax") 1 => _, inout("edx") 0 => _) };
}

pub(crate) fn divide_too_much() {
    // SAFETY: a quotient that does not fit faults before anything changes.
    unsafe {
        asm!("idiv {minus_one}", minus_one = in(reg) -1_i64, inout("rax") i64::MIN => _, inout("rdx") -1_i64 => _)
    };
}

pub(crate) fn divide_in_x87() {
    let unmasked = 0x0340_u16; // The x87 control word, with no exception masked.
    // SAFETY: a division by zero is pending until `fwait` reports it.
    unsafe { asm!("fldcw [{}]", "fld1", "fldz", "fdivp", "fwait", in(reg) &unmasked, clobber_abi("sysv64")) };
}

pub(crate) fn divide_in_sse() {
    let (unmasked, usual) = (0_u32, 0x1f80_u32);
    let one = 1.0_f64;
    // SAFETY: the division by zero faults at once, for it is not masked. If it does not, all is put back.
    unsafe {
        asm!(
            "ldmxcsr [{unmasked}]", "xorpd xmm1, xmm1", "divsd xmm0, xmm1", "ldmxcsr [{usual}]",
            unmasked = in(reg) &unmasked, usual = in(reg) &usual,
            inout("xmm0") one => _, out("xmm1") _,
        );
    }
}

pub(crate) fn misalign_sse() {
    let bytes = [0_u64; 4];
    // SAFETY: an aligned load from an odd address faults; otherwise it reads 16 of these 32 bytes.
    unsafe { asm!("movaps xmm0, [{} + 1]", in(reg) &bytes, out("xmm0") _) };
}
