//! From what is wanted to QEMU's exact command line, and from there to a running machine.

use std::fs::File;
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::path::{Path, PathBuf};

use mayfly_abi::exit::{CONSOLE_PORT, EXIT_PORT};

use crate::monitor::Monitor;
use crate::trace::Trace;
use crate::wire::{Impairments, Wire};
use crate::{Accelerator, CommandLine, Error, Machine, MachineType, Memory, Version, scratch, tsc_hz};

/// The port on which the kernel serves HTTP.
pub(crate) const GUEST_PORT: u16 = 8080;
/// The kernel's address, if it is told one.
pub(crate) const GUEST_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);
/// The address of whom it sends to.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
/// What used memory is full of: as a pointer it leads nowhere.
const LEFT_BEHIND: u8 = 0xa5;
/// What tells the kernel that memory is zero at first.
const ZEROED: &str = "ram=zero";
/// Ticks a second of the guest's TSC when it counts instructions.
const ICOUNT_HZ: u64 = 1_000_000_000;
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

    /// The same with another image.
    #[must_use]
    pub fn image(mut self, image: impl Into<PathBuf>) -> Self {
        self.image = image.into();
        self
    }

    /// The machine that this is a launch of.
    pub fn machine_type(&self) -> &'static MachineType {
        self.machine
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

    /// Decides everything that was left open. Starts nothing.
    pub fn plan(self) -> Result<Plan, Error> {
        let address = match self.port {
            _ if self.tap.is_some() => SocketAddrV4::new(GUEST_ADDRESS, GUEST_PORT),
            0 if self.network => SocketAddrV4::new(Ipv4Addr::LOCALHOST, free_port()?),
            port => SocketAddrV4::new(Ipv4Addr::LOCALHOST, port),
        };
        if let Some(name) = &self.nic {
            self.machine.nic(name)?;
        }
        let memory_path = scratch::fresh_path("ram");
        let command = self.command(&address.port().to_string(), &memory_path.to_string_lossy());
        Ok(Plan { launch: self, address, memory_path, command })
    }

    /// Boots the machine.
    pub fn start(self) -> Result<Machine, Error> {
        self.plan()?.start()
    }

    /// QEMU's command line, with `{port}` and `{ram}` for what differs from start to start.
    pub fn template(&self) -> CommandLine {
        self.command("{port}", "{ram}")
    }

    fn command(&self, port: &str, memory_path: &str) -> CommandLine {
        let memory = self.memory_mib;
        let mut line = CommandLine::new(&self.machine.binary);
        line.arg("-M").arg(format!("{},memory-backend=ram", self.machine.machine));
        line.arg("-accel").arg(match (self.accelerator, self.icount) {
            (Accelerator::Kvm, _) => "kvm",
            (Accelerator::Tcg, false) => "tcg",
            (Accelerator::Tcg, true) => "tcg,thread=single",
        });
        if self.icount {
            line.arg("-icount").arg(format!("shift={},sleep=on", self.shift()));
        }
        line.arg("-cpu").arg(self.cpu.as_ref().unwrap_or(&self.machine.cpu));
        line.arg("-m").arg(format!("{memory}M"));
        // A shared file, so that the host reads the ledger from outside.
        line.arg("-object").arg(format!("memory-backend-file,id=ram,size={memory}M,mem-path={memory_path},share=on"));
        for argument in &self.machine.arguments {
            line.arg(argument);
        }
        line.arg("-chardev").arg("stdio,id=console");
        if self.is_board {
            line.arg("-device").arg("isa-serial,chardev=console");
        } else {
            line.arg("-device").arg(format!("isa-debugcon,iobase={CONSOLE_PORT:#x},chardev=console"));
            line.arg("-device").arg(format!("isa-debug-exit,iobase={EXIT_PORT:#x},iosize=0x04"));
        }
        if self.network {
            line.arg("-netdev").arg(match &self.tap {
                Some(interface) => format!("tap,id=net,ifname={interface},script=no,downscript=no"),
                None if self.has_wire() => {
                    let path = wire_path(Path::new(memory_path));
                    format!("stream,id=net,server=off,addr.type=unix,addr.path={}", path.display())
                }
                None => format!("user,id=net,hostfwd=tcp:127.0.0.1:{port}-:{GUEST_PORT}"),
            });
            // `plan` has refused names that the machine does not know.
            let nic = self.nic.as_deref().and_then(|name| self.machine.nic(name).ok()).unwrap_or(&self.machine.nic);
            line.arg("-device").arg(format!("{nic},netdev=net"));
        }
        if let Some(port) = self.gdb {
            line.arg("-gdb").arg(format!("tcp:127.0.0.1:{port}")).arg("-S");
        }
        if self.monitored {
            line.arg("-qmp").arg(Monitor::of(Path::new(memory_path)).argument());
        }
        if self.traced {
            for argument in Trace::of(Path::new(memory_path)).arguments() {
                line.arg(argument);
            }
        }
        if let Some(firmware) = &self.machine.firmware {
            line.arg("-bios").arg(&firmware.file);
        }
        let words = self.kernel_command_line();
        match &self.machine.drive {
            Some(drive) => {
                // A comma within an option is written twice.
                line.arg("-drive").arg(format!("{drive},file={}", self.image.to_string_lossy().replace(',', ",,")));
                line.arg("-smbios").arg(format!("type=11,value=mayfly.cmd={}", words.replace(',', ",,")));
            }
            None => {
                line.arg("-kernel").arg(&self.image);
                line.arg("-append").arg(words);
            }
        }
        line
    }

    fn has_wire(&self) -> bool {
        self.network && self.tap.is_none() && (self.wire.is_some() || self.capture.is_some())
    }

    fn kernel_command_line(&self) -> String {
        let mut words = Vec::new();
        if self.static_address {
            words.push(format!("ip={GUEST_ADDRESS}/24 gw={GATEWAY}"));
        }
        if let Some(hz) = if self.icount { Some(ICOUNT_HZ) } else { tsc_hz() }.filter(|_| !self.untold_clock) {
            words.push(format!("tsc_hz={hz}"));
        }
        let of_machine = self.machine.kernel_arguments.iter();
        words.extend(of_machine.filter(|word| !self.used_memory || *word != ZEROED).cloned());
        words.extend(self.kernel_arguments.iter().cloned());
        words.join(" ")
    }
}

