//! How the machine ends and where it prints: ports of QEMU's debug devices, and what the exit codes mean.

use crate::wire::numbers;

/// Port of QEMU's `isa-debug-exit` device (4 bytes wide). A value written there ends QEMU with `value * 2 + 1`.
pub const EXIT_PORT: u16 = 0xf4;
/// Port of QEMU's `isa-debugcon` device: a byte written is a byte printed; reads give the port number back if it is there.
pub const CONSOLE_PORT: u16 = 0xe9;

numbers! {
    /// Why the kernel ended the machine.
    pub enum Exit {
        /// A kernel invariant did not hold. The console says where.
        Panic = 0x10,
        /// The machine or the image cannot be used: too little memory, no network card, a damaged bundle. The console says why.
        Refused = 0x11,
    }
}

impl Exit {
    /// The exit status that QEMU ends with.
    pub const fn qemu_status(self) -> i32 {
        (self as i32) * 2 + 1
    }
}
