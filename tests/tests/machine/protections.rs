//! Protections that no function can ask about, because they protect the kernel from itself: read from the CPU by QEMU's
//! monitor.

use std::ops::RangeInclusive;
use std::thread;

use mayfly::image_file::ImageFile;
use mayfly_abi::PAGE;
use mayfly_abi::boot::{KERNEL_MAP, KERNEL_STACK, KERNEL_STACK_TOP};
use mayfly_qemu::Launch;
use mayfly_tests::{Connection, Guest, Monitor, Request, elsewhere, images};

/// Bits of the flags register that a function must not bring into the kernel: trap, interrupt, direction, nested task,
/// alignment check.
const FLAGS: u64 = 1 << 8 | 1 << 9 | 1 << 10 | 1 << 14 | 1 << 18;
/// Where the kernel's stack is linked.
const STACK: RangeInclusive<u64> = KERNEL_MAP + KERNEL_STACK..=KERNEL_MAP + KERNEL_STACK_TOP;
/// Interrupts.
const IF: u64 = 1 << 9;

/// A machine with a monitor.
fn boot() -> (Guest, Monitor) {
    Monitor::boot(elsewhere::usual().clone(), Launch::new(images::all()), Guest::serving)
}

/// The CPU's registers between two instructions.
fn registers(monitor: &mut Monitor) -> Registers {
    monitor.ask("stop");
    let registers = Registers(monitor.ask("info registers"));
    monitor.ask("cont");
    registers
}

/// As the monitor prints them.
struct Registers(String);

impl Registers {
    #[track_caller]
    fn get(&self, name: &str) -> u64 {
        let (_, behind) = self.0.split_once(&format!("{name}=")).unwrap_or_else(|| panic!("no {name} in {}", self.0));
        let digits = behind.split(|c: char| !c.is_ascii_hexdigit()).next().unwrap_or_default();
        u64::from_str_radix(digits, 16).unwrap_or_else(|_| panic!("{name} is no number in {}", self.0))
    }

    /// The flags with which the kernel runs, if it does: on its own stack, for the first instructions of a trap have the
    /// function's and do nothing but to save registers and to take them away.
    fn kernel_flags(&self) -> Option<u64> {
        let flags = self.get("RFL") & FLAGS;
        // While it waits, and only then, interrupts are on.
        let waits = self.get("HLT") == 1;
        let runs = self.get("CPL") == 0 && STACK.contains(&self.get("RSP"));
        runs.then_some(if waits { flags & !IF } else { flags })
    }
}

#[test]
fn the_cpus_protections_are_on_and_its_conveniences_off() {
    let (guest, mut monitor) = boot();
    guest.expect_hello();
    let registers = registers(&mut monitor);
    for (register, bit, name) in [
        ("CR0", 16, "WP: the kernel writes no page that is read-only"),
        ("CR0", 31, "PG: paging"),
        ("CR4", 11, "UMIP: functions do not learn where descriptor tables are"),
        ("CR4", 20, "SMEP: the kernel executes no function's page"),
        ("CR4", 21, "SMAP: the kernel touches no function's page"),
        ("EFER", 11, "NXE: pages that are not text are not executed"),
    ] {
        assert!(registers.get(register) >> bit & 1 == 1, "{register} lacks {name}");
    }
    for (register, bit, name) in [
        ("CR4", 8, "PCE: functions read performance counters"),
        ("CR4", 16, "FSGSBASE: functions set the bases of FS and GS"),
        ("CR4", 18, "OSXSAVE: functions use registers that nobody clears"),
    ] {
        assert!(registers.get(register) >> bit & 1 == 0, "{register} has {name}");
    }
}

#[test]
fn nothing_is_mapped_at_address_zero_in_the_kernel() {
    let (_guest, mut monitor) = boot();
    for address in ["0x0", "0x1000", "0x100000"] {
        let answer = monitor.ask(&format!("gva2gpa {address}"));
        assert!(answer.contains("Unmapped"), "{address} is mapped in the kernel: {answer}");
    }
}

/// A page that the CPU finds in the tables it uses.
struct Mapped {
    physical: u64,
    /// The monitor's letters, of which X is said of what is not executed.
    attributes: String,
}

impl Mapped {
    /// From a line of `info tlb`: where, what is there, and the attributes.
    fn of(line: &str) -> Option<Self> {
        let (physical, attributes) = line.split_once(": ")?.1.trim().split_once(' ')?;
        Some(Self { physical: u64::from_str_radix(physical, 16).ok()?, attributes: attributes.to_owned() })
    }

    fn shows(&self, page: u64) -> bool {
        let len = if self.has('P') { 2 << 20 } else { PAGE };
        (self.physical..self.physical + len).contains(&page)
    }

    fn has(&self, attribute: char) -> bool {
        self.attributes.contains(attribute)
    }
}

#[test]
fn no_way_leads_to_the_kernels_constants_by_which_it_could_write_or_execute_them() {
    let (_guest, mut monitor) = boot();
    let answer = monitor.ask("info tlb");
    let mapped: Vec<_> = answer.lines().filter_map(Mapped::of).collect();
    let image = ImageFile::open(images::all()).expect("it is an image");
    let mut constants = image.sections.iter().filter(|part| part.name == "kernel" && !part.write && !part.execute);
    let constants = constants.next().expect("the kernel has constants");
    // A page of zeros among them, of which the file has nothing.
    assert!(constants.memory_len - constants.file_len >= PAGE, "{constants:?}");
    for page in (constants.address..constants.address + constants.memory_len).step_by(PAGE as usize) {
        let ways: Vec<_> = mapped.iter().filter(|mapped| mapped.shows(page)).collect();
        assert_eq!(ways.len(), 2, "{page:#x} is in the kernel's map and in the direct map");
        assert!(ways.iter().all(|way| way.has('X') && !way.has('W') && !way.has('U')), "{page:#x}");
    }
}

#[test]
fn no_flag_of_a_function_comes_into_the_kernel() {
    let (guest, mut monitor) = boot();
    // By calls: looked at while it makes them.
    let seen =
        while_asking(guest.connect_and_ask(), "/spin/calls-with-odd-flags", || registers(&mut monitor).kernel_flags());
    assert!(seen.len() > 10, "only {} looks found the kernel running", seen.len());
    for flags in seen {
        assert!(flags == 0, "after a call the kernel runs with flags {flags:#x}");
    }
    // By interrupts, the last of which ends the function: the flags stay until the next one begins.
    assert_eq!(guest.ask(&Request::get("/spin/odd-flags")).status, 504);
    let flags = (0..).find_map(|_| registers(&mut monitor).kernel_flags()).expect("the function is over");
    assert!(flags == 0, "after an interrupt the kernel runs with flags {flags:#x}");
}

/// What is found by looking again and again until an answer comes.
fn while_asking<T>(mut connection: Connection, path: &'static str, mut look: impl FnMut() -> Option<T>) -> Vec<T> {
    let client = thread::spawn(move || connection.ask(&Request::get(path)).status);
    let mut seen = Vec::new();
    while !client.is_finished() {
        seen.extend(look());
    }
    assert_eq!(client.join().expect("the client failed"), 504);
    seen
}