/// A launch with nothing left open: it knows its port and its exact command line.
#[derive(Clone, Debug)]
pub struct Plan {
    launch: Launch,
    address: SocketAddrV4,
    memory_path: PathBuf,
    command: CommandLine,
}

impl Plan {
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
            TcpListener::bind(address).map_err(|error| port_error(address.port(), error))?;
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

/// Refuses a file that cannot be read, an ELF for a machine that boots from a disk, and anything else for one that does not.
fn check_format(image: &Path, machine: &MachineType) -> Result<(), Error> {
    let mut magic = [0; 4];
    let read = File::open(image).and_then(|mut file| match file.read_exact(&mut magic) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
        other => other,
    });
    read.map_err(|source| Error::ImageMissing { path: image.to_owned(), source })?;
    let format = machine.format();
    if (magic == *b"\x7fELF") == (format == "elf") {
        return Ok(());
    }
    Err(Error::WrongFormat { path: image.to_owned(), machine: machine.name.clone(), format })
}

/// Where QEMU finds its end of the wire: beside its memory.
fn wire_path(memory: &Path) -> PathBuf {
    memory.with_extension("wire")
}

fn free_port() -> Result<u16, Error> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::io("find a free port"))?;
    Ok(listener.local_addr().map_err(Error::io("find a free port"))?.port())
}

