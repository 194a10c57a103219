//! States of the CPU in which the kernel must still be right, and what must hold in them.

use core::arch::asm;
use core::ptr::with_exposed_provenance_mut;

use attacks::Table;
use mayfly_abi::PAGE;
use mayfly_abi::boot::{KERNEL, KERNEL_MAP};
use mayfly_abi::call::{Call, Code};
use mayfly_abi::domain::{RESPONSE_BASE, RESPONSE_BODY};

use crate::machine::call;

/// A path, and the way to find out whether what docs/attacks.md says of it holds.
pub(crate) const STATES: Table<fn() -> bool> = &[
    ("/registers", keeps_registers),
    ("/sse", clears_sse),
    ("/direction-flag", direction_flag),
    ("/alignment-and-nested-task", odd_flags),
    ("/pending-x87", pending_x87),
    ("/unmasked-sse", unmasked_sse),
    ("/stack-in-kernel", stack_pointer),
    ("/stack-noncanonical", stack_noncanonical),
    ("/selectors", selectors),
    ("/descriptor-rights", no_descriptor_visible),
    ("/clock", clock_is_monotonic),
    ("/prefetch", prefetch),
];

const CLOCK: u64 = Call::Clock as u64;
const OK: u64 = Code::Ok as u64;

fn keeps_registers() -> bool {
    let mut sum: u64;
    // SAFETY: rbx and rbp, which cannot be named, are put back; rcx, r11, rax and rdx are clobbered by every call.
    unsafe {
        asm!(
            "push rbx", "push rbp",
            "mov ebx, 1", "mov ebp, 2", "mov edi, 4", "mov esi, 8", "mov r8d, 16", "mov r9d, 32", "mov r10d, 64",
            "mov r12d, 128", "mov r13d, 256", "mov r14d, 512", "mov r15d, 1024",
            "mov eax, {clock}", "syscall",
            "xor eax, eax",
            "add rax, rbx", "add rax, rbp", "add rax, rdi", "add rax, rsi", "add rax, r8", "add rax, r9",
            "add rax, r10", "add rax, r12", "add rax, r13", "add rax, r14", "add rax, r15",
            "pop rbp", "pop rbx",
            clock = const CLOCK,
            lateout("rax") sum, lateout("r12") _, lateout("r13") _, lateout("r14") _, lateout("r15") _,
            clobber_abi("sysv64"),
        );
    }
    sum == 2047
}

fn clears_sse() -> bool {
    let (low, high): (u64, u64);
    // SAFETY: all clobbers are named.
    unsafe {
        asm!(
            "pcmpeqd xmm0, xmm0", "pcmpeqd xmm7, xmm7", "pcmpeqd xmm8, xmm8", "pcmpeqd xmm15, xmm15",
            "mov eax, {clock}", "syscall",
            "por xmm0, xmm7", "por xmm0, xmm8", "por xmm0, xmm15",
            "movq rax, xmm0", "psrldq xmm0, 8", "movq rdx, xmm0",
            clock = const CLOCK,
            lateout("rax") low, lateout("rdx") high,
            clobber_abi("sysv64"),
            options(nostack),
        );
    }
    low == 0 && high == 0
}

fn direction_flag() -> bool {
    let window = with_exposed_provenance_mut::<[u8; 192]>((RESPONSE_BASE + RESPONSE_BODY) as usize);
    let code: u64;
    // SAFETY: the window is ours to write, and no reference points into it. The flag is cleared again.
    let bytes = unsafe {
        window.write([0; 192]);
        asm!(
            "std", "syscall", "cld",
            inlateout("rax") Call::Random as u64 => code,
            in("rdi") window as u64 + 64, in("rsi") 64,
            clobber_abi("sysv64"),
            options(nostack),
        );
        window.read()
    };
    let untouched = |bytes: &[u8]| bytes.iter().all(|&byte| byte == 0);
    code == OK && untouched(&bytes[..64]) && !untouched(&bytes[64..128]) && untouched(&bytes[128..])
}

