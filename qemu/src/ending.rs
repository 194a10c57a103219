//! How a machine ended: QEMU's exit status, decoded.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use mayfly_abi::exit::Exit;

/// Why QEMU is no longer running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The kernel ended the machine and said why.
    Kernel(Exit),
    /// QEMU ended with status 0: somebody told it to, or the machine reset itself (`-no-reboot` makes that an end).
    Off,
    /// Any other status: 1 is QEMU's own failure, an odd one can be a guest's write to the exit port.
    Status(i32),
    /// A signal ended QEMU.
    Signal(i32),
}

impl From<ExitStatus> for Ending {
    fn from(status: ExitStatus) -> Self {
        if let Some(signal) = status.signal() {
            return Self::Signal(signal);
        }
        let code = status.code().unwrap_or_default();
        match Exit::ALL.iter().find(|exit| exit.qemu_status() == code) {
            Some(exit) => Self::Kernel(*exit),
            None if code == 0 => Self::Off,
            None => Self::Status(code),
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kernel(Exit::Panic) => write!(out, "the kernel panicked"),
            Self::Kernel(Exit::Refused) => write!(out, "the kernel refused to run on this machine or with this image"),
            Self::Off => write!(out, "QEMU was told to stop, or the machine reset itself (a triple fault)"),
            Self::Status(status) => write!(out, "QEMU ended with status {status}"),
            // A guest page that finds no room in the memory file's file system ends QEMU this way.
            Self::Signal(7) => write!(out, "signal 7 (SIGBUS) ended QEMU; is /dev/shm full?"),
            Self::Signal(signal) => write!(out, "signal {signal} ended QEMU"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(code: i32) -> Ending {
        Ending::from(ExitStatus::from_raw(code << 8))
    }

    #[test]
    fn the_kernels_exits_are_told_from_qemus_own() {
        assert_eq!(ending(0x21), Ending::Kernel(Exit::Panic));
        assert_eq!(ending(0x23), Ending::Kernel(Exit::Refused));
        assert_eq!(ending(0), Ending::Off);
        assert_eq!(ending(1), Ending::Status(1));
        assert_eq!(Ending::from(ExitStatus::from_raw(9)), Ending::Signal(9));
    }
}
