//! What this machine does not offer to ring 3, or to anybody: machine extensions, old instructions, bytes that are none.

use attacks::Table;

use crate::instructions;

pub(crate) const TABLE: Table<fn()> = instructions! {
    "/xgetbv": "xor ecx, ecx", "xgetbv";
    "/xsave": "xsave [rsp - 1024]";
    "/avx": "vzeroupper";
    "/rdpkru": "xor ecx, ecx", "rdpkru";
    "/wrpkru": "xor eax, eax", "xor ecx, ecx", "xor edx, edx", "wrpkru";
    "/stac": "stac";
    "/clac": "clac";
    "/monitor": "mov rax, rsp", "xor ecx, ecx", "xor edx, edx", "monitor";
    "/mwait": "xor eax, eax", "xor ecx, ecx", "mwait";
    "/vmcall": "vmcall";
    "/vmmcall": "vmmcall";
    "/vmrun": "vmrun";
    "/vmload": "vmload";
    "/stgi": "stgi";
    "/clgi": "clgi";
    "/skinit": "skinit";
    "/invlpga": "invlpga rax, ecx";
    "/vmxon": "vmxon [rsp - 16]";
    "/vmread": "vmread rax, rax";
    "/rsm": "rsm";
    "/sysenter": "sysenter";
    "/icebp": ".byte 0xf1";
    "/into": ".byte 0xce";
    "/push-cs": ".byte 0x0e";
    "/salc": ".byte 0xd6";
    "/ud0": ".byte 0x0f, 0xff, 0xc0";
    "/ud1": ".byte 0x0f, 0xb9, 0xc0";
    // Sixteen bytes; the CPU takes fifteen.
    "/too-long": ".byte 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90";
};
