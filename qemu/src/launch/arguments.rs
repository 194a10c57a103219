//! QEMU's exact command line for what is wanted.

use std::path::Path;

use mayfly_abi::exit::{CONSOLE_PORT, EXIT_PORT};

use super::plan::wire_path;
use super::{GATEWAY, GUEST_ADDRESS, GUEST_PORT, Launch};
use crate::monitor::Monitor;
use crate::trace::Trace;
use crate::{Accelerator, CommandLine, tsc_hz};

/// What tells the kernel that memory is zero at first.
const ZEROED: &str = "ram=zero";
/// Ticks a second of the guest's TSC when it counts instructions.
const ICOUNT_HZ: u64 = 1_000_000_000;

impl Launch {
    /// With the host's port and the file of the guest's memory as they are given.
    pub(super) fn command(&self, port: &str, memory_path: &str) -> CommandLine {
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
            // `Plan::of` has refused names that the machine does not know.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MachineType;
    use crate::wire::Impairments;

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
    fn a_wire_and_a_capture_each_take_the_place_of_qemus_own_network() {
        for launch in [Launch::new("x").wire(Impairments::default()), Launch::new("x").capture("x.pcap")] {
            let line = words(launch);
            assert!(line.contains("-netdev stream,id=net,server=off,addr.type=unix,addr.path=/ram.wire "), "{line}");
            assert!(line.contains("-device virtio-net-device,netdev=net") && !line.contains("hostfwd"), "{line}");
        }
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
    fn another_machine_card_and_processor_take_the_place_of_the_usual() {
        let q35 = MachineType::named("q35").expect("it is there");
        let line = words(Launch::new("x").machine(q35).nic("e1000e").cpu("qemu64"));
        for part in ["-M q35,vmport=off,memory-backend=ram", "-cpu qemu64 ", "-device e1000e,romfile=,netdev=net "] {
            assert!(line.contains(part), "{line}");
        }
        let error = Launch::new("x").nic("e1000e").plan().expect_err("microvm has none").to_string();
        assert!(error.contains("choose one of virtio-net-device"), "{error}");
    }
}
