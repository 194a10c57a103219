//! What can go wrong when a machine is launched, as sentences that say what to do.

use std::io;
use std::path::PathBuf;

use crate::machine_type::Firmware;
use crate::{Ending, Version};

/// A launch that failed, or a machine that ended when it was needed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// QEMU's program is not on the path.
    #[error("{binary} is not installed: install it with `apt-get install --no-install-recommends {package}`")]
    QemuMissing {
        /// The program that was looked for.
        binary: String,
        /// The Debian package that brings it.
        package: String,
    },
    /// QEMU is there but older than what the machines need.
    #[error(
        "{binary} is version {found}, and Mayfly needs {} or newer: upgrade the package {package}",
        Version::NEEDED
    )]
    QemuTooOld {
        /// The program that was asked.
        binary: String,
        /// The Debian package that brings it.
        package: String,
        /// The version it gave.
        found: Version,
    },
    /// The program does not answer `--version` as QEMU does.
    #[error("`{binary} --version` does not name a QEMU version; it says: {said}")]
    QemuUnknown {
        /// The program that was asked.
        binary: String,
        /// Its answer.
        said: String,
    },
    /// Another program listens on the port.
    #[error("port {port} is in use: stop what listens there, or choose another one with --port")]
    PortInUse {
        /// The TCP port on 127.0.0.1.
        port: u16,
    },
    /// The image file cannot be read.
    #[error("the image {} cannot be read ({source}): build it with `mayfly build`, or name another one", path.display())]
    ImageMissing {
        /// Where it should be.
        path: PathBuf,
        /// Why it could not be opened.
        source: io::Error,
    },
    /// The machine's firmware cannot be read.
    #[error(
        "the firmware {} cannot be read ({source}): install it with `apt-get install {}`",
        firmware.file.display(), firmware.package
    )]
    FirmwareMissing {
        /// What the machine file says.
        firmware: Firmware,
        /// Why it could not be opened.
        source: io::Error,
    },
    /// An ELF for a machine that boots disks, or a disk for one that boots CDs, or the other way round.
    #[error("{} is not what the machine {machine} boots: build it with `mayfly build --format {format}`", path.display())]
    WrongFormat {
        /// The file.
        path: PathBuf,
        /// The machine's name.
        machine: String,
        /// What the machine boots.
        format: &'static str,
    },
    /// The machine does not come with such a card.
    #[error("machine {machine} has no network card `{name}`: choose one of {known}")]
    NoSuchNic {
        /// The machine's name.
        machine: String,
        /// The card that was asked for.
        name: String,
        /// Those it has.
        known: String,
    },
    /// KVM was asked for and cannot be had.
    #[error("/dev/kvm cannot be opened ({source}): use --accel tcg, or get access to it")]
    NoKvm {
        /// Why it could not be opened.
        source: io::Error,
    },
    /// QEMU ended while it was needed.
    #[error("{ending}\n{report}")]
    Ended {
        /// How it ended.
        ending: Ending,
        /// Console, QEMU's own messages and the command line.
        report: String,
    },
    /// QEMU runs, but did not do in time what was waited for.
    #[error("{what} took longer than {seconds} s\n{report}")]
    TimedOut {
        /// What was waited for.
        what: &'static str,
        /// How long, in seconds.
        seconds: u64,
        /// Console, QEMU's own messages and the command line.
        report: String,
    },
    /// A machine without a monitor was asked what only the monitor knows.
    #[error("the machine was launched without a monitor: use Launch::monitored")]
    NotMonitored,
    /// A machine without a trace was asked what only the trace knows.
    #[error("the machine was launched without a trace: use Launch::traced")]
    NotTraced,
    /// The operating system refused something.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was attempted.
        doing: String,
        /// Why it failed.
        source: io::Error,
    },
}

impl Error {
    /// For `map_err`: says what was being done.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing: doing.into(), source }
    }

    /// For `map_err`: says why a port cannot be had.
    pub(crate) fn port(port: u16) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::AddrInUse => Self::PortInUse { port },
            _ => Self::io(format!("listen on port {port}"))(source),
        }
    }
}
