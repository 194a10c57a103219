//! Booted by firmware, from every kind of disk and from CD: the kernel is entered, at whatever place there was for it.

use mayfly_abi::exit::Exit;
use mayfly_abi::ledger::Phase;
use mayfly_qemu::{Ending, Launch, MachineType};
use mayfly_tests::{Guest, images};

fn launch(machine: &str, image: &std::path::Path) -> Launch {
    let machine = MachineType::named(machine).unwrap_or_else(|known| panic!("{machine}: {known}"));
    Launch::new(image).machine(machine).memory_mib(256)
}

/// The kernel runs, and refuses a machine without network card: firmware, loader and kernel have each left their stamps.
#[track_caller]
fn expect_kernel(launch: Launch) -> (u64, String) {
    let mut guest = Guest::start(launch.without_network());
    assert_eq!(guest.expect_ending(), Ending::Kernel(Exit::Refused));
    let console = guest.machine().console().text();
    assert!(console.contains("mayfly: there is no network card"), "{console}");
    let ledger = guest.ledger().expect("the kernel has started");
    let stamps = &ledger.stamps[..=Phase::Memory as usize];
    assert!(stamps[0] > 0 && stamps.is_sorted_by(|a, b| a < b), "{stamps:?}");
    assert_eq!(ledger.stamps[Phase::Nic as usize..], [0; 9], "what memory held before is no stamp");
    (guest.machine().memory().moved().expect("it was found"), console)
}

#[test]
fn a_usb_stick_boots() {
    let (moved, _) = expect_kernel(launch("uefi-usb", images::disk()));
    assert_eq!(moved, 0, "its place is free");
}

#[test]
fn a_sata_disk_boots() {
    expect_kernel(launch("uefi-ahci", images::disk()));
}

#[test]
fn an_nvme_disk_boots_with_5_gib_of_memory() {
    expect_kernel(launch("uefi-nvme", images::disk()).memory_mib(5 << 10));
}

#[test]
fn an_image_whose_place_is_taken_is_moved() {
    let (moved, _) = expect_kernel(launch("uefi-ahci", images::large_disk()));
    assert!(moved > 0, "its place was free: the image is not large enough for this test");
}

#[test]
fn a_cd_boots_on_uefi_and_by_a_bios_and_so_does_a_stick_that_it_was_copied_to() {
    expect_kernel(launch("uefi-cd", images::iso()));
    expect_kernel(launch("bios-cd", images::iso()));
    expect_kernel(launch("uefi-usb", images::iso()));
}

#[test]
fn words_reach_the_kernel_from_the_disk_and_from_the_machine() {
    let (_, console) = expect_kernel(launch("uefi-usb", images::disk()).kernel_argument("colour=red"));
    assert!(console.contains("`colour=red` is ignored: there is no such key"), "{console}");
}

#[test]
fn hello_answers_through_every_card_after_a_boot_from_a_stick() {
    for nic in ["virtio-net-pci", "e1000", "e1000e"] {
        Guest::serving(launch("uefi-usb", images::disk()).nic(nic)).expect_hello();
    }
}

#[test]
fn functions_of_an_image_that_was_moved_answer_and_break_as_ever() {
    let guest = Guest::serving(launch("uefi-ahci", images::large_disk()));
    guest.expect_hello();
    assert!(guest.machine().memory().moved().expect("it was found") > 0);
    let ledger = guest.ledger().expect("it serves");
    println!("entry to listening: {} ticks", ledger.stamps[Phase::Listening as usize] - ledger.stamps[0]);
}

#[test]
fn hello_answers_on_a_bios_and_takes_its_address_by_dhcp() {
    let guest = Guest::start(launch("bios-cd", images::iso()));
    guest.expect_line("address 10.0.2.15/24 by DHCP");
    guest.expect_hello();
}
