//! Selectors in the segment registers: none but a function's own can be loaded. FS and GS have no base of the function's.

use attacks::Table;

use crate::instructions;

pub(crate) const TABLE: Table<fn()> = instructions! {
    "/kernel-data-in-ds": "mov eax, 0x10", "mov ds, eax";
    "/kernel-data-in-fs": "mov eax, 0x10", "mov fs, eax";
    "/kernel-code-in-gs": "mov eax, 0x08", "mov gs, eax";
    "/kernel-data-in-ss": "mov eax, 0x10", "mov ss, eax";
    "/null-in-ss": "xor eax, eax", "mov ss, eax";
    "/task-in-es": "mov eax, 0x2b", "mov es, eax";
    "/beyond-the-table": "mov eax, 0xfffb", "mov gs, eax";
    "/local-table": "mov eax, 7", "mov fs, eax";
    "/rdfsbase": "rdfsbase rax";
    "/rdgsbase": "rdgsbase rax";
    "/wrfsbase": "xor eax, eax", "wrfsbase rax";
    "/wrgsbase": "mov rax, 0xffff800000000000", "wrgsbase rax";
    // With GS as the kernel sets it, this would read the core's own data.
    "/read-by-gs": "mov rax, gs:[0]";
    "/read-by-fs": "mov rax, fs:[0]";
};
