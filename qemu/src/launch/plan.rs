//! From a launch to one with nothing left open, and from there to a running machine.

use std::fs::File;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::{GUEST_ADDRESS, GUEST_PORT, Launch};
use crate::monitor::Monitor;
use crate::trace::Trace;
use crate::wire::Wire;
use crate::{CommandLine, Error, Machine, MachineType, Memory, Version, scratch};

/// What used memory is full of: as a pointer it leads nowhere.
const LEFT_BEHIND: u8 = 0xa5;

/// A launch with nothing left open: it knows its port and its exact command line.
#[derive(Clone, Debug)]
pub struct Plan {
    launch: Launch,
    address: SocketAddrV4,
    memory_path: PathBuf,
    command: CommandLine,
}

impl Plan {
    /// Picks a port and a file for the guest's memory.
    pub(super) fn of(launch: Launch) -> Result<Self, Error> {
        let address = match launch.port {
            _ if launch.tap.is_some() => SocketAddrV4::new(GUEST_ADDRESS, GUEST_PORT),
            0 if launch.network => SocketAddrV4::new(Ipv4Addr::LOCALHOST, free_port()?),
            port => SocketAddrV4::new(Ipv4Addr::LOCALHOST, port),
        };
        if let Some(name) = &launch.nic {
            launch.machine.nic(name)?;
        }
        let memory_path = scratch::fresh_path("ram");
        let command = launch.command(&address.port().to_string(), &memory_path.to_string_lossy());
        Ok(Self { launch, address, memory_path, command })
    }

    /// QEMU's command line.
    pub fn command(&self) -> &CommandLine {
        &self.command
    }

    /// The TCP port on 127.0.0.1 that leads to the kernel's server.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Boots the machine, if QEMU, image and port are there.
    pub fn start(self) -> Result<Machine, Error> {
        let Self { launch, address, memory_path, command } = self;
        Version::of(launch.machine)?;
        if let Some(firmware) = &launch.machine.firmware {
            File::open(&firmware.file)
                .map_err(|source| Error::FirmwareMissing { firmware: firmware.clone(), source })?;
        }
        check_format(&launch.image, launch.machine)?;
        let wire = if launch.has_wire() {
            let impairments = launch.wire.unwrap_or_default();
            Some(Wire::start(&wire_path(&memory_path), address, impairments, launch.capture.as_deref())?)
        } else {
            None
        };
        if launch.network && launch.tap.is_none() && wire.is_none() {
            // Held only for a moment: it tells the likely mistake before QEMU is started for nothing.
            TcpListener::bind(address).map_err(Error::port(address.port()))?;
        }
        let mut memory = Memory::create(&memory_path, u64::from(launch.memory_mib) << 20)?;
        if launch.used_memory || launch.machine.drive.is_some() {
            memory = memory.searched();
        }
        if launch.used_memory {
            memory.fill(LEFT_BEHIND).map_err(Error::io("fill the guest's memory"))?;
        }
        let mut machine = Machine::spawn(command, address, memory)?;
        if launch.monitored {
            machine.watch_with(Monitor::of(&memory_path));
        }
        if launch.traced {
            machine.count_with(Trace::of(&memory_path));
        }
        if let Some(wire) = wire {
            machine.attach(wire);
        }
        Ok(machine)
    }
}

/// Where an ISO has its first descriptor's identifier (ECMA-119, 6.2.1 and 8.1.2).
const ISO_MAGIC: Range<usize> = 0x8001..0x8006;

/// Refuses a file that cannot be read and what the machine would not boot: an ISO lies on a disk as well as on a CD, an ELF on
/// neither.
fn check_format(image: &Path, machine: &MachineType) -> Result<(), Error> {
    let mut start = Vec::new();
    let read = File::open(image).and_then(|file| file.take(ISO_MAGIC.end as u64).read_to_end(&mut start));
    read.map_err(|source| Error::ImageMissing { path: image.to_owned(), source })?;
    let is_elf = start.starts_with(b"\x7fELF");
    let format = machine.format();
    let boots = match format {
        "elf" => is_elf,
        "iso" => start.get(ISO_MAGIC) == Some(b"CD001".as_slice()),
        _ => !is_elf,
    };
    if boots {
        return Ok(());
    }
    Err(Error::WrongFormat { path: image.to_owned(), machine: machine.name.clone(), format })
}

/// Where QEMU finds its end of the wire: beside its memory.
pub(super) fn wire_path(memory: &Path) -> PathBuf {
    memory.with_extension("wire")
}

fn free_port() -> Result<u16, Error> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::io("find a free port"))?;
    Ok(listener.local_addr().map_err(Error::io("find a free port"))?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tap_takes_the_place_of_the_hosts_port() {
        let plan = Launch::new("x").tap("mayfly0").plan().expect("nothing is looked for");
        let line = plan.command().to_string();
        assert!(line.contains("-netdev tap,id=net,ifname=mayfly0,script=no,downscript=no "), "{line}");
        assert_eq!(plan.address.to_string(), "10.0.2.15:8080");
    }

    #[test]
    fn two_plans_share_neither_port_nor_memory() {
        let plan = || Launch::new("x").plan().expect("a port is free");
        let (one, other) = (plan(), plan());
        assert!(one.port() != 0 && one.port() != other.port());
        assert_ne!(one.memory_path, other.memory_path);
    }
}
