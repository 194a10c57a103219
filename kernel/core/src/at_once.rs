//! Questions that are asked as one: a boot is short if it meets few branches.

use core::hint::black_box;

/// A condition that was joined of others with `&` and `|`, as the one branch that it reads as.
///
/// The compiler makes a branch of each part otherwise, which is quicker where code runs often, and slower where it runs for the
/// first time: a CPU that translates code, as QEMU's does, takes as long for a branch as for a thousand instructions. For code
/// that a boot goes through once.
#[inline(always)]
pub fn at_once(condition: bool) -> bool {
    black_box(condition)
}
