//! Breaks in the way that the path names. Each ends in 502 with the fault's name; other functions notice nothing.
#![no_std]
#![no_main]

use core::arch::asm;
use core::hint::black_box;
use core::mem::transmute;
use core::ptr::null;
use core::sync::atomic::{AtomicU8, Ordering};

use mayfly_sdk::{Request, Response};

mayfly_sdk::function!(fault);

/// The machine code of `ret`.
const RET: u8 = 0xc3;

/// The path of each way to break, and the way.
const WAYS: &[(&str, fn())] = &[
    ("/null", null_read),
    ("/wild-jump", wild_jump),
    ("/write-text", write_text),
    ("/execute-stack", execute_stack),
    ("/execute-data", execute_data),
    ("/privileged", privileged),
    ("/port", port),
    ("/msr", msr),
    ("/interrupt", interrupt),
    ("/descriptors", descriptors),
    ("/divide", divide),
    ("/illegal", illegal),
    ("/breakpoint", breakpoint),
    ("/single-step", single_step),
    ("/step-into-call", step_into_call),
    ("/float", float),
    ("/panic", panic),
];

fn fault(request: &Request) -> Response {
    let Some((path, break_down)) = WAYS.iter().find(|(path, _)| *path == request.path()) else {
        let mut list = Response::text("the path says how to break:\n").with_status(404);
        for (path, _) in WAYS {
            // A list that does not fit is not sent.
            let _ = list.write_bytes(path.as_bytes()).and_then(|()| list.write_bytes(b"\n"));
        }
        return list;
    };
    break_down();
    Response::text(format_args!("{path} did not fault\n"))
}

fn null_read() {
    // SAFETY: none, on purpose: page 0 is never mapped.
    unsafe { null::<u8>().read_volatile() };
}

fn wild_jump() {
    // SAFETY: none, on purpose: nothing is mapped there.
    unsafe { transmute::<usize, extern "C" fn()>(0x1234_5678)() }
}

fn write_text() {
    let own_code = write_text as fn() as *mut u8;
    // SAFETY: none, on purpose: text is mapped R-X.
    unsafe { own_code.write_volatile(RET) };
}

fn execute_stack() {
    let code = AtomicU8::new(RET);
    // SAFETY: none, on purpose: the stack is mapped RW-.
    unsafe { transmute::<*mut u8, extern "C" fn()>(code.as_ptr())() };
}

fn execute_data() {
    static CODE: AtomicU8 = AtomicU8::new(0);
    CODE.store(RET, Ordering::Relaxed);
    // SAFETY: none, on purpose: data is mapped RW-.
    unsafe { transmute::<*mut u8, extern "C" fn()>(CODE.as_ptr())() };
}

fn privileged() {
    // SAFETY: ring 3 may not switch interrupts off.
    unsafe { asm!("cli") };
}

fn port() {
    // SAFETY: ring 3 may not use ports; this one would end the machine.
    unsafe { asm!("out dx, eax", in("dx") mayfly_abi::exit::EXIT_PORT, in("eax") 0) };
}

fn msr() {
    // SAFETY: ring 3 may not read model-specific registers; this one holds the address of the kernel's call entry.
    unsafe { asm!("rdmsr", in("ecx") 0xc000_0082_u32, out("eax") _, out("edx") _) };
}

fn interrupt() {
    // SAFETY: ring 3 may not raise interrupts; this vector is where hardware interrupts usually start.
    unsafe { asm!("int 0x20") };
}

fn descriptors() {
    let mut table = [0_u8; 10];
    // SAFETY: ring 3 may not learn where the interrupt table lies, if the CPU has UMIP. The buffer is long enough.
    unsafe { asm!("sidt [{}]", in(reg) table.as_mut_ptr()) };
}

fn divide() {
    // SAFETY: a division by zero faults before it changes anything.
    unsafe { asm!("div {zero:e}", zero = in(reg) 0, inout("eax") 1 => _, inout("edx") 0 => _) };
}

fn illegal() {
    // SAFETY: an instruction that is none faults.
    unsafe { asm!("ud2") };
}

fn breakpoint() {
    // SAFETY: nobody debugs us, so a breakpoint is a fault.
    unsafe { asm!("int3") };
}

fn single_step() {
    // SAFETY: the trap flag faults after the next instruction, for nobody steps through us.
    unsafe { asm!("pushfq", "or dword ptr [rsp], 0x100", "popfq", "nop") };
}

fn step_into_call() {
    // SAFETY: as above, with a call as the instruction: the kernel must not be stepped through in our stead.
    unsafe {
        asm!("pushfq", "or dword ptr [rsp], 0x100", "popfq", "syscall", "nop", in("rax") 0, clobber_abi("sysv64"));
    }
}

fn float() {
    let unmasked = 0x0340_u16; // The x87 control word, with no exception masked.
    // SAFETY: a division by zero is pending until `fwait` reports it.
    unsafe { asm!("fldcw [{}]", "fld1", "fldz", "fdivp", "fwait", in(reg) &unmasked, clobber_abi("sysv64")) };
}

fn panic() {
    let days: &[&str] = black_box(&["Monday", "Tuesday"]);
    black_box(days[2]);
}
