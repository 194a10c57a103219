//! QEMU's own trace of the guest's accesses to devices, each of which leaves the guest's code: an exit.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The events that are traced: an access to a device's registers, by port or by memory.
const EVENTS: &str = "memory_region_ops_*";
/// Addresses below are ports: no machine has devices so low in memory.
const PORTS: u64 = 0x1_0000;

/// Accesses of the guest to devices since QEMU was started, its firmware's among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exits {
    /// To I/O ports.
    pub ports: u64,
    /// To registers in memory, those of the interrupt controllers among them.
    pub mmio: u64,
}

/// The file that QEMU traces to. Dropping it removes the file.
#[derive(Debug)]
pub(crate) struct Trace {
    path: PathBuf,
}

impl Trace {
    /// The trace of a machine with this memory file.
    pub(crate) fn of(memory: &Path) -> Self {
        Self { path: memory.with_extension("trace") }
    }

    /// What makes QEMU write it.
    pub(crate) fn arguments(&self) -> [String; 4] {
        ["-trace".to_owned(), EVENTS.to_owned(), "-D".to_owned(), self.path.display().to_string()]
    }

    /// Counts what was traced so far.
    pub(crate) fn exits(&self) -> io::Result<Exits> {
        let text = fs::read_to_string(&self.path)?;
        let mut exits = Exits::default();
        for address in text.lines().filter_map(address) {
            *if address < PORTS { &mut exits.ports } else { &mut exits.mmio } += 1;
        }
        if exits == Exits::default() {
            // The firmware alone makes some.
            return Err(io::Error::other("QEMU traced nothing: it has to be built with the trace backend `log`"));
        }
        Ok(exits)
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        // Not there if QEMU never started.
        let _ = fs::remove_file(&self.path);
    }
}

/// The address in a line of the trace, if a processor made the access: devices, too, write to registers.
fn address(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once("memory_region_ops_")?;
    let (processor, rest) = rest.split_once(" cpu ")?.1.split_once(' ')?;
    let _: u32 = processor.parse().ok()?;
    let digits = rest.split_once("addr 0x")?.1;
    u64::from_str_radix(digits.split_once(' ')?.0, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::fresh_path;

    #[test]
    fn accesses_of_processors_are_counted_by_kind() {
        let trace = Trace::of(&fresh_path("ram"));
        fs::write(
            &trace.path,
            "memory_region_ops_write cpu 0 mr 0x5638b3294800 addr 0xcf8 value 0x80000000 size 4 name 'io'\n\
             memory_region_ops_read cpu 0 mr 0x5638b3294800 addr 0xcfc value 0xffffffff size 4 name 'io'\n\
             memory_region_ops_write cpu -1 mr 0x5638b34374a0 addr 0xfee00000 value 0x21 size 4 name 'apic-msi'\n\
             memory_region_ops_read cpu 1 mr 0x5638b3699490 addr 0xfeb00e60 value 0x1 size 4 name 'virtio-mmio'\n\
             memory_region_ops_wri",
        )
        .expect("there is room");
        assert_eq!(trace.exits().expect("it is there"), Exits { ports: 2, mmio: 1 });
        let path = trace.path.clone();
        drop(trace);
        assert!(!path.exists());
    }

    #[test]
    fn an_empty_trace_is_not_one_without_exits() {
        let trace = Trace::of(&fresh_path("ram"));
        assert!(trace.exits().is_err(), "there is no file");
        fs::write(&trace.path, "").expect("there is room");
        assert!(trace.exits().expect_err("nothing is in it").to_string().contains("trace backend"));
    }
}
