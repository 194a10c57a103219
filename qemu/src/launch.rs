//! What is wanted of a machine.

mod arguments;
mod plan;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

pub use self::plan::Plan;
use crate::wire::Impairments;
use crate::{Accelerator, CommandLine, Error, Machine, MachineType};

/// The port on which the kernel serves HTTP.
pub(crate) const GUEST_PORT: u16 = 8080;
/// The kernel's address, if it is told one.
pub(crate) const GUEST_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);
/// The address of whom it sends to.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
/// The power of two that is the ticks of an instruction where firmware boots a disk. Firmware waits by the clock, for 2 s in all:
/// with one tick that would be 2,000 million instructions.
const DISK_SHIFT: u32 = 6;

/// Describes a machine. The defaults: microvm, TCG, 64 MiB, a network card with a static address, any free port.
#[derive(Clone, Debug)]
pub struct Launch {
    image: PathBuf,
    machine: &'static MachineType,
    accelerator: Accelerator,
    cpu: Option<String>,
    memory_mib: u32,
    port: u16,
    network: bool,
    nic: Option<String>,
    is_board: bool,
    tap: Option<String>,
    wire: Option<Impairments>,
    capture: Option<PathBuf>,
    static_address: bool,
    icount: bool,
    untold_clock: bool,
    gdb: Option<u16>,
    monitored: bool,
    traced: bool,
    used_memory: bool,
    kernel_arguments: Vec<String>,
}

impl Launch {
    /// A machine that boots this ELF.
    pub fn new(image: impl Into<PathBuf>) -> Self {
        Self {
            image: image.into(),
            machine: &MachineType::all()[0],
            accelerator: Accelerator::Tcg,
            cpu: None,
            memory_mib: 64,
            port: 0,
            network: true,
            nic: None,
            is_board: false,
            tap: None,
            wire: None,
            capture: None,
            static_address: true,
            icount: false,
            untold_clock: false,
            gdb: None,
            monitored: false,
            traced: false,
            used_memory: false,
            kernel_arguments: Vec::new(),
        }
    }

    /// Another machine than the first one in [`MachineType::all`].
    #[must_use]
    pub fn machine(mut self, machine: &'static MachineType) -> Self {
        self.machine = machine;
        self
    }

    /// What executes the guest's instructions.
    #[must_use]
    pub fn accelerator(mut self, accelerator: Accelerator) -> Self {
        self.accelerator = accelerator;
        self
    }

    /// Another processor than the machine's, as QEMU's `-cpu` names it.
    #[must_use]
    pub fn cpu(mut self, cpu: impl Into<String>) -> Self {
        self.cpu = Some(cpu.into());
        self
    }

    /// Guest memory in MiB.
    #[must_use]
    pub fn memory_mib(mut self, memory_mib: u32) -> Self {
        self.memory_mib = memory_mib;
        self
    }

    /// The TCP port on 127.0.0.1 that leads to the kernel's server; 0 picks a free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// No network card.
    #[must_use]
    pub fn without_network(mut self) -> Self {
        self.network = false;
        self
    }

    /// Another of the machine's network cards than its first, by name.
    #[must_use]
    pub fn nic(mut self, name: impl Into<String>) -> Self {
        self.nic = Some(name.into());
        self
    }

    /// As on a board: the kernel prints on a serial port, and has to switch the machine off itself.
    #[must_use]
    pub fn like_a_board(mut self) -> Self {
        self.is_board = true;
        self
    }

    /// A tap interface of this host, in place of QEMU's own network: the interface is up and has the address [`GATEWAY`].
    #[must_use]
    pub fn tap(mut self, interface: impl Into<String>) -> Self {
        self.tap = Some(interface.into());
        self
    }

    /// A wire that does this to frames, in place of QEMU's own network. It has no DHCP server.
    #[must_use]
    pub fn wire(mut self, impairments: Impairments) -> Self {
        self.wire = Some(impairments);
        self
    }

    /// Writes what the network card sends and receives to a pcap file. There is a wire then, a clean one if none was
    /// asked for.
    #[must_use]
    pub fn capture(mut self, path: impl Into<PathBuf>) -> Self {
        self.capture = Some(path.into());
        self
    }

    /// No address on the kernel's command line: the kernel asks for one by DHCP.
    #[must_use]
    pub fn dhcp(mut self) -> Self {
        self.static_address = false;
        self
    }

    /// Counts instructions: the guest's TSC ticks [`Launch::ticks`] times for each, the same in every run. TCG only.
    ///
    /// While the guest waits, its clock follows the host's; otherwise it would jump to its next timer, and every client
    /// would be too slow for it.
    #[must_use]
    pub fn icount(mut self) -> Self {
        self.icount = true;
        self
    }

    /// Ticks of the TSC for each instruction that is counted: one, or more where firmware boots a disk.
    pub fn ticks(&self) -> u64 {
        1 << self.shift()
    }

    fn shift(&self) -> u32 {
        if self.machine.drive.is_some() { DISK_SHIFT } else { 0 }
    }

    /// Does not tell the kernel how fast its clock runs: it has to find out.
    #[must_use]
    pub fn untold_clock(mut self) -> Self {
        self.untold_clock = true;
        self
    }

    /// Waits for a debugger on this TCP port of 127.0.0.1 before the first instruction.
    #[must_use]
    pub fn gdb(mut self, port: u16) -> Self {
        self.gdb = Some(port);
        self
    }

    /// With QEMU's monitor, which [`Machine::translated_blocks`] asks. It is left out of timed runs.
    #[must_use]
    pub fn monitored(mut self) -> Self {
        self.monitored = true;
        self
    }

    /// With a trace of the guest's accesses to devices, which [`Machine::exits`] counts. It is left out of timed runs.
    #[must_use]
    pub fn traced(mut self) -> Self {
        self.traced = true;
        self
    }

    /// Fills memory with bytes that are not zero before the machine starts, as another system would leave it, and does not
    /// tell the kernel otherwise.
    #[must_use]
    pub fn used_memory(mut self) -> Self {
        self.used_memory = true;
        self
    }

    /// Adds `key=value` to the kernel's command line.
    #[must_use]
    pub fn kernel_argument(mut self, argument: impl Into<String>) -> Self {
        self.kernel_arguments.push(argument.into());
        self
    }

    /// The machine.
    pub fn machine_type(&self) -> &'static MachineType {
        self.machine
    }

    /// What it boots.
    pub fn image(&self) -> &Path {
        &self.image
    }

    /// The same with another image.
    #[must_use]
    pub fn with_image(mut self, image: impl Into<PathBuf>) -> Self {
        self.image = image.into();
        self
    }

    /// The same with at least so much memory, in MiB.
    #[must_use]
    pub fn at_least_mib(mut self, memory_mib: u32) -> Self {
        self.memory_mib = self.memory_mib.max(memory_mib);
        self
    }

    /// Decides everything that was left open. Starts nothing.
    pub fn plan(self) -> Result<Plan, Error> {
        Plan::of(self)
    }

    /// Boots the machine.
    pub fn start(self) -> Result<Machine, Error> {
        self.plan()?.start()
    }

    /// QEMU's command line, with `{port}` and `{ram}` for what differs from start to start.
    pub fn template(&self) -> CommandLine {
        self.command("{port}", "{ram}")
    }

    fn has_wire(&self) -> bool {
        self.network && self.tap.is_none() && (self.wire.is_some() || self.capture.is_some())
    }
}
