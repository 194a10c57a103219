//! The call instruction without the SDK around it.

use core::arch::asm;
use core::ptr::with_exposed_provenance_mut;

use mayfly_abi::domain::{RESPONSE_BASE, RESPONSE_BODY};

/// What a call left in `rax` and `rdx`.
pub(crate) struct Answer {
    pub(crate) code: u64,
    pub(crate) value: u64,
}

/// Makes a call with whatever numbers.
pub(crate) fn call(number: u64, arguments: [u64; 3]) -> Answer {
    let [first, second, third] = arguments;
    let (code, value);
    // SAFETY: all that the convention clobbers is named, by the C ABI's list and two more. Every case is one that must
    // be refused, or that writes nowhere but in the response window and on the heap, where no reference points.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => code,
            in("rdi") first, in("rsi") second, inlateout("rdx") third => value,
            clobber_abi("sysv64"),
            options(nostack),
        );
    }
    Answer { code, value }
}

/// Writes bytes to the response window.
pub(crate) fn write_response(offset: u64, bytes: &[u8]) {
    assert!(offset + bytes.len() as u64 <= RESPONSE_BODY + crate::cases::RESPONSE_LIMIT);
    let window = with_exposed_provenance_mut::<u8>((RESPONSE_BASE + offset) as usize);
    // SAFETY: the window is mapped for us to write, longer than the bytes, and no reference points into it.
    unsafe { window.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
}

/// Reads bytes of the response window.
pub(crate) fn read_response(offset: u64, out: &mut [u8]) {
    assert!(offset + out.len() as u64 <= RESPONSE_BODY + crate::cases::RESPONSE_LIMIT);
    let window = with_exposed_provenance_mut::<u8>((RESPONSE_BASE + offset) as usize);
    // SAFETY: as above.
    unsafe { window.copy_to_nonoverlapping(out.as_mut_ptr(), out.len()) };
}