fn odd_flags() -> bool {
    let code: u64;
    // SAFETY: AC (bit 18) and NT (bit 14) change nothing for us, and are cleared again.
    unsafe {
        asm!(
            "pushfq", "or dword ptr [rsp], 0x44000", "popfq",
            "syscall",
            "pushfq", "and dword ptr [rsp], ~0x44000", "popfq",
            inlateout("rax") CLOCK => code,
            clobber_abi("sysv64"),
        );
    }
    code == OK
}

fn pending_x87() -> bool {
    let unmasked = 0x0340_u16;
    let code: u64;
    // SAFETY: the division by zero is left pending; the call clears the x87 state, and with it the exception.
    unsafe {
        asm!(
            "fldcw [{control}]", "fld1", "fldz", "fdivp",
            "syscall",
            "fninit",
            control = in(reg) &unmasked,
            inlateout("rax") CLOCK => code,
            clobber_abi("sysv64"),
        );
    }
    code == OK
}

fn unmasked_sse() -> bool {
    let (unmasked, usual) = (0_u32, 0x1f80_u32);
    let code: u64;
    // SAFETY: MXCSR is put back before anything is calculated.
    unsafe {
        asm!(
            "ldmxcsr [{unmasked}]", "syscall", "ldmxcsr [rsi]",
            unmasked = in(reg) &unmasked,
            // Named, because it must outlive the call.
            in("rsi") &usual,
            inlateout("rax") CLOCK => code,
            clobber_abi("sysv64"),
        );
    }
    code == OK
}

fn stack_pointer() -> bool {
    call_with_stack(KERNEL_MAP + KERNEL + PAGE)
}

fn stack_noncanonical() -> bool {
    call_with_stack(1 << 47)
}

fn call_with_stack(stack: u64) -> bool {
    let code: u64;
    // SAFETY: nothing goes by the stack pointer while it points elsewhere, and it is put back.
    unsafe {
        asm!(
            "mov r12, rsp", "mov rsp, {stack}", "syscall", "mov rsp, r12",
            stack = in(reg) stack,
            inlateout("rax") CLOCK => code,
            out("r12") _,
            clobber_abi("sysv64"),
            options(nostack),
        );
    }
    code == OK
}

fn selectors() -> bool {
    let code: u64;
    // SAFETY: in 64-bit mode nothing of ours goes by DS, ES, FS or GS; a null selector is always allowed.
    unsafe {
        asm!(
            "xor ecx, ecx", "mov ds, ecx", "mov es, ecx", "mov fs, ecx", "mov gs, ecx",
            "syscall",
            inlateout("rax") CLOCK => code,
            clobber_abi("sysv64"),
            options(nostack),
        );
    }
    code == OK
}

/// `lar`, `lsl`, `verr` and `verw` say of the kernel's descriptors only that there is nothing to be seen.
fn no_descriptor_visible() -> bool {
    // Kernel code and data, the task and its second half, and one beyond the table.
    [0x08_u64, 0x10, 0x28, 0x30, 0x38].iter().all(|selector| {
        let seen: u64;
        // SAFETY: these instructions only ask, and set the zero flag if they got an answer.
        unsafe {
            asm!(
                "xor {seen:e}, {seen:e}",
                "lar eax, {selector:x}", "jnz 2f", "or {seen}, 1", "2:",
                "lsl eax, {selector:x}", "jnz 2f", "or {seen}, 2", "2:",
                "verr {selector:x}", "jnz 2f", "or {seen}, 4", "2:",
                "verw {selector:x}", "jnz 2f", "or {seen}, 8", "2:",
                selector = in(reg) *selector, seen = out(reg) seen, out("rax") _,
            );
        }
        seen == 0
    })
}

/// Prefetching what is the kernel's never faults, and gives nothing to read.
fn prefetch() -> bool {
    // SAFETY: a prefetch has no effect that a program can see.
    unsafe { asm!("prefetcht0 [{address}]", "prefetchnta [{address}]", address = in(reg) KERNEL_MAP + KERNEL) };
    true
}

fn clock_is_monotonic() -> bool {
    let (first, second) = (call(CLOCK, [0; 3]), call(CLOCK, [0; 3]));
    first.code == OK && second.code == OK && 0 < first.value && first.value <= second.value
}
