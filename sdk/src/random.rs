//! Random bytes, fit for keys.

use mayfly_abi::call::{RANDOM_MAX, Reason};

use crate::{call, line};

/// Fills `out` with random bytes.
pub fn fill(out: &mut [u8]) {
    for chunk in out.chunks_mut(RANDOM_MAX as usize) {
        if let Err(code) = call::random(chunk) {
            line::fail(Reason::Panic, format_args!("the kernel gave no random bytes: {code:?}"));
        }
    }
}

/// A random number, each as likely as any other.
pub fn u64() -> u64 {
    let mut bytes = [0; 8];
    fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
