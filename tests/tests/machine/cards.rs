//! Machines with PCI and firmware: their cards, tables and clocks, whole and broken, and their ends. Every machine with every
//! card is in machines.rs.

use std::thread;
use std::time::{Duration, Instant};

use mayfly_abi::exit::Exit;
use mayfly_abi::ledger::Phase;
use mayfly_qemu::{Ending, Launch, MachineType, tsc_hz};
use mayfly_tests::broken::Subject;
use mayfly_tests::firmware::Tables;
use mayfly_tests::machines::altered;
use mayfly_tests::planted::{self, NOTHING, PANIC, Plant};
use mayfly_tests::{Guest, Request, images};

/// A machine by name.
fn machine(name: &str) -> &'static MachineType {
    MachineType::named(name).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn launch(machine: &'static MachineType) -> Launch {
    Launch::new(images::all()).machine(machine)
}

#[test]
fn a_kernel_that_panics_on_a_board_starts_it_anew() {
    let mut machine = machine("q35").clone();
    // It would end QEMU instead.
    machine.arguments.retain(|argument| argument != "-no-reboot");
    let plant = Plant { delay: Some((Phase::Listening, PANIC)), ..NOTHING };
    let guest = Guest::start(Launch::new(planted::image(plant)).machine(Box::leak(Box::new(machine))).like_a_board());
    let panics = || guest.machine().console().text().matches("mayfly: kernel panic: ").count();
    while panics() < 2 {
        assert!(Instant::now() < guest.deadline(), "it panicked {} times", panics());
        thread::sleep(Duration::from_millis(50));
    }
    guest.expect_line("plant(2) != u64::MAX");
    guest.expect_line("no invocation has run yet");
}

#[test]
fn machines_with_broken_tables_and_functions_answer_or_refuse_with_a_sentence() {
    /// `cargo bench -p mayfly-tests --bench broken` tries more.
    const SEEDS: std::ops::Range<u64> = 0..6;
    let subjects = Subject::all();
    for seed in SEEDS {
        let outcome = Subject::try_out(&subjects, seed);
        println!("seed {seed}: {outcome:?}");
        assert!(outcome.answered.is_ok(), "seed {seed}: {outcome:?}");
    }
}

#[test]
fn a_board_that_is_refused_says_why_and_switches_itself_off() {
    let mut guest = Guest::start(launch(machine("q35")).without_network().like_a_board());
    assert_eq!(guest.expect_ending(), Ending::Off);
    assert!(guest.machine().console().text().contains("there is no network card"));
}

#[test]
fn a_card_without_a_driver_is_named_and_refused() {
    let mut guest = Guest::start(launch(altered("q35", "rtl8139,romfile=", &[])));
    assert_eq!(guest.expect_ending(), Ending::Kernel(Exit::Refused));
    let console = guest.machine().console().text();
    assert!(console.contains("mayfly: no driver for network card 10ec:8139 at 0000:00:01.0"), "{console}");
}

#[test]
fn a_card_of_the_time_before_virtio_1_is_refused_with_what_to_do() {
    let mut guest = Guest::start(launch(altered("pc", "virtio-net-pci,disable-modern=on,romfile=", &[])));
    assert_eq!(guest.expect_ending(), Ending::Kernel(Exit::Refused));
    let console = guest.machine().console().text();
    assert!(console.contains("disable-modern=off"), "{console}");
}

#[test]
fn cards_behind_bridges_and_cards_that_interrupt_by_a_line_are_driven() {
    let bridges = ["-device", "pcie-root-port,id=root", "-device", "pcie-pci-bridge,id=bridge,bus=root"];
    let port = &bridges[..2];
    for machine in [
        altered("q35", "virtio-net-pci,romfile=,bus=root", port),
        altered("q35", "e1000e,romfile=,bus=root", port),
        altered("q35", "e1000,romfile=,bus=bridge,addr=1", &bridges),
        altered("pc", "virtio-net-pci,romfile=,vectors=0", &[]),
        altered("q35", "virtio-net-pci,romfile=,vectors=0", &[]),
    ] {
        Guest::serving(launch(machine)).expect_service();
    }
}

#[test]
fn a_machine_without_tables_is_served_in_the_old_ways_and_one_with_broken_ones_by_those_that_hold() {
    type Change = fn(&mut Tables);
    let without: Change = |tables| tables.pointer[0] ^= 1;
    let without_power: Change = |tables| tables.table(b"FACP")[9] ^= 1;
    let cases = [
        ("pc", "e1000", without, "RSDP is left out: it is not where it should be"),
        ("q35", "virtio-net-pci", without, "RSDP is left out: it is not where it should be"),
        // The rate is found by the HPET.
        ("q35", "e1000e", without_power, "FACP is left out: its checksum is wrong"),
    ];
    for (index, (name, nic, change, sentence)) in cases.into_iter().enumerate() {
        let mut tables = Tables::of(&Guest::measured(Launch::new(images::hello()).machine(machine(name))));
        change(&mut tables);
        let image = tables.install(&[], images::all(), &format!("tables-{index}.elf"));
        let guest = Guest::serving(Launch::new(image).machine(machine(name)).nic(nic).untold_clock());
        guest.expect_line(&format!("mayfly: the firmware's table {sentence}\n"));
        guest.expect_service();
        expect_clock(&guest);
    }
}

/// The kernel has found how fast its clock runs.
#[track_caller]
fn expect_clock(guest: &Guest) {
    let found = guest.ledger().expect("it runs").tsc_hz;
    let Some(told) = tsc_hz() else { return };
    assert!(found.abs_diff(told) < told / 20, "the kernel found {found} ticks a second, and there are {told}");
}

#[test]
fn the_clocks_rate_is_found_where_nobody_tells_it_and_functions_are_still_stopped_in_time() {
    let guest = Guest::serving(launch(machine("q35")).cpu("max,-hypervisor").untold_clock());
    expect_clock(&guest);
    let before = Instant::now();
    assert_eq!(guest.ask(&Request::get("/spin")).status, 504);
    // Its limit is 500 ms; the timer's rate was found too.
    let took = before.elapsed();
    assert!(took >= Duration::from_millis(450) && took < Duration::from_secs(2), "{took:?}");
    guest.expect_hello();
}

#[test]
fn a_link_that_goes_is_noticed_and_a_card_that_stops_is_reset() {
    let guest = Guest::serving(launch(machine("q35")).nic("e1000e").monitored());
    let ask = |command: &str| guest.machine().monitor(command).unwrap_or_else(|error| panic!("{error}"));
    guest.expect_hello();
    ask("set_link net off");
    guest.expect_line("mayfly: 82574L: the link is down");
    ask("set_link net on");
    guest.expect_line("mayfly: 82574L: the link is up");
    guest.expect_hello();
    // The card's registers can be written through its ports too: the one that lets it send is cleared behind the kernel's back.
    let listing = ask("info pci");
    let (_, ports) = listing.split_once("BAR2: I/O at 0x").expect("the card has ports");
    let port = u16::from_str_radix(&ports[..4], 16).expect("a port");
    ask(&format!("o /w {port:#x} 0x400"));
    ask(&format!("o /w {:#x} 0", port + 4));
    guest.expect_line("mayfly: 82574L: the card had stopped and was reset");
    for _ in 0..3 {
        guest.expect_service();
        thread::sleep(Duration::from_millis(10));
    }
}
