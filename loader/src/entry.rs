//! The first instructions of the machine, and the last ones of the loader. There are two ways in: PVH (Xen's x86/HVM direct
//! boot ABI), which machine monitors take, and Multiboot2 (GNU Multiboot2 Specification 2.0), which is GRUB's.

use core::arch::{asm, global_asm};
use mayfly_abi::boot::{BOOT_BLOCK, CR0, CR4, EFER, KERNEL_STACK_TOP, PAGE_TABLE_OFFSET};
use mayfly_abi::exit::{CONSOLE_PORT, EXIT_PORT, Exit};
use mayfly_abi::ledger::Phase;

/// Address of a phase's stamp. The ledger lies at its physical address until the kernel drops the identity map.
const fn stamp(phase: Phase) -> u64 {
    mayfly_abi::boot::LEDGER + phase.offset() as u64
}

// A Multiboot2 header (3.1): magic number, 32-bit protected mode, length, and what makes the sum zero.
const MULTIBOOT: u32 = 0xe852_50d6;
const MULTIBOOT_LEN: u32 = 64;

global_asm!(
    // GRUB jumps here. Else than that EBX = boot information, all is as below.
    ".section .text.entry, \"ax\"",
    ".code32",
    "multiboot_entry:",
    "movl ${load_multiboot}, %ebp",
    "jmp 5f",
    // The monitor jumps here: 32-bit protected mode, paging off, flat segments, interrupts off, EBX = start info.
    ".global pvh_entry",
    "pvh_entry:",
    "movl ${load_pvh}, %ebp",
    "5:",
    "rdtsc",
    "movl %eax, {stamp_entry}",
    "movl %edx, {stamp_entry} + 4",
    "movl {page_table}, %eax",
    "movl %eax, %cr3",
    "movl ${cr4}, %eax",
    "movl %eax, %cr4",
    "movl $0xc0000080, %ecx",
    "movl ${efer}, %eax",
    "xorl %edx, %edx",
    "wrmsr",
    "movl ${cr0}, %eax",
    "movl %eax, %cr0",
    "lgdt 4f",
    "ljmp $8, $3f",
    ".code64",
    "3:",
    "rdtsc",
    "movl %eax, {stamp_paging}",
    "movl %edx, {stamp_paging} + 4",
    "xorl %eax, %eax",
    "movl %eax, %ds",
    "movl %eax, %es",
    "movl %eax, %ss",
    "movl %eax, %fs",
    "movl %eax, %gs",
    "movl ${stack}, %esp",
    "movl %ebx, %edi",
    "movl %ebp, %ebp",
    "call *%rbp",
    "ud2",
    // One 64-bit code segment is all that the jump needs; the kernel brings its own table.
    ".balign 8",
    "2: .quad 0, 0x00af9b000000ffff",
    "4: .word 15",
    ".long 2b",
    // GRUB looks for this in the first 32 KiB of the file.
    ".balign 8",
    "6: .long {multiboot}, 0, {multiboot_len}, {multiboot_sum}",
    // Where to jump to (3.1.5): type 3.
    ".word 3, 0",
    ".long 12, multiboot_entry, 0",
    // A screen of pixels, if there is one to be had (3.1.10): type 5; width, height, bits of a pixel.
    ".word 5, 1",
    ".long 20, 1024, 768, 32, 0",
    // The end: type 0.
    ".word 0, 0",
    ".long 8",
    ".if . - 6b - {multiboot_len}",
    ".error \"the header's length is another\"",
    ".endif",
    ".code64",
    ".text",
    stamp_entry = const stamp(Phase::Entry),
    stamp_paging = const stamp(Phase::Paging),
    page_table = const BOOT_BLOCK + PAGE_TABLE_OFFSET,
    cr4 = const CR4,
    cr0 = const CR0,
    efer = const EFER,
    stack = const KERNEL_STACK_TOP,
    load_pvh = sym crate::load_pvh,
    load_multiboot = sym crate::load_multiboot,
    multiboot = const MULTIBOOT,
    multiboot_len = const MULTIBOOT_LEN,
    multiboot_sum = const (MULTIBOOT + MULTIBOOT_LEN).wrapping_neg(),
    options(att_syntax)
);

/// Jumps to the kernel with `boot_info` as its argument.
///
/// # Safety
/// `entry` is the kernel's entry point and `stack` the top of memory that is nobody else's, both mapped.
pub(crate) unsafe fn enter_kernel(boot_info: u64, stack: u64, entry: u64) -> ! {
    // SAFETY: the caller vouches for all three; the pushed zero ends the chain of frames and aligns the stack.
    unsafe {
        asm!("mov rsp, {stack}", "xor ebp, ebp", "push 0", "jmp {entry}",
            stack = in(reg) stack, entry = in(reg) entry, in("rdi") boot_info, options(noreturn));
    }
}

/// Prints `text` on the debug console and ends the machine.
pub(crate) fn give_up(text: &[u8]) -> ! {
    for byte in text {
        // SAFETY: the debug console takes bytes; where there is none the write does nothing.
        unsafe { asm!("out dx, al", in("dx") CONSOLE_PORT, in("al") *byte, options(nomem, nostack)) };
    }
    loop {
        // SAFETY: ends QEMU if it has the exit device; otherwise the core stops for good.
        unsafe {
            asm!("out dx, eax", "cli", "hlt", in("dx") EXIT_PORT, in("eax") Exit::Refused as u32, options(nomem, nostack));
        }
    }
}
