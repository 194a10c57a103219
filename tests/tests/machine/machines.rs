//! One image on every machine: each kind of firmware, disk and card. The `machines` bench has every machine with every card.

use mayfly_tests::machines::Place;

#[test]
fn pcs_that_boot_the_image_itself_serve_and_go_off_with_every_card() {
    let places: Vec<_> = Place::all().filter(|place| ["pc", "q35"].contains(&place.machine.name.as_str())).collect();
    assert_eq!(places.len(), 5);
    places.iter().for_each(|place| place.check(place.launch()));
}

#[test]
fn uefi_boots_from_every_disk_and_from_cd_and_what_it_boots_serves_and_goes_off_with_every_card() {
    for (machine, nic, mebibytes) in [
        ("uefi-usb", "e1000e", 256),
        ("uefi-ahci", "e1000", 256),
        // Some of it above 4 GiB.
        ("uefi-nvme", "virtio-net-pci", 5 << 10),
        ("uefi-cd", "e1000e", 256),
    ] {
        let place = Place::named(machine, nic);
        place.check(place.launch().memory_mib(mebibytes));
    }
}

#[test]
fn a_bios_boots_from_cd_and_what_it_boots_serves_and_goes_off_with_every_card() {
    let places: Vec<_> = Place::all().filter(|place| place.machine.name == "bios-cd").collect();
    assert_eq!(places.len(), 3);
    places.iter().for_each(|place| place.check(place.launch()));
}
