//! Tests that are written for the usual machine, on another one: the one that `MAYFLY_TEST_MACHINE` names, with the card that
//! `MAYFLY_TEST_NIC` does. The `elsewhere` bench runs all that make sense there.

use std::env;
use std::sync::LazyLock;

use mayfly_qemu::{Launch, MachineType};

use crate::images;

/// What firmware needs, in MiB, and the functions beside it.
const FIRMWARE_MIB: u32 = 256;

/// The machine of tests that want no other.
pub fn usual() -> &'static MachineType {
    static MACHINE: LazyLock<MachineType> = LazyLock::new(|| {
        let Ok(name) = env::var("MAYFLY_TEST_MACHINE") else { return MachineType::all()[0].clone() };
        let mut machine = MachineType::named(&name).unwrap_or_else(|known| panic!("{name}: {known}")).clone();
        if let Ok(nic) = env::var("MAYFLY_TEST_NIC") {
            machine.nic = machine.nic(&nic).unwrap_or_else(|error| panic!("{error}")).to_owned();
        }
        machine
    });
    &MACHINE
}

/// The least memory of a machine, in MiB, that a test may ask for.
pub fn least_mib(machine: &MachineType) -> u32 {
    if machine.firmware.is_some() { FIRMWARE_MIB } else { 0 }
}

/// A launch on the [usual](usual) machine if it wants no other, and with what a machine with firmware needs: an image in the
/// format that it boots, and memory.
pub(crate) fn moved(mut launch: Launch) -> Launch {
    if launch.machine_type() == &MachineType::all()[0] {
        launch = launch.machine(usual());
    }
    let machine = launch.machine_type();
    let image = images::for_machine(launch.image(), machine);
    launch.at_least_mib(least_mib(machine)).with_image(image)
}

/// What `mayfly run` is told for the usual machine.
pub fn words() -> Vec<String> {
    let machine = usual();
    let nic = machine.nics().next().unwrap_or_default();
    let mut words = ["--machine", &machine.name, "--nic", nic].map(str::to_owned).to_vec();
    let least = least_mib(machine);
    if least > 0 {
        words.extend(["--memory".to_owned(), format!("{least}M")]);
    }
    words
}
