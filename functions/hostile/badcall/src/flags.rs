//! Flags: which of them a function can set, and which come back from the kernel.

use core::arch::asm;

use mayfly_abi::call::Call;
use mayfly_sdk::Response;

/// Every flag but TF (bit 8), IF (bit 9) and the bits that do not exist: CF to OF, IOPL, NT, RF, VM, AC, VIF, VIP, ID.
const ODD: u64 = 0x003f_7cd5;

/// Sets all, without IF, and looks at them before and after a call.
pub(crate) fn across_a_call() -> Response {
    let (before, after): (u64, u64);
    // SAFETY: the flags that matter to us are put back.
    unsafe {
        asm!(
            "push {odd}", "popfq", "pushfq", "pop r12",
            "syscall",
            "pushfq", "pop r13", "push 2", "popfq",
            odd = in(reg) ODD,
            inlateout("rax") Call::Clock as u64 => _,
            out("r12") before, out("r13") after,
            clobber_abi("sysv64"),
        );
    }
    Response::text(format_args!("{before:#x}, after a call {after:#x}\n"))
}
