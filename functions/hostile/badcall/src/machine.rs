//! The call instruction without the SDK around it, and states of the CPU in which the kernel must still be right.

use core::arch::asm;
use core::ptr::with_exposed_provenance_mut;

use mayfly_abi::PAGE;
use mayfly_abi::boot::{KERNEL, KERNEL_MAP};
use mayfly_abi::call::{Call, Code};
use mayfly_abi::domain::{RESPONSE_BASE, RESPONSE_BODY};

/// What a call left in `rax` and `rdx`.
pub(crate) struct Answer {
    pub(crate) code: u64,
    pub(crate) value: u64,
}

/// Makes a call with whatever numbers.
pub(crate) fn call(number: u64, arguments: [u64; 3]) -> Answer {
    let [first, second, third] = arguments;
    let (code, value);
    // SAFETY: all that the convention clobbers is named, by the C ABI's list and two more. Every case is one that must
    // be refused, or that writes nowhere but in the response window and on the heap, where no reference points.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => code,
            in("rdi") first, in("rsi") second, inlateout("rdx") third => value,
            clobber_abi("sysv64"),
            options(nostack),
        );
    }
    Answer { code, value }
}

/// Writes a header block to the start of the response window.
pub(crate) fn write_headers(headers: &[u8]) {
    assert!(headers.len() as u64 <= RESPONSE_BODY);
    let window = with_exposed_provenance_mut::<u8>(RESPONSE_BASE as usize);
    // SAFETY: the window is mapped for us to write, longer than the block, and no reference points into it.
    unsafe { window.copy_from_nonoverlapping(headers.as_ptr(), headers.len()) };
}

/// A sentence about calls, and the way to find out whether it holds.
pub(crate) type State = (&'static str, fn() -> bool);

/// What must hold of a call whatever state the CPU is in.
pub(crate) const STATES: &[State] = &[
    ("calls keep the other registers", keeps_registers),
    ("calls clear the SSE registers", clears_sse),
    ("the direction flag does not reach the kernel", direction_flag),
    ("alignment check and nested task do not reach the kernel", odd_flags),
    ("a pending x87 exception does not reach the kernel", pending_x87),
    ("unmasked SSE exceptions do not reach the kernel", unmasked_sse),
    ("the stack pointer does not matter to the kernel", stack_pointer),
    ("segment selectors do not reach the kernel", selectors),
    ("time does not go backwards", clock_is_monotonic),
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
    let code: u64;
    // SAFETY: nothing goes by the stack pointer while it points to the kernel, and it is put back.
    unsafe {
        asm!(
            "mov r12, rsp", "mov rsp, {kernel}", "syscall", "mov rsp, r12",
            kernel = in(reg) KERNEL_MAP + KERNEL + PAGE,
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

fn clock_is_monotonic() -> bool {
    let (first, second) = (call(CLOCK, [0; 3]), call(CLOCK, [0; 3]));
    first.code == OK && second.code == OK && 0 < first.value && first.value <= second.value
}
