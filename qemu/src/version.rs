//! Which QEMU is installed, asked once per program and process.

use std::fmt;
use std::io::ErrorKind;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::{Error, MachineType};

/// A QEMU version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 7 of 7.2.22.
    pub major: u32,
    /// 2 of 7.2.22.
    pub minor: u32,
    /// 22 of 7.2.22.
    pub micro: u32,
}

impl Version {
    /// The oldest version that is tested.
    pub const NEEDED: Self = Self { major: 7, minor: 2, micro: 0 };

    /// Asks the machine's QEMU for its version; it must be at least [`Version::NEEDED`].
    pub fn of(machine: &MachineType) -> Result<Self, Error> {
        static ASKED: Mutex<Vec<(String, Version)>> = Mutex::new(Vec::new());
        let mut asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, version)) = asked.iter().find(|(binary, _)| *binary == machine.binary) {
            return Ok(*version);
        }
        let version = ask(machine)?;
        asked.push((machine.binary.clone(), version));
        Ok(version)
    }

    /// Reads the first line of `qemu-system-x86_64 --version`.
    fn parse(text: &str) -> Option<Self> {
        let version = text.strip_prefix("QEMU emulator version ")?.split_whitespace().next()?;
        let mut parts = version.split('.').map(str::parse);
        let mut next = || parts.next()?.ok();
        Some(Self { major: next()?, minor: next()?, micro: next()? })
    }
}

fn ask(machine: &MachineType) -> Result<Version, Error> {
    let MachineType { binary, package, .. } = machine;
    let output = Command::new(binary).arg("--version").output().map_err(|error| match error.kind() {
        ErrorKind::NotFound => Error::QemuMissing { binary: binary.clone(), package: package.clone() },
        _ => Error::io(format!("run {binary}"))(error),
    })?;
    let said = String::from_utf8_lossy(&output.stdout);
    let Some(found) = Version::parse(&said) else {
        let said = said.lines().next().unwrap_or("nothing").to_owned();
        return Err(Error::QemuUnknown { binary: binary.clone(), said });
    };
    if found < Version::NEEDED {
        return Err(Error::QemuTooOld { binary: binary.clone(), package: package.clone(), found });
    }
    Ok(found)
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}.{}", self.major, self.minor, self.micro)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_qemu_is_understood() {
        let debian = "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)\nCopyright (c) 2003-2022";
        assert_eq!(Version::parse(debian), Some(Version { major: 7, minor: 2, micro: 22 }));
        assert_eq!(Version::parse("QEMU emulator version 10.0.0"), Some(Version { major: 10, minor: 0, micro: 0 }));
        assert_eq!(Version::parse("bochs 2.7"), None);
        assert_eq!(Version::parse("QEMU emulator version x.y"), None);
    }

    #[test]
    fn versions_are_ordered_by_number_not_by_text() {
        assert!(Version { major: 10, minor: 0, micro: 0 } > Version::NEEDED);
        assert!(Version { major: 7, minor: 1, micro: 99 } < Version::NEEDED);
    }
}