/// Why a port cannot be had.
pub(crate) fn port_error(port: u16, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::AddrInUse => Error::PortInUse { port },
        _ => Error::io(format!("listen on port {port}"))(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(launch: Launch) -> String {
        launch.command("8080", "/ram").to_string()
    }

    #[test]
    fn the_default_machine_has_the_measured_best_command_line() {
        let line = words(Launch::new("mayfly.elf"));
        let hz = tsc_hz().map_or(String::new(), |hz| format!(" tsc_hz={hz}"));
        assert_eq!(
            line,
            format!(
                "qemu-system-x86_64 \
                 -M microvm,acpi=off,x-option-roms=off,isa-serial=off,pit=off,pic=off,rtc=off,memory-backend=ram \
                 -accel tcg -cpu max,-arch-capabilities -m 64M \
                 -object memory-backend-file,id=ram,size=64M,mem-path=/ram,share=on \
                 -nodefaults -no-user-config -display none -no-reboot -monitor none -serial none \
                 -global virtio-mmio.force-legacy=false \
                 -chardev stdio,id=console -device isa-debugcon,iobase=0xe9,chardev=console \
                 -device isa-debug-exit,iobase=0xf4,iosize=0x04 \
                 -netdev user,id=net,hostfwd=tcp:127.0.0.1:8080-:8080 -device virtio-net-device,netdev=net \
                 -kernel mayfly.elf -append 'ip=10.0.2.15/24 gw=10.0.2.2{hz} ram=zero'"
            )
        );
    }

    #[test]
    fn counting_instructions_fixes_the_clock_and_the_thread() {
        let line = words(Launch::new("x").icount());
        assert!(line.contains("-accel tcg,thread=single -icount shift=0,sleep=on"), "{line}");
        assert!(line.contains("tsc_hz=1000000000"), "{line}");
        let usb = Launch::new("x").machine(MachineType::named("uefi-usb").expect("it is there")).icount();
        assert_eq!(usb.ticks(), 64);
        assert!(words(usb).contains("-icount shift=6,sleep=on"));
    }

    #[test]
    fn a_machine_with_a_disk_boots_from_it_and_gets_the_kernels_words_by_its_own_strings() {
        let usb = MachineType::named("uefi-usb").expect("it is there");
        let line = words(Launch::new("a,b.img").machine(usb).kernel_argument("key=value"));
        assert!(
            line.contains("-bios /usr/share/ovmf/OVMF.fd -drive if=none,id=disk,format=raw,snapshot=on,file=a,,b.img")
        );
        assert!(line.contains("'type=11,value=mayfly.cmd=ip=10.0.2.15/24 gw=10.0.2.2") && line.contains("key=value'"));
        assert!(!line.contains("-kernel") && !line.contains("-append") && !line.contains(ZEROED), "{line}");
    }

    #[test]
    fn what_is_left_out_is_not_on_the_command_line() {
        let launch = Launch::new("x").without_network().like_a_board().dhcp().untold_clock();
        let line = words(launch.kernel_argument("key=value"));
        for absent in ["netdev", "isa-debug", "ip=", "tsc_hz=", "-gdb"] {
            assert!(!line.contains(absent), "{line}");
        }
        assert!(line.contains("key=value"), "{line}");
        assert!(line.contains(ZEROED) && !words(Launch::new("x").used_memory()).contains(ZEROED), "{line}");
    }

    #[test]
    fn a_tap_takes_the_place_of_the_hosts_port() {
        let plan = Launch::new("x").tap("mayfly0").plan().expect("nothing is looked for");
        let line = plan.command().to_string();
        assert!(line.contains("-netdev tap,id=net,ifname=mayfly0,script=no,downscript=no "), "{line}");
        assert_eq!(plan.address.to_string(), "10.0.2.15:8080");
    }

    #[test]
    fn a_wire_and_a_capture_each_take_the_place_of_qemus_own_network() {
        for launch in [Launch::new("x").wire(Impairments::default()), Launch::new("x").capture("x.pcap")] {
            let line = words(launch);
            assert!(line.contains("-netdev stream,id=net,server=off,addr.type=unix,addr.path=/ram.wire "), "{line}");
            assert!(line.contains("-device virtio-net-device,netdev=net") && !line.contains("hostfwd"), "{line}");
        }
    }

    #[test]
    fn another_machine_card_and_processor_take_the_place_of_the_usual() {
        let q35 = MachineType::named("q35").expect("it is there");
        let line = words(Launch::new("x").machine(q35).nic("e1000e").cpu("qemu64"));
        for part in ["-M q35,vmport=off,memory-backend=ram", "-cpu qemu64 ", "-device e1000e,romfile=,netdev=net "] {
            assert!(line.contains(part), "{line}");
        }
        let error = Launch::new("x").nic("e1000e").plan().expect_err("microvm has none").to_string();
        assert!(error.contains("choose one of virtio-net-device"), "{error}");
    }

    #[test]
    fn a_debugger_is_waited_for_on_its_port() {
        assert!(words(Launch::new("x").gdb(1234)).contains(" -gdb tcp:127.0.0.1:1234 -S "));
    }

    #[test]
    fn a_monitor_listens_beside_the_memory_file() {
        assert!(words(Launch::new("x").monitored()).contains(" -qmp unix:/ram.qmp,server=on,wait=off "));
    }

    #[test]
    fn a_trace_is_written_beside_the_memory_file() {
        assert!(words(Launch::new("x").traced()).contains(" -trace 'memory_region_ops_*' -D /ram.trace "));
    }

    #[test]
    fn two_plans_share_neither_port_nor_memory() {
        let plan = || Launch::new("x").plan().expect("a port is free");
        let (one, other) = (plan(), plan());
        assert!(one.port() != 0 && one.port() != other.port());
        assert_ne!(one.memory_path, other.memory_path);
    }
}
