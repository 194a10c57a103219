//! The program's own way in: it notes every register before any code can change one.

use core::arch::naked_asm;
use core::panic::PanicInfo;

use mayfly_sdk::entry::{Heap, init, panicked, run};

/// The registers that the first instruction found.
#[repr(C, align(16))]
pub(crate) struct Entry {
    /// SSE and x87, as `fxsave64` lays them out.
    pub(crate) float: [u8; 512],
    /// GS, FS, ES, DS.
    pub(crate) selectors: [u64; 4],
    /// RAX, RBX, RCX, RDX, RSI, RDI, RBP.
    pub(crate) low: [u64; 7],
    /// RSP, after the flags and the eight registers above were pushed.
    pub(crate) rsp: u64,
    /// R8 to R15.
    pub(crate) high: [u64; 8],
    /// Flags.
    pub(crate) flags: u64,
}

#[global_allocator]
static HEAP: Heap = Heap::new();

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    panicked(info)
}

/// The kernel jumps here, with RSP 8 below the top of the stack: after 21 words it is 16-byte aligned.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub(crate) extern "C" fn _start() -> ! {
    naked_asm!(
        "pushfq",
        "push r15", "push r14", "push r13", "push r12", "push r11", "push r10", "push r9", "push r8",
        "push rsp",
        "push rbp", "push rdi", "push rsi", "push rdx", "push rcx", "push rbx", "push rax",
        "mov eax, ds", "push rax",
        "mov eax, es", "push rax",
        "mov eax, fs", "push rax",
        "mov eax, gs", "push rax",
        "sub rsp, 512",
        "fxsave64 [rsp]",
        "mov rdi, rsp",
        "call {noted}",
        noted = sym noted,
    )
}

/// The kernel jumps here once, before the first request.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn mayfly_init() -> ! {
    init(crate::memory::prepare)
}

extern "C" fn noted(entry: &Entry) -> ! {
    run(|request| crate::remember(request, entry))
}
