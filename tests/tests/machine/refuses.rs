//! Machines and images that cannot be used: each ends with its own status and a sentence that says what to do.

use std::fs;
use std::path::{Path, PathBuf};

use mayfly_abi::ABI_VERSION;
use mayfly_abi::exit::Exit;
use mayfly_abi::image::{BUNDLE_MAGIC, BundleHeader, FunctionRecord, HEADER_CHECKED};
use mayfly_abi::wire::{Wire, checksum};
use mayfly_qemu::{Ending, Launch};
use mayfly_tests::{Guest, Request, images};

/// The machine says `sentence` and ends as one that refuses to run.
#[track_caller]
fn expect_refusal(launch: Launch, sentence: &str) {
    let mut guest = Guest::start(launch);
    assert_eq!(guest.expect_ending(), Ending::Kernel(Exit::Refused));
    let console = guest.machine().console().text();
    assert!(console.contains(sentence), "{console}");
}

/// A copy of the hello image whose bundle was changed.
fn altered(name: &str, alter: impl FnOnce(&mut [u8])) -> PathBuf {
    let mut bytes = fs::read(images::hello()).expect("it was built");
    // A segment of its own: its place in the file is in the ELF's program headers, which follow the ELF header.
    let headers = bytes[64..].chunks(56).map(|header| u64::get(&header[8..]) as usize);
    let magic = BUNDLE_MAGIC.to_le_bytes();
    let bundle = headers.take(16).find(|at| bytes.get(*at..).is_some_and(|segment| segment.starts_with(&magic)));
    alter(&mut bytes[bundle.expect("an image has a bundle")..]);
    let path = images::place(name);
    fs::write(&path, bytes).expect("a file beside the images can be written");
    path
}

fn with_right_checksum(header: &mut [u8]) {
    let sum = checksum(&header[..HEADER_CHECKED]);
    header[HEADER_CHECKED..BundleHeader::SIZE].copy_from_slice(&sum.to_le_bytes());
}

fn launch(image: &Path) -> Launch {
    Launch::new(image)
}

#[test]
fn two_mebibytes_of_memory_are_too_little() {
    expect_refusal(launch(images::hello()).memory_mib(2), "memory");
}

#[test]
fn a_machine_without_network_card_is_refused() {
    expect_refusal(launch(images::hello()).without_network(), "there is no network card that is driven: virtio-net");
}

#[test]
fn a_flipped_bit_in_the_bundles_header_is_noticed() {
    let count = std::mem::offset_of!(BundleHeader, function_count);
    let image = altered("flipped-header.elf", |bundle| bundle[count] ^= 1 << 3);
    expect_refusal(launch(&image), "the bundle's header is damaged");
}

#[test]
fn a_bundle_without_its_magic_number_is_refused() {
    let image = altered("no-magic.elf", |bundle| bundle[0] ^= 1);
    expect_refusal(launch(&image), "there is no bundle where the image should have one");
}

#[test]
fn functions_for_another_abi_version_are_refused() {
    let image = altered("other-abi.elf", |bundle| {
        let at = std::mem::offset_of!(BundleHeader, abi_version);
        bundle[at..at + 4].copy_from_slice(&(ABI_VERSION + 1).to_le_bytes());
        with_right_checksum(bundle);
    });
    let sentence = format!("built for ABI version {} and this kernel has {ABI_VERSION}", ABI_VERSION + 1);
    expect_refusal(launch(&image), &sentence);
}

#[test]
fn a_table_outside_the_bundle_is_refused() {
    let image = altered("table-outside.elf", |bundle| {
        let at = std::mem::offset_of!(BundleHeader, table_offset);
        bundle[at..at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
        with_right_checksum(bundle);
    });
    expect_refusal(launch(&image), "the bundle's table does not lie inside the bundle");
}

#[test]
fn a_function_whose_record_is_damaged_gets_502_and_the_machine_goes_on() {
    let image = altered("flipped-record.elf", |bundle| {
        let record = BundleHeader::get(bundle).table_offset as usize;
        bundle[record + std::mem::offset_of!(FunctionRecord, timeout_ms)] ^= 1;
    });
    let guest = Guest::boot(&image);
    for _ in 0..2 {
        let response = guest.ask(&Request::get("/hello"));
        assert_eq!(response.status, 502, "{response:?}");
        assert!(response.text().contains("damaged-record"), "{response:?}");
    }
    guest.expect_line("the function's record is damaged; build or copy the image again");
    assert_eq!(guest.ask(&Request::get("/nothing")).status, 404);
}

#[test]
fn an_unknown_word_on_the_command_line_is_reported_and_ignored() {
    let guest = Guest::serving(launch(images::hello()).kernel_argument("colour=red").kernel_argument("tsc_hz=soon"));
    guest.expect_line("`colour=red` is ignored: there is no such key");
    guest.expect_line("`tsc_hz=soon` is ignored: its value is not of the key's form");
    guest.expect_hello();
}
