//! The first instructions, the last ones, and the few others that Rust has no words for.

use core::arch::x86_64::__cpuid;
use core::arch::{asm, global_asm};
use mayfly_abi::boot::{CR0, CR4, EFER, KERNEL_MAP, LEDGER};
use mayfly_abi::exit::{CONSOLE_PORT, EXIT_PORT, Exit};
use mayfly_abi::ledger::Phase;

global_asm!(
    // The firmware calls this (x64 calling convention of UEFI): RCX = image handle, RDX = system table. R8, the third
    // argument of `efi_main`, becomes the time.
    ".global efi_start",
    "efi_start:",
    "mov r9, rdx",
    "rdtsc",
    "shl rdx, 32",
    "lea r8, [rax + rdx]",
    "mov rdx, r9",
    "jmp {main}",
    // RDI = top page table, RSI = boot info, RDX = stack, RCX = entry point. The code is on one page whose 2 MiB the new
    // tables show where they are.
    ".balign 256",
    "mayfly_jump:",
    "cli",
    "mov r8, rdx",
    "mov r9, rcx",
    // Without global pages, none of the firmware's translations outlive its tables.
    "mov eax, {cr4}",
    "mov cr4, rax",
    "mov ecx, 0xc0000080",
    "rdmsr",
    "or eax, {efer}",
    "wrmsr",
    "mov cr3, rdi",
    "mov eax, {cr0}",
    "mov cr0, rax",
    "rdtsc",
    "shl rdx, 32",
    "or rax, rdx",
    "mov [{paging}], rax",
    "xor eax, eax",
    "mov ds, eax",
    "mov es, eax",
    "mov ss, eax",
    "mov fs, eax",
    "mov gs, eax",
    "mov rsp, r8",
    // The code segment that the other loader has too: the kernel's gates lead to the one that it starts with.
    "lea rax, [rip + 2f]",
    "push rax",
    "push 0",
    "mov word ptr [rsp + 6], 15",
    "lgdt [rsp + 6]",
    "add rsp, 16",
    "push 8",
    "lea rax, [rip + 3f]",
    "push rax",
    "retfq",
    ".balign 8",
    "2: .quad 0, 0x00af9b000000ffff",
    "3:",
    "xor ebp, ebp",
    "push 0",
    "mov rdi, rsi",
    "jmp r9",
    main = sym crate::efi_main,
    cr4 = const CR4,
    efer = const EFER,
    cr0 = const CR0,
    // The kernel map is the last 2 GiB, so the address fits into a sign-extended number.
    paging = const (KERNEL_MAP + LEDGER + Phase::Paging.offset() as u64) as i32,
);

unsafe extern "C" {
    static mayfly_jump: u8;
}

/// Where the jump is.
pub(crate) fn address() -> u64 {
    &raw const mayfly_jump as u64
}

/// Enters the kernel with `boot_info` as its argument, on these page tables.
///
/// # Safety
/// The firmware was left. The tables show the 2 MiB around [`address`] as they are, the kernel's entry point, its stack,
/// the ledger in the kernel map and the boot info.
pub(crate) unsafe fn enter(page_table: u64, boot_info: u64, stack: u64, entry: u64) -> ! {
    // SAFETY: the caller vouches for all of it.
    unsafe {
        asm!("jmp {jump}", jump = sym mayfly_jump, in("rdi") page_table, in("rsi") boot_info, in("rdx") stack,
            in("rcx") entry, options(noreturn));
    }
}

/// Whether five levels of page tables are in use (CR4.LA57).
pub(crate) fn has_five_levels() -> bool {
    let cr4: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, cr4", out(reg) cr4, options(nomem, nostack)) };
    cr4 & 1 << 12 != 0
}

/// Whether a page can be barred from being executed, without which bit 11 of EFER cannot be set (SDM 3A 4.1.4; 4, the register
/// IA32_MISC_ENABLE): firmware can switch it off.
pub(crate) fn has_no_execute() -> bool {
    __cpuid(0x8000_0001).edx & 1 << 20 != 0
}

/// Whether there is QEMU's debug console: it answers with its own number.
pub(crate) fn has_debug_console() -> bool {
    let value: u8;
    // SAFETY: reading the port has no effect.
    unsafe { asm!("in al, dx", in("dx") CONSOLE_PORT, out("al") value, options(nomem, nostack)) };
    value == CONSOLE_PORT as u8
}

/// Prints a byte on the debug console, which is there.
pub(crate) fn print(byte: u8) {
    // SAFETY: the debug console takes bytes.
    unsafe { asm!("out dx, al", in("dx") CONSOLE_PORT, in("al") byte, options(nomem, nostack)) };
}

/// Ends QEMU if it has the exit device; otherwise nothing happens.
pub(crate) fn exit(why: Exit) {
    // SAFETY: only called in QEMU, where nothing else is at this port.
    unsafe { asm!("out dx, eax", in("dx") EXIT_PORT, in("eax") why as u32, options(nomem, nostack)) };
}

/// Stops the core.
pub(crate) fn halt() {
    // SAFETY: with interrupts off nothing goes on.
    unsafe { asm!("cli", "hlt", options(nomem, nostack)) };
}
