//! Booted by firmware: where the kernel is put, what it is told, and what it leaves. machines.rs has what it boots from.

use mayfly_abi::exit::Exit;
use mayfly_abi::ledger::Phase;
use mayfly_qemu::{Ending, Launch, MachineType};
use mayfly_tests::{Guest, images};

fn launch(machine: &str, image: &std::path::Path) -> Launch {
    let machine = MachineType::named(machine).unwrap_or_else(|known| panic!("{machine}: {known}"));
    Launch::new(image).machine(machine)
}

#[test]
fn words_reach_the_kernel_from_the_disk_and_from_the_machine_and_what_memory_held_is_no_stamp() {
    let launch = launch("uefi-usb", images::disk()).kernel_argument("colour=red").without_network();
    let mut guest = Guest::start(launch);
    assert_eq!(guest.expect_ending(), Ending::Kernel(Exit::Refused));
    let console = guest.machine().console().text();
    assert!(console.contains("mayfly: there is no network card"), "{console}");
    assert!(console.contains("`colour=red` is ignored: there is no such key"), "{console}");
    assert_eq!(guest.machine().memory().moved().expect("it was found"), 0, "its place is free");
    let ledger = guest.ledger().expect("the kernel has started");
    let stamps = &ledger.stamps[..=Phase::Memory as usize];
    assert!(stamps[0] > 0 && stamps.is_sorted_by(|a, b| a < b), "{stamps:?}");
    assert_eq!(ledger.stamps[Phase::Nic as usize..], [0; 9]);
}

#[test]
fn an_iso_that_was_copied_to_a_stick_boots() {
    Guest::serving(launch("uefi-usb", images::iso())).expect_service();
}

#[test]
fn an_image_whose_place_is_taken_is_moved_and_answers() {
    let guest = Guest::serving(launch("uefi-ahci", images::large_disk()));
    guest.expect_hello();
    let moved = guest.machine().memory().moved().expect("it was found");
    assert!(moved > 0, "its place was free: the image is not large enough for this test");
    let ledger = guest.ledger().expect("it serves");
    println!("entry to listening: {} ticks", ledger.stamps[Phase::Listening as usize] - ledger.stamps[0]);
}
