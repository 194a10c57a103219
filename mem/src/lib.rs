//! The memory functions that the compiler expects of a platform: memcpy, memmove, memset, memcmp, bcmp, strlen.
//!
//! Loader, kernel and functions link this crate; programs with a C library must not. Whole words go by string
//! instructions: few instructions, little code, and fast on processors and under emulation alike (single bytes are
//! not, so seven at most go that way).
#![no_std]

use core::arch::naked_asm;

/// Copies `len` bytes that do not overlap; returns `to`.
///
/// # Safety
/// As in C: `len` bytes at `from` can be read, at `to` can be written, and the two do not overlap.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    naked_asm!(
        "mov rax, rdi",
        "cmp rdx, 8",
        "jb 2f",
        // The last word may overlap the one before, and is read before that is written: `memmove` needs it so.
        "mov r8, [rsi + rdx - 8]",
        "lea r9, [rdi + rdx - 8]",
        "lea rcx, [rdx - 1]",
        "shr rcx, 3",
        "rep movsq",
        "mov [r9], r8",
        "ret",
        "2:",
        "mov ecx, edx",
        "rep movsb",
        "ret",
    )
}

/// Copies `len` bytes that may overlap; returns `to`.
///
/// # Safety
/// As in C: `len` bytes at `from` can be read and at `to` can be written.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    naked_asm!(
        // Forwards unless `to` lies inside [from, from + len).
        "mov rax, rdi",
        "sub rax, rsi",
        "cmp rax, rdx",
        "jae {memcpy}",
        // Backwards: the odd bytes at the end first, then words. The ABI wants DF clear again on return.
        "mov rax, rdi",
        "mov rcx, rdx",
        "and rcx, 7",
        "lea rdi, [rdi + rdx - 1]",
        "lea rsi, [rsi + rdx - 1]",
        "std",
        "rep movsb",
        "sub rdi, 7",
        "sub rsi, 7",
        "mov rcx, rdx",
        "shr rcx, 3",
        "rep movsq",
        "cld",
        "ret",
        memcpy = sym memcpy,
    )
}

/// Sets `len` bytes to the low byte of `value`; returns `to`.
///
/// # Safety
/// As in C: `len` bytes at `to` can be written.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memset(to: *mut u8, value: i32, len: usize) -> *mut u8 {
    naked_asm!(
        "mov r8, rdi",
        "movzx eax, sil",
        "mov rcx, 0x0101010101010101",
        "imul rax, rcx",
        "mov rcx, rdx",
        "shr rcx, 3",
        "rep stosq",
        "mov ecx, edx",
        "and ecx, 7",
        "rep stosb",
        "mov rax, r8",
        "ret",
    )
}

/// Compares `len` bytes; negative, zero or positive as the first difference is.
///
/// # Safety
/// As in C: `len` bytes at both pointers can be read.
// Kept apart: inlined, it would be new code to the CPU at each place that compares.
#[inline(never)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
    let mut at = 0;
    while at + 8 <= len {
        // SAFETY: `at + 8 <= len`, and the caller vouches for `len` readable bytes.
        let (x, y) = unsafe { (a.add(at).cast::<u64>().read_unaligned(), b.add(at).cast::<u64>().read_unaligned()) };
        if x != y {
            // The first byte that differs is the lowest; turned around, it is the one that counts most.
            return if x.swap_bytes() < y.swap_bytes() { -1 } else { 1 };
        }
        at += 8;
    }
    while at < len {
        // SAFETY: `at < len`, as above.
        let (x, y) = unsafe { (*a.add(at), *b.add(at)) };
        if x != y {
            return i32::from(x) - i32::from(y);
        }
        at += 1;
    }
    0
}

/// Compares `len` bytes; zero if they are equal.
///
/// # Safety
/// As for [`memcmp`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
    let Some(last) = len.checked_sub(8) else {
        // SAFETY: the contract is the same.
        return unsafe { memcmp(a, b, len) };
    };
    // SAFETY: only called for `at <= last`, and the caller vouches for `last + 8` readable bytes.
    let differ = |at| unsafe { a.add(at).cast::<u64>().read_unaligned() != b.add(at).cast::<u64>().read_unaligned() };
    let mut at = 0;
    while at < last {
        if differ(at) {
            return 1;
        }
        at += 8;
    }
    // The last word may overlap the one before.
    i32::from(differ(last))
}

/// Length of a zero-terminated string.
///
/// # Safety
/// As in C: `text` points to bytes that end in a zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strlen(text: *const u8) -> usize {
    let mut len = 0;
    // SAFETY: no zero has been met yet, so this byte is part of the string.
    while unsafe { text.add(len).read_volatile() } != 0 {
        len += 1;
    }
    len
}
