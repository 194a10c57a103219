//! The calls to the kernel, one function each. docs/abi.md says what each does and when it is refused.

use core::arch::asm;

use mayfly_abi::call::{Call, Code, Reason};

/// Makes a call: the number in `rax`, arguments in `rdi`, `rsi`, `rdx`; a [`Code`] in `rax` and a value in `rdx`.
///
/// # Safety
/// For `Random`, the first two arguments must name memory that the caller may overwrite. The kernel writes nowhere else.
unsafe fn call(call: Call, first: u64, second: u64, third: u64) -> Result<u64, Code> {
    let (code, value): (u64, u64);
    // SAFETY: every register that the convention clears or clobbers is named here, the stack is left alone, and the
    // kernel reads and writes only what the arguments name, for which the caller vouches.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") u64::from(call as u32) => code,
            in("rdi") first,
            in("rsi") second,
            inlateout("rdx") third => value,
            lateout("rcx") _, lateout("r11") _,
            lateout("xmm0") _, lateout("xmm1") _, lateout("xmm2") _, lateout("xmm3") _,
            lateout("xmm4") _, lateout("xmm5") _, lateout("xmm6") _, lateout("xmm7") _,
            lateout("xmm8") _, lateout("xmm9") _, lateout("xmm10") _, lateout("xmm11") _,
            lateout("xmm12") _, lateout("xmm13") _, lateout("xmm14") _, lateout("xmm15") _,
            lateout("mm0") _, lateout("mm1") _, lateout("mm2") _, lateout("mm3") _,
            lateout("mm4") _, lateout("mm5") _, lateout("mm6") _, lateout("mm7") _,
            lateout("st(0)") _, lateout("st(1)") _, lateout("st(2)") _, lateout("st(3)") _,
            lateout("st(4)") _, lateout("st(5)") _, lateout("st(6)") _, lateout("st(7)") _,
            options(nostack),
        );
    }
    match Code::try_from(code) {
        Ok(Code::Ok) => Ok(value),
        Ok(refused) => Err(refused),
        // A kernel newer than this SDK: whatever the code means, the call was not carried out.
        Err(_) => Err(Code::UnknownCall),
    }
}

/// Answers the request from the response window. Returns only if refused, with the reason.
pub(crate) fn respond(status: u16, headers_len: usize, body_len: usize) -> Code {
    // SAFETY: `Respond` takes no pointers.
    let refused = unsafe { call(Call::Respond, u64::from(status), headers_len as u64, body_len as u64) };
    refused.err().unwrap_or(Code::Ok)
}

/// Writes one line of at most `LOG_MAX` bytes to the machine's console.
pub(crate) fn log(text: &[u8]) -> Result<(), Code> {
    // SAFETY: `Log` only reads, and the slice can be read.
    unsafe { call(Call::Log, text.as_ptr() as u64, text.len() as u64, 0) }.map(|_| ())
}

/// Adds `bytes`, a whole number of pages, to the end of the heap and returns the address where they start.
pub(crate) fn grow(bytes: usize) -> Result<*mut u8, Code> {
    // SAFETY: `Grow` takes no pointers, and maps only pages that were not mapped before.
    let start = unsafe { call(Call::Grow, bytes as u64, 0, 0) }?;
    Ok(core::ptr::with_exposed_provenance_mut(start as usize))
}

/// Nanoseconds since boot.
pub(crate) fn clock() -> Result<u64, Code> {
    // SAFETY: `Clock` takes no arguments.
    unsafe { call(Call::Clock, 0, 0, 0) }
}

/// Fills at most `RANDOM_MAX` bytes.
pub(crate) fn random(out: &mut [u8]) -> Result<(), Code> {
    // SAFETY: the slice is ours alone while the kernel fills it.
    unsafe { call(Call::Random, out.as_mut_ptr() as u64, out.len() as u64, 0) }.map(|_| ())
}

/// Ends the initialisation: what is in data and heap now is what every invocation starts with.
pub(crate) fn ready() -> ! {
    // SAFETY: `Ready` takes no arguments.
    let refused = unsafe { call(Call::Ready, 0, 0, 0) };
    fail(Reason::Panic, if refused.is_err() { b"the kernel refused the end of the initialisation" } else { b"" })
}

/// Ends the invocation without a response; the client gets 502 or 507. The text, at most `LOG_MAX` bytes, is logged.
pub(crate) fn fail(reason: Reason, text: &[u8]) -> ! {
    // SAFETY: `Fail` only reads, and the slice can be read.
    let _refused = unsafe { call(Call::Fail, u64::from(reason as u32), text.as_ptr() as u64, text.len() as u64) };
    // The kernel refuses a failure only if the SDK is wrong about the contract. End in the way that needs no call.
    // SAFETY: an invalid instruction faults, and a fault ends the domain.
    unsafe { asm!("ud2", options(noreturn, nomem, nostack)) }
}
