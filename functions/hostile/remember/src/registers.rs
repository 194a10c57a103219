//! Registers: filled with the secret at the end of an invocation, and found as docs/abi.md says at the start of the next.

use core::arch::asm;
use core::ptr::with_exposed_provenance_mut;
use core::sync::atomic::{AtomicU64, Ordering};

use mayfly_abi::call::Call;
use mayfly_abi::domain::{REQUEST_BASE, RESPONSE_BASE, RESPONSE_BODY, STACK_TOP};
use mayfly_sdk::Response;

use crate::entry::{_start, Entry};
use crate::{Found, SECRET};

/// Selector of the data segment that functions have.
const USER_DATA: u64 = 0x1b;
/// Every flag that a function can set but TF: CF, PF, AF, ZF, SF, DF, OF, NT, AC, ID.
const FLAGS: u64 = 0x0024_4cd5;
/// What interrupts on and nothing else looks like.
const CLEAN_FLAGS: u64 = 0x202;
/// MXCSR with every exception noted and masked, another rounding, and denormals flushed.
const MXCSR: u32 = 0xffff;
/// The x87's control word with another rounding and precision.
const CONTROL: u16 = 0x0c7f;
/// What `fill_and_respond` answers.
const LEFT: &[u8] = b"left\n";

/// Fills every register but RSP, and executes the last lines with those of the call Respond in place.
macro_rules! fill_and {
    ($($last:literal),+) => {{
        let body = with_exposed_provenance_mut::<u8>((RESPONSE_BASE + RESPONSE_BODY) as usize);
        // SAFETY: the window is ours to write, and no reference points into it; nothing of ours runs after.
        unsafe {
            body.copy_from_nonoverlapping(LEFT.as_ptr(), LEFT.len());
            asm!(
                "ldmxcsr [{mxcsr}]",
                "fldcw [{control}]",
                "fldpi", "fldpi", "fldpi", "fldpi", "fldpi", "fldpi", "fldpi", "fldpi",
                "movq xmm0, {secret}", "punpcklqdq xmm0, xmm0",
                "movaps xmm1, xmm0", "movaps xmm2, xmm0", "movaps xmm3, xmm0", "movaps xmm4, xmm0", "movaps xmm5, xmm0",
                "movaps xmm6, xmm0", "movaps xmm7, xmm0", "movaps xmm8, xmm0", "movaps xmm9, xmm0", "movaps xmm10, xmm0",
                "movaps xmm11, xmm0", "movaps xmm12, xmm0", "movaps xmm13, xmm0", "movaps xmm14, xmm0", "movaps xmm15, xmm0",
                "mov ecx, {user_data}", "mov ds, ecx", "mov es, ecx", "mov fs, ecx", "mov gs, ecx",
                "mov rbx, {secret}", "mov rcx, rbx", "mov rbp, rbx", "mov r8, rbx", "mov r9, rbx", "mov r10, rbx",
                "mov r11, rbx", "mov r12, rbx", "mov r13, rbx", "mov r14, rbx", "mov r15, rbx",
                "mov eax, {respond}", "mov edi, 200", "xor esi, esi", "mov edx, {len}",
                "push {flags}", "popfq",
                $($last),+,
                mxcsr = in(reg) &MXCSR, control = in(reg) &CONTROL, secret = in(reg) SECRET,
                user_data = const USER_DATA, respond = const Call::Respond as u64, len = const LEFT.len(),
                flags = const FLAGS,
                options(noreturn),
            )
        }
    }};
}

/// Ends the invocation in order.
pub(crate) fn fill_and_respond() -> Response {
    fill_and!("syscall", "ud2")
}

/// Ends it by an instruction that is none.
pub(crate) fn fill_and_fault() -> Response {
    fill_and!("ud2")
}

/// Ends it at its time limit.
pub(crate) fn fill_and_loop() -> Response {
    fill_and!("2: jmp 2b")
}

/// All are zero but the argument, the stack, and the two that `sysret` uses up.
pub(crate) fn look_at_general(entry: &Entry) -> Found {
    let [rax, rbx, rcx, rdx, rsi, rdi, rbp] = entry.low;
    let [r8, r9, r10, r11, r12, r13, r14, r15] = entry.high;
    let zeros = [("rax", rax), ("rbx", rbx), ("rdx", rdx), ("rsi", rsi), ("rbp", rbp), ("r8", r8), ("r9", r9)];
    let more = [("r10", r10), ("r12", r12), ("r13", r13), ("r14", r14), ("r15", r15)];
    zeros.into_iter().chain(more).try_for_each(|(name, value)| expect(name, value, 0))?;
    expect("rdi", rdi, REQUEST_BASE)?;
    expect("rsp", entry.rsp, STACK_TOP - 8 - 9 * 8)?;
    expect("rcx", rcx, _start as *const () as u64)?;
    expect("r11", r11, CLEAN_FLAGS)
}

pub(crate) fn look_at_flags(entry: &Entry) -> Found {
    expect("flags", entry.flags, CLEAN_FLAGS)
}

pub(crate) fn look_at_selectors(entry: &Entry) -> Found {
    ["gs", "fs", "es", "ds"].into_iter().zip(entry.selectors).try_for_each(|(name, value)| expect(name, value, 0))
}

/// Through FS and GS, as through no segment register, an address means what it says.
pub(crate) fn look_at_bases(_: &Entry) -> Found {
    static WITNESS: AtomicU64 = AtomicU64::new(0);
    WITNESS.store(SECRET, Ordering::Relaxed);
    let (fs, gs): (u64, u64);
    // SAFETY: reads a static, if the bases are zero; otherwise it faults or reads something else of ours.
    unsafe {
        asm!("mov {fs}, fs:[{at}]", "mov {gs}, gs:[{at}]", at = in(reg) WITNESS.as_ptr(), fs = out(reg) fs, gs = out(reg) gs);
    }
    expect("what FS points to", fs, SECRET)?;
    expect("what GS points to", gs, SECRET)
}

pub(crate) fn look_at_sse(entry: &Entry) -> Found {
    all_zero("xmm", &entry.float[160..416])
}

/// The registers, the status and tag words, and the pointers to the last instruction and operand.
pub(crate) fn look_at_x87(entry: &Entry) -> Found {
    all_zero("x87 status and pointers", &entry.float[2..24])?;
    all_zero("st", &entry.float[32..160])
}

pub(crate) fn look_at_control(entry: &Entry) -> Found {
    let word = |at: usize| u64::from(entry.float[at]) | u64::from(entry.float[at + 1]) << 8;
    expect("x87 control word", word(0), 0x37f)?;
    expect("MXCSR", word(24) | word(26) << 16, 0x1f80)
}

fn all_zero(name: &'static str, bytes: &[u8]) -> Found {
    bytes.iter().try_for_each(|&byte| expect(name, byte.into(), 0))
}

fn expect(name: &'static str, found: u64, right: u64) -> Found {
    if found == right { Ok(()) } else { Err((name, found)) }
}
