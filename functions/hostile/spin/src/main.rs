//! Never returns, in the way that the path names. The kernel ends it at its time limit, with 504, while other functions
//! go on answering.
#![no_std]
#![no_main]

use core::arch::asm;

use attacks::{List, Table};
use mayfly_abi::boot::{KERNEL, KERNEL_MAP};
use mayfly_abi::call::{Call, LOG_MAX};
use mayfly_abi::domain::{RESPONSE_BASE, STACK_BASE};
use mayfly_sdk::{Request, Response};

mayfly_sdk::function!(spin);

/// Every flag but TF and the bits that do not exist; IF is among those left out.
const ODD_FLAGS: u64 = 0x003f_7cd5;
/// Selector of the data segment that functions have.
const USER_DATA: u64 = 0x1b;

/// The path of each way, and the way.
const WAYS: Table<fn() -> !> = &[
    ("", idle),
    ("/odd-flags", with_odd_flags),
    ("/stack-in-kernel", with_stack_in_kernel),
    ("/stack-segment", with_stack_segment),
    ("/odd-selectors", with_odd_selectors),
    ("/full-registers", with_full_registers),
    ("/calls", with_calls),
    ("/calls-with-odd-flags", with_calls_and_odd_flags),
    ("/refusals", with_refusals),
    ("/random", with_random),
    ("/log", with_log),
];

fn spin(request: &Request) -> Response {
    match attacks::choose(request, WAYS) {
        Some(way) => way(),
        None => List::new().with(WAYS).respond(),
    }
}

fn idle() -> ! {
    #[expect(clippy::empty_loop, reason = "wasting the processor is what it is for")]
    loop {}
}

/// Interrupts off, as far as a function can switch them off, direction backwards, a nested task, alignment checks.
fn with_odd_flags() -> ! {
    // SAFETY: nothing of ours runs with these flags but the loop.
    unsafe { asm!("push {}", "popfq", "2: jmp 2b", in(reg) ODD_FLAGS, options(noreturn)) }
}

fn with_stack_in_kernel() -> ! {
    // SAFETY: nothing of ours goes by the stack pointer any more.
    unsafe { asm!("mov rsp, {}", "2: jmp 2b", in(reg) KERNEL_MAP + KERNEL + 4096, options(noreturn)) }
}

/// A load of SS holds interrupts back for an instruction; one load after another would for good.
fn with_stack_segment() -> ! {
    // SAFETY: the selector is the one that SS has.
    unsafe {
        asm!("2:", "mov ss, {0:e}", "mov ss, {0:e}", "mov ss, {0:e}", "jmp 2b", in(reg) USER_DATA, options(noreturn))
    }
}

fn with_odd_selectors() -> ! {
    // SAFETY: nothing of ours goes by these registers.
    unsafe {
        asm!("mov ds, {0:e}", "mov es, {0:e}", "mov fs, {0:e}", "mov gs, {0:e}", "2: jmp 2b", in(reg) USER_DATA, options(noreturn))
    }
}

/// Ones in every register, also in the ones from which interrupts are returned from, and in all of the x87's.
fn with_full_registers() -> ! {
    // SAFETY: nothing of ours runs any more.
    unsafe {
        asm!(
            "fld1",
            "fld1",
            "fld1",
            "fld1",
            "fld1",
            "fld1",
            "fld1",
            "fld1",
            "fld1",
            "pcmpeqd xmm0, xmm0",
            "pcmpeqd xmm15, xmm15",
            "mov rax, -1",
            "mov rbx, rax",
            "mov rcx, rax",
            "mov rdx, rax",
            "mov rsi, rax",
            "mov rdi, rax",
            "mov rbp, rax",
            "mov rsp, rax",
            "mov r8, rax",
            "mov r9, rax",
            "mov r10, rax",
            "mov r11, rax",
            "mov r12, rax",
            "mov r13, rax",
            "mov r14, rax",
            "mov r15, rax",
            "2: jmp 2b",
            options(noreturn),
        )
    }
}

fn with_calls() -> ! {
    call_for_ever(Call::Clock as u64, 0, 0)
}

/// Every flag that it can set is set whenever the kernel begins.
fn with_calls_and_odd_flags() -> ! {
    // SAFETY: a call that writes nowhere, and nothing of ours runs with these flags but the loop.
    unsafe {
        asm!(
            "push {}", "popfq", "2:", "mov eax, {}", "syscall", "jmp 2b",
            in(reg) ODD_FLAGS, const Call::Clock as u64, options(noreturn),
        )
    }
}

fn with_refusals() -> ! {
    call_for_ever(u64::MAX, 0, 0)
}

fn with_random() -> ! {
    call_for_ever(Call::Random as u64, RESPONSE_BASE, 256)
}

/// The longest lines there are, of zeros from the end of the stack, which print as blanks.
fn with_log() -> ! {
    call_for_ever(Call::Log as u64, STACK_BASE, LOG_MAX)
}

fn call_for_ever(number: u64, first: u64, second: u64) -> ! {
    // SAFETY: calls that write nowhere but to the response window, which nobody refers to.
    unsafe {
        asm!(
            "2:", "mov rax, r12", "syscall", "jmp 2b",
            in("r12") number, in("rdi") first, in("rsi") second, options(noreturn),
        )
    }
}
