//! Who has the time of a boot, on a machine with firmware as on any: QEMU, the firmware, the loader, the kernel, the first request.

use std::path::Path;

use mayfly::results::{Record, Series, Side, Unit};
use mayfly_abi::ledger::Phase;
use mayfly_qemu::{Launch, MachineType, tsc_hz};
use mayfly_tests::{Guest, images};

use crate::{budgets, measures};

/// The parts of a boot.
const PARTS: [&str; 5] = ["QEMU's start", "firmware", "loader", "kernel", "first request"];

fn series<'a>(record: &'a Record, name: &str) -> &'a Series {
    record.series(name).unwrap_or_else(|| panic!("there is no {name} in {record:?}"))
}

/// `mayfly bench boot` of two boots on a machine: what it said, and its result.
fn boot(name: &str, machine: &str, image: &Path, options: &[&str]) -> (String, Record) {
    let image = image.to_str().expect("its name is ASCII");
    let arguments = ["boot", "--machine", machine, "--accel", "tcg", "--runs", "2", "--image", image];
    // On a busy host, the sum of the parts that are measured apart can be off, which is a failure with a result.
    let (_, said, records) = measures::bench(name, &[&arguments, options].concat());
    let [record] = records.try_into().unwrap_or_else(|records| panic!("{records:?}: {said}"));
    (said, record)
}

/// Every part is there and took time, and in each run they are the time to the first byte.
#[track_caller]
fn expect_parts(record: &Record) {
    let whole = series(record, "first byte");
    for run in 0..whole.values.len() {
        let of = |name: String| series(record, &name).values[run];
        let parts = PARTS.map(|part| of(part.to_owned()));
        assert!(parts.iter().all(|took| *took > 0.0), "{parts:?}");
        let sum: f64 = parts.iter().sum();
        assert!((sum / whole.values[run] - 1.0).abs() < 0.02, "{parts:?} are {sum} and not {}", whole.values[run]);
        let shares: f64 = PARTS.map(|part| of(format!("share of {part}"))).iter().sum();
        assert!((shares - 1.0).abs() < 0.02, "{shares}");
    }
}

#[test]
fn a_boot_from_a_stick_is_split_among_qemu_firmware_loader_and_kernel() {
    if tsc_hz().is_none() {
        return;
    }
    let (said, record) = boot("split.jsonl", "uefi-usb", images::disk(), &["--nic", "e1000e"]);
    expect_parts(&record);
    assert_eq!(record.environment.machine, "uefi-usb");
    assert_eq!(record.parameters["card"], "e1000e".into());
    assert!(record.series("floor").is_none() && record.notes.iter().any(|note| note.starts_with("no floor: ")));
    let points =
        ["power-on", "entry", "paging", "traps", "memory", "nic ready", "listening", "connected", "first byte"];
    let points = points.map(|name| series(&record, name).values[0]);
    assert!(points.is_sorted_by(|one, next| one < next), "{points:?}");
    assert_eq!(series(&record, "entry").side, Some(Side::Guest));
    assert!(said.contains("who has the time, ms") && said.contains("other systems are left out"), "{said}");
}

#[test]
fn a_boot_by_a_bios_that_knows_elf_has_its_parts_and_a_floor() {
    if tsc_hz().is_none() {
        return;
    }
    let (said, record) = boot("split-q35.jsonl", "q35", images::hello(), &[]);
    expect_parts(&record);
    assert_eq!(series(&record, "floor").unit, Unit::Milliseconds);
    assert!(said.contains("above its floor"), "{said}");
}

#[test]
fn what_a_machine_does_not_boot_or_have_is_refused_with_what_to_do() {
    let [elf, disk] = [images::hello(), images::disk()].map(|image| image.to_str().expect("its name is ASCII"));
    for (arguments, sentence) in [
        (
            ["--machine", "uefi-usb", "--image", elf],
            "is not what the machine uefi-usb boots: build it with `mayfly build --format disk`",
        ),
        (
            ["--machine", "uefi-cd", "--image", elf],
            "is not what the machine uefi-cd boots: build it with `mayfly build --format iso`",
        ),
        (
            ["--machine", "uefi-cd", "--image", disk],
            "is not what the machine uefi-cd boots: build it with `mayfly build --format iso`",
        ),
        (
            ["--machine", "pc", "--image", disk],
            "is not what the machine pc boots: build it with `mayfly build --format elf`",
        ),
        (["--machine", "vax", "--image", elf], "it is one of microvm, pc, q35, uefi-usb"),
        (
            ["--nic", "e1000e", "--image", elf],
            "machine microvm has no network card `e1000e`: choose one of virtio-net-device",
        ),
    ] {
        let (success, said, records) =
            measures::bench("refused.jsonl", &[&["boot", "--accel", "tcg", "--runs", "1"], &arguments[..]].concat());
        assert!(!success && records.is_empty() && said.contains(sentence), "{arguments:?}: {said}");
    }
    let beside = ["boot", "--machine", "pc", "--image", elf, "--peer", "linux"];
    let (success, said, _) = measures::bench("refused.jsonl", &beside);
    assert!(
        !success && said.contains("other systems are measured on microvm only: leave out --peer or --machine"),
        "{said}"
    );
}

#[test]
fn from_a_stick_loader_and_kernel_take_as_few_instructions_as_budgeted() {
    let usb = MachineType::named("uefi-usb").unwrap_or_else(|error| panic!("{error}"));
    let [of_loader, of_kernel] = ["loader_uefi", "kernel_uefi"].map(|key| budgets::budget("limits", key));
    let mut least = u64::MAX;
    for nic in ["virtio-net-pci", "e1000", "e1000e"] {
        let launch = Launch::new(images::disk()).machine(usb).nic(nic);
        let ticks = launch.ticks();
        let ledger = Guest::counting_on(launch).ledger().expect("it serves");
        let took = |from, to| (ledger.stamp(to) - ledger.stamp(from)) / ticks;
        let (loader, kernel) = (took(Phase::Entry, Phase::Paging), took(Phase::Paging, Phase::Listening));
        println!("from a stick with {nic}: loader {loader} instructions, kernel {kernel} until it listens");
        assert!(kernel <= of_kernel, "{nic}: the kernel takes {kernel} instructions, and {of_kernel} are allowed");
        least = least.min(loader);
    }
    // The firmware waits for the disk on its behalf, for as long as the host takes.
    assert!(least <= of_loader, "the loader takes {least} instructions at least, and {of_loader} are allowed");
}
