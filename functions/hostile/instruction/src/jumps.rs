//! Jumps into the kernel, and returns with forged frames.

use attacks::Table;

use crate::instructions;

// Selectors: kernel code 0x08, kernel data 0x10, user data 0x1b, user code 0x23, task 0x28.
pub(crate) const TABLE: Table<fn()> = instructions! {
    // From the top: RIP, CS, flags, RSP, SS.
    "/iret-to-ring-0": "mov rdx, rsp", "push 0x10", "push rdx", "push 0x202", "push 0x08", "lea rax, [rip + 2f]",
        "push rax", "iretq", "2:";
    "/iret-to-ring-0-as-ring-3": "mov rdx, rsp", "push 0x1b", "push rdx", "push 0x202", "push 0x0b",
        "lea rax, [rip + 2f]", "push rax", "iretq", "2:";
    "/iret-with-kernel-stack-segment": "mov rdx, rsp", "push 0x10", "push rdx", "push 0x202", "push 0x23",
        "lea rax, [rip + 2f]", "push rax", "iretq", "2:";
    "/iret-with-null-code-segment": "mov rdx, rsp", "push 0x1b", "push rdx", "push 0x202", "push 0",
        "lea rax, [rip + 2f]", "push rax", "iretq", "2:";
    "/iret-into-kernel": "mov rdx, rsp", "push 0x1b", "push rdx", "push 0x202", "push 0x23",
        "mov rax, 0xffffffff80120000", "push rax", "iretq";
    "/iret-to-noncanonical": "mov rdx, rsp", "push 0x1b", "push rdx", "push 0x202", "push 0x23",
        "mov rax, 0x800000000000", "push rax", "iretq";
    "/iret-as-nested-task": "mov rdx, rsp", "pushfq", "or dword ptr [rsp], 0x4000", "popfq", "push 0x1b", "push rdx",
        "push 0x202", "push 0x23", "lea rax, [rip + 2f]", "push rax", "iretq", "2:";
    // The kernel's stack, where it is in use, as the frame.
    "/iret-through-kernel-stack": "mov rsp, 0xffffffff8011ff80", "iretq";
    "/far-return": "push 0x08", "lea rax, [rip + 2f]", "push rax", "retfq", "2:";
    // `jmp` and `call` through 6 bytes: 32 of an offset, 16 of a selector.
    // A far call of the function's own code whose return address goes onto the kernel's stack.
    "/far-call-onto-kernel-stack": "lea rax, [rip + 2f]", "mov rdx, rsp", "push 0x23", "push rax", "mov rcx, rsp",
        "mov rsp, 0xffffffff80114100", ".byte 0x48, 0xff, 0x19", "2:", "mov rsp, rdx";
    "/far-jump": "mov rax, 0x0800120000", "push rax", ".byte 0xff, 0x2c, 0x24";
    "/far-call": "mov rax, 0x0800120000", "push rax", ".byte 0xff, 0x1c, 0x24";
    "/far-jump-to-task": "mov rax, 0x2800000000", "push rax", ".byte 0xff, 0x2c, 0x24";
    "/far-jump-to-data": "mov rax, 0x1b00000000", "push rax", ".byte 0xff, 0x2c, 0x24";
    "/far-jump-to-null": "xor eax, eax", "push rax", ".byte 0xff, 0x2c, 0x24";
};
