//! Instructions that the CPU keeps for ring 0, by groups.

use attacks::Table;

use crate::instructions;

pub(crate) const TABLE: Table<fn()> = instructions! {
    "/read-cr0": "mov rax, cr0";
    "/write-cr0": "xor eax, eax", "mov cr0, rax";
    "/read-cr2": "mov rax, cr2";
    "/read-cr3": "mov rax, cr3";
    "/write-cr3": "xor eax, eax", "mov cr3, rax";
    "/read-cr4": "mov rax, cr4";
    "/write-cr4": "xor eax, eax", "mov cr4, rax";
    "/read-cr8": "mov rax, cr8";
    "/write-cr8": "mov eax, 15", "mov cr8, rax";
    "/clts": "clts";
    "/lmsw": "xor eax, eax", "lmsw ax";
    "/smsw": "smsw eax";
    "/xsetbv": "mov eax, 7", "xor edx, edx", "xor ecx, ecx", "xsetbv";
    "/read-dr7": "mov rax, dr7";
    "/write-dr0": "xor eax, eax", "mov dr0, rax";
    "/write-dr7": "mov eax, 0x401", "mov dr7, rax";
    // The one that holds the address of the kernel's call entry, and the one that lets the CPU execute `sysret`.
    "/rdmsr": "mov ecx, 0xc0000082", "rdmsr";
    "/wrmsr": "mov ecx, 0xc0000082", "xor eax, eax", "xor edx, edx", "wrmsr";
    "/wrmsr-efer": "mov ecx, 0xc0000080", "xor eax, eax", "xor edx, edx", "wrmsr";
    "/rdpmc": "xor ecx, ecx", "rdpmc";
    // The console, and the port that ends the machine.
    "/in": "in al, 0xe9";
    "/out": "mov eax, 16", "out 0xf4, eax";
    "/in-dx": "mov edx, 0x3f8", "in al, dx";
    "/out-dx": "mov edx, 0xe9", "mov eax, 33", "out dx, al";
    "/ins": "mov edx, 0xe9", "lea rdi, [rsp - 64]", "insb";
    "/outs": "mov edx, 0xe9", "mov ecx, 8", "mov rsi, rsp", "rep outsb";
    "/hlt": "hlt";
    "/cli": "cli";
    "/sti": "sti";
    "/lgdt": "lgdt [rsp - 16]";
    "/lidt": "lidt [rsp - 16]";
    "/lldt": "xor eax, eax", "lldt ax";
    "/ltr": "mov eax, 0x28", "ltr ax";
    "/sgdt": "sgdt [rsp - 16]";
    "/sidt": "sidt [rsp - 16]";
    "/sldt": "sldt eax";
    "/str": "str eax";
    "/invlpg": "invlpg [rsp]";
    "/invpcid": "xor eax, eax", "invpcid rax, [rsp]";
    "/swapgs": "swapgs";
    "/wbinvd": "wbinvd";
    "/invd": "invd";
    "/sysret": "mov rcx, 0xffffffff80120000", "mov r11, 0x202", "sysretq";
    "/sysexit": "sysexit";
};
