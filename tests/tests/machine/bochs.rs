//! On a second PC, which is none of QEMU's: Bochs's, with a BIOS of its own and an Intel 82540EM.

use std::fs;

use mayfly_tests::{Bochs, attacks, images};

/// Processors: one with none of SMEP, SMAP, UMIP and PCID, and one with all of them. The description's lacks UMIP.
const OLD: &str = "cpu: model=p4_prescott_celeron_336";
const NEW: &str = "cpu: model=corei3_cnl";
/// What they lack, in the kernel's words.
const UMIP: &str = "USER_MODE_INSTRUCTION_PREVENTION";
const SMAP: &str = "SUPERVISOR_MODE_ACCESS_PREVENTION";
/// Of so many attacks one is made where the others are made elsewhere.
const PART: usize = 4;
/// In the log, by the processor's local APIC: it is no longer reached by memory.
const X2APIC: &str = "(MMIO disabled)";

/// It has an address, answers, and gives one of every `part` attacks its exact verdict, with hello right after each. Attacks
/// whose verdict depends on what the processor has are left out on one that lacks something.
#[track_caller]
fn expect_service(bochs: &mut Bochs, lacking: &[&str], part: usize) {
    bochs.expect_line("mayfly: address 10.0.2.15/24 by DHCP");
    bochs.expect_hello();
    let console = bochs.console();
    let lacks: Vec<_> = [UMIP, SMAP].into_iter().filter(|what| console.contains(what)).collect();
    assert_eq!(lacks, lacking);
    let rows = attacks::table_of_a_processor();
    let holding = rows.iter().filter(|row| lacking.is_empty() || !row.needs_features());
    let tried: Vec<_> = holding.step_by(part).collect();
    let made = attacks::expect_all(tried.iter().copied(), &mut bochs.connect(), &mut 0);
    println!("{} of {} attacks tried, all exact, {made} requests", tried.len(), rows.len());
    bochs.expect_hello();
}

/// An adapter's program, which the firmware runs before it boots: it leaves the local APIC in x2APIC mode (SDM 3A 11.12.1).
fn switch_to_x2apic() -> Vec<u8> {
    let code = [
        0x66, 0x60, // pushad
        0x66, 0xb9, 0x1b, 0, 0, 0, // mov ecx, IA32_APIC_BASE
        0x0f, 0x32, // rdmsr
        0x66, 0x0d, 0, 0x0c, 0, 0, // or eax, enabled and x2APIC
        0x0f, 0x30, // wrmsr
        0x66, 0x61, // popad
        0xcb, // retf
    ];
    // Signature and length in units of 512 bytes; the sum of all bytes is 0.
    let mut program = [&[0x55, 0xaa, 1], &code[..]].concat();
    program.resize(512, 0);
    program[511] = program.iter().fold(0, |sum: u8, byte| sum.wrapping_sub(*byte));
    program
}

#[test]
fn hello_answers_and_attacks_are_contained_on_an_old_processor() {
    let mut bochs = Bochs::boot(images::checked_iso(), &[OLD]);
    expect_service(&mut bochs, &[UMIP, SMAP], PART);
    assert!(!bochs.log().contains(X2APIC), "this one is to be xAPIC");
}

#[test]
fn hello_answers_and_attacks_are_contained_on_a_newer_one_in_x2apic_mode() {
    let program = images::place("x2apic.rom");
    fs::write(&program, switch_to_x2apic()).expect("there is room");
    let adapter = format!("optromimage1: file={}, address=0xd0000", program.display());
    let mut bochs = Bochs::boot(images::checked_iso(), &[&adapter]);
    expect_service(&mut bochs, &[UMIP], 1);
    assert!(bochs.log().contains(X2APIC), "the firmware has left it in xAPIC mode");
}

#[test]
fn attacks_are_contained_on_a_new_processor_that_tells_address_spaces_apart_by_number() {
    let mut bochs = Bochs::boot(images::numbered_iso(), &[NEW]);
    expect_service(&mut bochs, &[], PART);
}

#[test]
fn without_a_network_card_it_says_so_and_switches_itself_off() {
    let mut bochs = Bochs::boot(images::checked_iso(), &["pci: slot1=none", "e1000: enabled=0"]);
    bochs.expect_line("mayfly: there is no network card that is driven");
    bochs.expect_off();
}
