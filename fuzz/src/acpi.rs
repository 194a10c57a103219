//! The firmware's tables: whatever they say, they are read to an end, no byte beyond memory is asked for twice in vain, and
//! what is kept makes sense.
//!
//! The first byte of an input says with its low bit that checksums are put right, since no mutation would get past them.
//! Then come pieces of memory: address (8 bytes), length (2 bytes), bytes. The first pointer is at the first one.

use std::cell::Cell;

use mayfly_core::acpi::{self, Complaint, Configuration, Physical, Platform, Why, sleep_types};

/// Most bytes that are read in all, for each byte there is: pointers may lead to the same table again and again.
const READS: usize = 64 << 10;

/// Memory in pieces, and how often it was asked for.
struct Memory {
    pieces: Vec<(u64, Vec<u8>)>,
    asked: Cell<usize>,
}

impl Physical for Memory {
    fn bytes(&self, address: u64, len: usize) -> Option<&[u8]> {
        self.asked.set(self.asked.get() + 1);
        self.pieces.iter().find_map(|(start, bytes)| {
            let at = usize::try_from(address.checked_sub(*start)?).ok()?;
            bytes.get(at..at.checked_add(len)?)
        })
    }
}

/// Reads the tables that the bytes describe.
pub fn run(data: &[u8]) -> bool {
    let Some((mode, mut rest)) = data.split_first() else { return false };
    let mut pieces = Vec::new();
    while let Some((head, behind)) = rest.split_first_chunk::<10>() {
        let (address, len) = head.split_at(8);
        let address = address.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte));
        let len = usize::from(len[0]) | usize::from(len[1]) << 8;
        let (bytes, behind) = behind.split_at(len.min(behind.len()));
        pieces.push((address, bytes.to_vec()));
        rest = behind;
    }
    let Some((pointer, _)) = pieces.first() else { return false };
    let pointer = *pointer;
    if mode & 1 != 0 {
        pieces.iter_mut().for_each(|(_, bytes)| repair(bytes));
    }
    let memory = Memory { pieces, asked: Cell::new(0) };
    let mut complaints = Vec::new();
    let platform = acpi::read(pointer, &memory, &mut |complaint| complaints.push(complaint));
    assert!(memory.asked.get() <= READS, "memory was asked for {} times", memory.asked.get());
    assert!(complaints.len() <= 130, "{} complaints", complaints.len());
    assert!(complaints.iter().all(|complaint| complaint.to_string().starts_with("the firmware's table ")));
    let fatal = |Complaint { table, .. }: &Complaint| matches!(table, b"RSDP" | b"RSDT");
    if complaints.iter().any(fatal) {
        assert_eq!(platform, Platform::NOTHING, "something was read without a root");
        return false;
    }
    expect_sense(&platform, &memory);
    expect_same_without_the_rest(&platform, pointer, memory, &complaints);
    true
}

/// What is kept is what the kernel may touch.
fn expect_sense(platform: &Platform, memory: &Memory) {
    if let Some(interrupts) = &platform.interrupts {
        assert!((1..=8).contains(&interrupts.apics().len()));
        for irq in 0..=u8::MAX {
            let Some(line) = interrupts.line(irq, irq % 2 == 0) else { continue };
            assert!(irq < 16 && interrupts.apics().contains(&line.apic));
            let input = u64::from(line.apic.first) + u64::from(line.input);
            assert!(input <= u64::from(u32::MAX));
            let nearer = |apic: &&acpi::IoApic| apic.first > line.apic.first && u64::from(apic.first) <= input;
            assert!(interrupts.apics().iter().find(nearer).is_none(), "another controller has input {input}");
        }
    }
    if let Some(Configuration { base, buses }) = platform.configuration {
        assert!(
            base != 0 && base.is_multiple_of(1 << 20) && base.checked_add(256 << 20).is_some() && buses.0 <= buses.1
        );
    }
    assert!(platform.hpet.is_none_or(|address| address != 0 && address.is_multiple_of(1 << 10)));
    if let Some(power) = &platform.power {
        assert!(power.reset.is_none_or(|reset| reset.port != 0));
        if let Ok(code) = acpi::code(power.dsdt, b"DSDT", memory) {
            assert!(sleep_types(code).is_none_or(|types| types.iter().all(|kind| *kind < 8)));
        }
    }
}

/// Tables that were complained of may as well not be there.
fn expect_same_without_the_rest(platform: &Platform, pointer: u64, mut memory: Memory, complaints: &[Complaint]) {
    let wrong = |bytes: &[u8]| {
        complaints.iter().any(|complaint| {
            complaint.why == Why::Checksum && complaint.table != *b"XSDT" && bytes.starts_with(&complaint.table)
        })
    };
    let sum = |bytes: &[u8]| bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    for (_, bytes) in memory.pieces.iter_mut().skip(1).filter(|(_, bytes)| wrong(bytes) && sum(bytes) != 0) {
        let len = u32::from_le_bytes(bytes.get(4..8).and_then(|len| len.try_into().ok()).unwrap_or_default());
        // Only one that is all there is to its piece: others may lie in it.
        if len as usize == bytes.len() {
            bytes[..4].copy_from_slice(b"GONE");
        }
    }
    assert_eq!(acpi::read(pointer, &memory, &mut |_| {}), *platform);
}

/// Makes a piece add up to zero: a pointer by its checksum, in both lengths, a table by its own.
fn repair(bytes: &mut [u8]) {
    let is_pointer = bytes.starts_with(b"RSD PTR ");
    let fix = |bytes: &mut [u8], at: usize| {
        if at < bytes.len() {
            bytes[at] = bytes[at].wrapping_sub(bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte)));
        }
    };
    if is_pointer {
        let old = bytes.len().min(20);
        fix(&mut bytes[..old], 8);
        let new = bytes.len().min(36);
        fix(&mut bytes[..new], 32);
    } else {
        let len = bytes.get(4..8).map_or(0, |len| u32::from_le_bytes([len[0], len[1], len[2], len[3]]) as usize);
        let end = if (36..=bytes.len()).contains(&len) { len } else { bytes.len() };
        fix(&mut bytes[..end], 9);
    }
}
