//! Faults that flags ask for: stepping, and alignment checks.

use core::arch::asm;

use mayfly_abi::call::Call;
use mayfly_abi::domain::STACK_BASE;

/// Selector of the data segment that functions have.
const USER_DATA: u64 = 0x1b;

pub(crate) fn single_step() {
    // SAFETY: the trap flag faults after the next instruction, for nobody steps through us.
    unsafe { asm!("pushfq", "or dword ptr [rsp], 0x100", "popfq", "nop") };
}

pub(crate) fn step_into_call() {
    // SAFETY: as above, with a call as the instruction: the kernel must not be stepped through in our stead.
    unsafe {
        asm!("pushfq", "or dword ptr [rsp], 0x100", "popfq", "syscall", "nop", in("rax") 0, clobber_abi("sysv64"));
    }
}

/// A switch of the stack segment holds the step back by an instruction, which is a call: the step must not be taken in
/// the kernel.
pub(crate) fn step_behind_stack_switch() {
    // SAFETY: as above; the selector is the one that SS has, so the stack stays the same.
    unsafe {
        asm!(
            "pushfq", "or dword ptr [rsp], 0x100", "popfq", "mov ss, ecx", "syscall", "nop",
            in("rax") Call::Clock as u64, in("rcx") USER_DATA, clobber_abi("sysv64"),
        );
    }
}

/// The step is due when the kernel has made the page that the instruction touches, and lets it go on.
pub(crate) fn step_behind_page_fault() {
    // SAFETY: as above; the lowest page of the stack is ours and not in use.
    unsafe {
        asm!("pushfq", "or dword ptr [rsp], 0x100", "popfq", "mov byte ptr [{}], 1", "nop", in(reg) STACK_BASE);
    }
}

pub(crate) fn misalign() {
    let bytes = [0_u64; 2];
    // SAFETY: with alignment checks on, a load from an odd address faults; otherwise it reads 8 of these 16 bytes.
    unsafe {
        asm!(
            "pushfq", "or dword ptr [rsp], 0x40000", "popfq",
            "mov rax, [{} + 1]",
            "pushfq", "and dword ptr [rsp], ~0x40000", "popfq",
            in(reg) &bytes, out("rax") _,
        );
    }
}
