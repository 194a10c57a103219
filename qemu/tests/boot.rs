//! Boots guests of a few instructions: what the launcher promises about a running machine and its end.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use mayfly_abi::exit::Exit;
use mayfly_abi::ledger::Phase;
use mayfly_qemu::accelerator::{self, Choice};
use mayfly_qemu::clock::{JoinedClock, Sighting, Watch};
use mayfly_qemu::guest::Guest;
use mayfly_qemu::{Ending, Error, Launch, Machine, MachineType, Version, tsc_hz};

const SOON: Duration = Duration::from_secs(20);

/// The guest as a file of this test.
fn image(test: &str, guest: &Guest) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}.elf"));
    fs::write(&path, guest.elf()).expect("the target directory can be written");
    path
}

fn boot(test: &str, guest: &Guest) -> Machine {
    Launch::new(image(test, guest)).memory_mib(16).start().unwrap_or_else(|error| panic!("{error}"))
}

fn ending(machine: &mut Machine) -> Ending {
    machine.wait_for_exit(SOON).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_guest_prints_stamps_and_exits() {
    let guest = Guest::new().stamp(Phase::Entry).print("hello from ring 0\n").exit(Exit::Refused as u32);
    let mut machine = boot("prints", &guest);
    assert_eq!(ending(&mut machine), Ending::Kernel(Exit::Refused), "{}", machine.report());
    assert_eq!(machine.console().text(), "hello from ring 0\n");
    let ledger = machine.ledger().expect("the entry is stamped");
    assert_ne!(ledger.stamps[Phase::Entry as usize], 0);
    assert_eq!(ledger.stamps[Phase::Paging as usize], 0);
}

#[test]
fn a_panic_and_a_triple_fault_end_differently() {
    let mut machine = boot("panic", &Guest::new().exit(Exit::Panic as u32));
    assert_eq!(ending(&mut machine), Ending::Kernel(Exit::Panic), "{}", machine.report());
    let mut machine = boot("reset", &Guest::new().triple_fault());
    assert_eq!(ending(&mut machine), Ending::Off, "{}", machine.report());
}

#[test]
fn the_joined_clock_puts_stamps_where_the_host_saw_them() {
    let guest = Guest::new()
        .stamp(Phase::Entry)
        .count(1_000_000)
        .stamp(Phase::Paging)
        .count(1_000_000)
        .stamp(Phase::Traps)
        .print("done");
    // A busy host may take the core from the guest between its look at the clock and its stamp, but not every time.
    let mut misses = Vec::new();
    while misses.len() < 10 {
        let machine = boot("clock", &guest);
        let watch = Watch::start(&machine);
        assert!(machine.console().wait_for("done", SOON), "{}", machine.report());
        let seen = watch.finish();
        assert_eq!(seen.iter().map(|s| s.phase).collect::<Vec<_>>(), [Phase::Entry, Phase::Paging, Phase::Traps]);
        let Some(hz) = tsc_hz() else { return };
        let Some(clock) = JoinedClock::new(&seen, hz) else {
            misses.push(format!("{seen:?}"));
            continue;
        };
        let slack = clock.uncertainty();
        let is_there = |seen: &&Sighting| {
            let at = clock.at(seen.ticks);
            at + slack >= seen.after && at <= seen.before + slack
        };
        match seen.iter().find(|seen| !is_there(seen)) {
            None => return,
            Some(miss) => misses.push(format!("{miss:?} {clock:?}")),
        }
    }
    panic!("{}", misses.join("\n"));
}

#[test]
fn counting_instructions_gives_the_same_ticks_every_time() {
    let image = image("icount", &Guest::new().stamp(Phase::Entry).count(1000).stamp(Phase::Paging).print("."));
    let ticks = || {
        let machine = Launch::new(&image).icount().start().unwrap_or_else(|error| panic!("{error}"));
        assert!(machine.console().wait_for(".", SOON), "{}", machine.report());
        let stamps = machine.ledger().expect("the entry is stamped").stamps;
        stamps[Phase::Paging as usize] - stamps[Phase::Entry as usize]
    };
    // 2 a round of the loop, and 4 from one rdtsc to the next.
    assert_eq!(ticks(), 2004);
    assert_eq!(ticks(), 2004);
}

#[test]
fn the_port_accepts_while_the_guest_runs_and_the_end_is_noticed_while_connecting() {
    let mut machine = boot("connect", &Guest::new());
    machine.connect(SOON).unwrap_or_else(|error| panic!("{error}"));

    let image = image("gone", &Guest::new().exit(Exit::Panic as u32));
    let mut machine = Launch::new(image).without_network().start().unwrap_or_else(|error| panic!("{error}"));
    match machine.connect(SOON) {
        Err(Error::Ended { ending: Ending::Kernel(Exit::Panic), report }) => assert!(report.contains("--- command")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_dropped_machine_leaves_neither_process_nor_memory_file() {
    let machine = boot("drop", &Guest::new());
    let process = PathBuf::from(format!("/proc/{}", machine.pid()));
    let line = machine.command().to_string();
    let memory = line.split("mem-path=").nth(1).and_then(|rest| rest.split(',').next()).expect("there is one");
    assert!(process.exists() && fs::exists(memory).expect("its directory can be read"));
    drop(machine);
    assert!(!process.exists() && !fs::exists(memory).expect("its directory can be read"));
}

#[test]
fn a_machine_that_stays_is_timed_out_with_its_console() {
    let mut machine = boot("stays", &Guest::new().print("still here"));
    assert!(machine.console().wait_for("still here", SOON), "{}", machine.report());
    let error = machine.wait_for_exit(Duration::ZERO).expect_err("it halts and stays");
    assert!(matches!(error, Error::TimedOut { .. }) && error.to_string().contains("still here"), "{error}");
}

#[test]
fn bad_input_gets_an_error_of_its_own() {
    let good = image("good", &Guest::new());
    match Launch::new("no/such/image.elf").start() {
        Err(Error::ImageMissing { source, .. }) => assert_eq!(source.kind(), ErrorKind::NotFound),
        other => panic!("{other:?}"),
    }
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = taken.local_addr().expect("it is bound").port();
    match Launch::new(&good).port(port).start() {
        Err(Error::PortInUse { port: named }) => assert_eq!(named, port),
        other => panic!("{other:?}"),
    }
    let mut absent = MachineType::all()[0].clone();
    absent.binary = "qemu-system-none".to_owned();
    match Launch::new(&good).machine(Box::leak(Box::new(absent))).start() {
        Err(error @ Error::QemuMissing { .. }) => assert!(error.to_string().contains("apt-get install"), "{error}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_line_that_qemu_refuses_ends_with_qemus_own_words() {
    let not_an_elf = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("text.elf");
    fs::write(&not_an_elf, "\x7fELF, and no more").expect("the target directory can be written");
    let mut machine = Launch::new(not_an_elf).start().unwrap_or_else(|error| panic!("{error}"));
    let ending = ending(&mut machine);
    assert_eq!(ending, Ending::Status(1));
    assert!(machine.ended(ending).to_string().contains("--- QEMU's messages"), "{}", machine.report());
}

#[test]
fn a_machine_is_not_given_what_it_does_not_boot() {
    let text = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("no-elf.img");
    fs::write(&text, "no").expect("the target directory can be written");
    let refusal = |machine: &str, image: PathBuf| {
        let mut machine = MachineType::named(machine).expect("it is there").clone();
        // Whether there is firmware here does not matter.
        machine.firmware = None;
        let machine = Box::leak(Box::new(machine));
        Launch::new(image).machine(machine).start().expect_err("it does not boot that").to_string()
    };
    let error = refusal("microvm", text);
    assert!(error.contains("not what the machine microvm boots: build it with `mayfly build --format elf`"), "{error}");
    for (machine, format) in [("uefi-usb", "disk"), ("bios-cd", "iso")] {
        let error = refusal(machine, image("an-elf", &Guest::new()));
        assert!(error.contains(&format!("`mayfly build --format {format}`")), "{error}");
    }
}

#[test]
fn a_machine_without_its_firmware_says_what_to_install() {
    let mut machine = MachineType::named("uefi-usb").expect("it is there").clone();
    machine.firmware.as_mut().expect("it has some").file = PathBuf::from("/no/such.fd");
    let launch = Launch::new("x").machine(Box::leak(Box::new(machine)));
    let error = launch.start().expect_err("there is none").to_string();
    assert!(error.contains("/no/such.fd cannot be read") && error.contains("apt-get install ovmf"), "{error}");
}

#[test]
fn a_qemu_that_is_too_old_is_named_with_its_version() {
    let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("old-qemu");
    fs::write(&program, "#!/bin/sh\necho 'QEMU emulator version 6.2.0 (Debian)'\n").expect("it can be written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let mut old = MachineType::all()[0].clone();
    old.binary = program.to_string_lossy().into_owned();
    let error = Version::of(&old).expect_err("6.2 is too old");
    assert!(error.to_string().contains("is version 6.2.0, and Mayfly needs 7.2.0"), "{error}");
}

#[test]
fn the_accelerator_taken_by_itself_runs_a_guest_at_speed() {
    let verdict = accelerator::choose(Choice::Auto).unwrap_or_else(|error| panic!("{error}"));
    let image = image("speed", &Guest::new().count(20_000_000).exit(Exit::Refused as u32));
    let launch = Launch::new(image).accelerator(verdict.accelerator);
    let mut machine = launch.start().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(ending(&mut machine), Ending::Kernel(Exit::Refused), "{verdict}");
    // TCG needs a tenth of a second; a KVM that interprets ring 0 needs many times the limit.
    assert!(machine.spawned().elapsed() < Duration::from_secs(5), "{verdict}");
}

#[test]
fn a_monitored_machine_tells_how_many_blocks_it_has_translated() {
    let blocks = |test, guest: &Guest| {
        let launch = Launch::new(image(test, guest)).memory_mib(16).monitored();
        let mut machine = launch.start().unwrap_or_else(|error| panic!("{error}"));
        while machine.ledger().is_none_or(|ledger| ledger.stamps[Phase::Entry as usize] == 0) {
            machine.check().unwrap_or_else(|error| panic!("{error}"));
        }
        machine.translated_blocks().unwrap_or_else(|error| panic!("{error}"))
    };
    let stamp = Guest::new().stamp(Phase::Entry);
    // A loop is a block of its own, and ends the one before it.
    let loops = (0..10).fold(Guest::new(), |guest, _| guest.count(1)).stamp(Phase::Entry);
    let (few, many) = (blocks("few-blocks", &stamp), blocks("many-blocks", &loops));
    assert!(few > 10 && (few + 10..few + 30).contains(&many), "{few} and {many}");

    let machine = boot("unmonitored", &stamp);
    assert!(matches!(machine.translated_blocks(), Err(Error::NotMonitored)));
}
