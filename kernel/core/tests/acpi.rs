//! The firmware's tables: what QEMU's say is read as QEMU means it, and whatever is wrong with them ends in a sentence.
//!
//! `acpi/NAME.bin` are the tables of QEMU 7.2's machine NAME as SeaBIOS leaves them in memory: for each its physical address
//! (8 bytes), its length (4 bytes) and its bytes; the first pointer comes first.

use std::fmt::Write as _;

use mayfly_core::acpi::{
    self, Complaint, Configuration, IoApic, Line, Physical, Platform, Reset, Why, search, sleep_types,
};

const Q35: &[u8] = include_bytes!("acpi/q35.bin");
const PC: &[u8] = include_bytes!("acpi/pc.bin");

/// Seeds of random damage; `MAYFLY_ACPI_SEEDS` asks for more.
const SEEDS: u64 = 20_000;

/// Memory that is there in pieces.
#[derive(Clone)]
struct Memory(Vec<(u64, Vec<u8>)>);

impl Memory {
    fn of(mut dump: &[u8]) -> Self {
        let mut pieces = Vec::new();
        while let Some((head, rest)) = dump.split_first_chunk::<12>() {
            let address = u64::from_le_bytes(head[..8].try_into().expect("eight bytes"));
            let len = u32::from_le_bytes(head[8..].try_into().expect("four bytes")) as usize;
            pieces.push((address, rest[..len].to_vec()));
            dump = &rest[len..];
        }
        Self(pieces)
    }

    fn pointer(&self) -> u64 {
        self.0[0].0
    }

    fn table(&mut self, signature: &[u8; 4]) -> &mut Vec<u8> {
        let found = self.0.iter_mut().find(|(_, bytes)| bytes.starts_with(signature));
        &mut found.unwrap_or_else(|| panic!("no table {}", signature.escape_ascii())).1
    }

    /// Changes a table and puts its checksum right.
    fn change(&mut self, signature: &[u8; 4], change: impl FnOnce(&mut Vec<u8>)) {
        let table = self.table(signature);
        change(table);
        repair(table, 9);
    }

    fn read(&self) -> (Platform, Vec<Complaint>) {
        let mut complaints = Vec::new();
        let platform = acpi::read(self.pointer(), self, &mut |complaint| complaints.push(complaint));
        (platform, complaints)
    }

    /// All is read but what the table says, about which there is this complaint.
    #[track_caller]
    fn expect_complaint(&self, table: &[u8; 4], why: Why) {
        let (platform, complaints) = self.read();
        assert_eq!(complaints, [Complaint { table: *table, why }]);
        let (all, _) = Memory::of(Q35).read();
        assert_eq!(platform.interrupts, all.interrupts.filter(|_| table != b"APIC"));
        assert_eq!(platform.configuration, all.configuration.filter(|_| table != b"MCFG"));
        assert_eq!(platform.power, all.power.filter(|_| table != b"FACP"));
        assert_eq!(platform.hpet, all.hpet.filter(|_| table != b"HPET"));
    }
}

impl Physical for Memory {
    fn bytes(&self, address: u64, len: usize) -> Option<&[u8]> {
        self.0.iter().find_map(|(start, bytes)| {
            let at = usize::try_from(address.checked_sub(*start)?).ok()?;
            bytes.get(at..at.checked_add(len)?)
        })
    }
}

/// Makes the bytes add up to zero by the one at an offset.
fn repair(bytes: &mut [u8], at: usize) {
    bytes[at] = bytes[at].wrapping_sub(bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte)));
}

#[test]
fn the_tables_of_q35_say_what_qemu_has() {
    let (platform, complaints) = Memory::of(Q35).read();
    assert_eq!(complaints, []);
    assert_eq!(platform.configuration, Some(Configuration { base: 0xb000_0000, buses: (0, 255) }));
    assert_eq!(platform.hpet, Some(0xfed0_0000));
    let power = platform.power.expect("there is a FADT");
    assert_eq!((power.events, power.events_len, power.control, power.timer), (0x600, 4, [0x604, 0], 0x608));
    assert_eq!((power.interrupt, power.command, power.enable, power.timer_is_wide), (9, 0xb2, 2, false));
    assert_eq!((power.dsdt, power.reset), (0x3fe_0040, Some(Reset { port: 0xcf9, value: 0x0f })));
}

#[test]
fn the_tables_of_pc_have_no_mapped_configuration_space_and_no_reset() {
    let (platform, complaints) = Memory::of(PC).read();
    assert_eq!((complaints, platform.configuration), (vec![], None));
    let power = platform.power.expect("there is a FADT");
    assert_eq!((power.control, power.timer, power.reset), ([0x604, 0], 0x608, None));
}

#[test]
fn old_interrupts_go_where_they_are_redirected_to_and_are_read_as_the_tables_say() {
    let apic = IoApic { address: 0xfec0_0000, first: 0 };
    for dump in [Q35, PC] {
        let interrupts = Memory::of(dump).read().0.interrupts.expect("there is a MADT");
        assert_eq!(interrupts.apics(), [apic]);
        // PCI's own interrupts, which QEMU has active high; one that is not redirected is read as its bus has it.
        for irq in [5, 9, 10, 11] {
            let line = Line { apic, input: irq.into(), active_low: false, level: true };
            assert_eq!(interrupts.line(irq, true), Some(line));
        }
        let timer = interrupts.line(0, false);
        assert_eq!(timer, Some(Line { apic, input: 2, active_low: false, level: false }));
        let pci = interrupts.line(3, true);
        assert_eq!(pci, Some(Line { apic, input: 3, active_low: true, level: true }));
        assert_eq!(interrupts.line(16, true), None);
    }
}

#[test]
fn an_input_belongs_to_the_controller_with_the_next_lower_first_one() {
    let mut memory = Memory::of(Q35);
    memory.change(b"APIC", |table| {
        // An I/O APIC for inputs from 24 on, and old interrupt 5 redirected to input 30: low, level.
        table.extend([1, 12, 1, 0, 0, 0x10, 0xc0, 0xfe, 24, 0, 0, 0]);
        table.extend([2, 10, 0, 5, 30, 0, 0, 0, 0x0f, 0]);
        let len = table.len() as u32;
        table[4..8].copy_from_slice(&len.to_le_bytes());
    });
    let interrupts = memory.read().0.interrupts.expect("there is a MADT");
    let apic = IoApic { address: 0xfec0_1000, first: 24 };
    assert_eq!(interrupts.line(5, false), Some(Line { apic, input: 6, active_low: true, level: true }));
    assert_eq!(interrupts.line(10, false).map(|line| line.apic.first), Some(0));
}

#[test]
fn the_tables_code_says_how_to_switch_off() {
    for dump in [Q35, PC] {
        let memory = Memory::of(dump);
        let dsdt = memory.read().0.power.expect("there is a FADT").dsdt;
        let code = acpi::code(dsdt, b"DSDT", &memory).expect("it holds");
        assert_eq!(sleep_types(code), Some([0, 0]), "QEMU's type is 0");
    }
}

#[test]
fn how_to_switch_off_is_found_as_compilers_write_it_and_nowhere_else() {
    let name = |before: &[u8], after: &[u8]| [before, b"_S5_", after].concat();
    let package = [0x12, 0x06, 0x04, 0x0a, 0x05, 0x01, 0x00, 0x00];
    assert_eq!(sleep_types(&name(&[0x08], &package)), Some([5, 1]));
    assert_eq!(sleep_types(&name(b"\x08\\", &package)), Some([5, 1]));
    // A length of two bytes; numbers of two bytes; a single element.
    assert_eq!(sleep_types(&name(&[8], &[0x12, 0x47, 0x00, 0x02, 0x0b, 0x07, 0x00, 0x0a, 0x06])), Some([7, 6]));
    assert_eq!(sleep_types(&name(&[8], &[0x12, 0x03, 0x01, 0x0a, 0x03])), Some([3, 3]));
    // Somebody only speaks of it, and then it is defined.
    let twice = [name(&[0x5c], &[0x70]), name(&[8], &package)].concat();
    assert_eq!(sleep_types(&twice), Some([5, 1]));
    for wrong in [
        name(&[0x70], &package),
        name(&[8], &[]),
        name(&[8], &[0x12]),
        name(&[8], &[0x12, 0xc0]),
        name(&[8], &[0x12, 0x06, 0x04, 0x0a]),
        name(&[8], &[0x12, 0x06, 0x04, 0x0a, 0x08, 0x00]),
        name(&[8], &[0x12, 0x06, 0x04, 0x0c, 0x05, 0x00]),
        b"_S5".to_vec(),
    ] {
        assert_eq!(sleep_types(&wrong), None, "{}", wrong.escape_ascii());
    }
}

#[test]
fn a_table_with_a_wrong_checksum_is_left_out_and_the_others_are_read() {
    for signature in [b"APIC", b"MCFG", b"FACP", b"HPET"] {
        let mut memory = Memory::of(Q35);
        memory.table(signature)[20] ^= 4;
        memory.expect_complaint(signature, Why::Checksum);
    }
}

#[test]
fn a_length_that_leads_out_of_memory_or_into_the_header_is_noticed() {
    for (len, why) in [
        (u32::MAX, Why::Length),
        (0x1_0001, Why::Length),
        (35, Why::Length),
        (0, Why::Length),
        (0x2000, Why::OutOfReach),
    ] {
        let mut memory = Memory::of(Q35);
        memory.change(b"APIC", |table| table[4..8].copy_from_slice(&len.to_le_bytes()));
        memory.expect_complaint(b"APIC", why);
    }
}

#[test]
fn a_table_that_is_where_no_table_can_be_is_told_once() {
    let mut memory = Memory::of(Q35);
    // The root's second entry is the MADT's.
    memory.change(b"RSDT", |table| table[40..44].copy_from_slice(&0xdead_0000_u32.to_le_bytes()));
    let (platform, complaints) = memory.read();
    assert_eq!(complaints, [Complaint { table: *b"????", why: Why::OutOfReach }]);
    assert!(platform.interrupts.is_none() && platform.power.is_some());
}

#[test]
fn content_that_makes_no_sense_is_left_out() {
    type Change = fn(&mut Vec<u8>);
    let cases: [(&[u8; 4], Change); 7] = [
        // An entry without a length; one that is longer than the table.
        (b"APIC", |table| table[45] = 0),
        (b"APIC", |table| table[45] = 255),
        // Configuration space that is not on a boundary, or has its buses the wrong way round, or wraps around.
        (b"MCFG", |table| table[44] = 1),
        (b"MCFG", |table| (table[54], table[55]) = (9, 8)),
        (b"MCFG", |table| table[46..52].fill(0xff)),
        // A timer that is not in memory, or nowhere.
        (b"HPET", |table| table[40] = 1),
        (b"HPET", |table| table[44..52].fill(0)),
    ];
    for (signature, change) in cases {
        let mut memory = Memory::of(Q35);
        memory.change(signature, change);
        memory.expect_complaint(signature, Why::Content);
    }
}

#[test]
fn a_first_pointer_that_is_none_leaves_nothing() {
    type Break = fn(&mut Vec<u8>);
    let cases: [(Break, &[u8; 4], Why); 4] = [
        (|bytes| bytes[0] ^= 1, b"RSDP", Why::Absent),
        (|bytes| bytes[17] ^= 1, b"RSDP", Why::Checksum),
        (|bytes| bytes.truncate(19), b"RSDP", Why::OutOfReach),
        (
            |bytes| {
                bytes[18] ^= 0x40;
                repair(bytes, 8);
            },
            b"RSDT",
            Why::OutOfReach,
        ),
    ];
    for (damage, table, why) in cases {
        let mut memory = Memory::of(Q35);
        damage(&mut memory.0[0].1);
        assert_eq!(memory.read(), (Platform::NOTHING, vec![Complaint { table: *table, why }]));
    }
}

/// The tables of q35 behind a pointer of version 2 and a root with wide addresses.
fn wide() -> Memory {
    let mut memory = Memory::of(Q35);
    let mut root = memory.table(b"RSDT").clone();
    let narrow = root.split_off(36);
    root[..4].copy_from_slice(b"XSDT");
    root.extend(narrow.chunks(4).flat_map(|entry| [entry, &[0; 4]].concat()));
    let len = root.len() as u32;
    root[4..8].copy_from_slice(&len.to_le_bytes());
    repair(&mut root, 9);
    memory.0.push((0x7_0000_0000, root));
    let pointer = &mut memory.0[0].1;
    pointer[15] = 2;
    repair(&mut pointer[..20], 8);
    pointer.extend(36_u32.to_le_bytes());
    pointer.extend(0x7_0000_0000_u64.to_le_bytes());
    pointer.extend([0; 4]);
    repair(pointer, 32);
    memory
}

#[test]
fn the_root_with_wide_addresses_is_preferred_and_the_narrow_one_is_there_if_it_does_not_hold() {
    let mut memory = wide();
    memory.change(b"RSDT", |table| table.truncate(36));
    assert_eq!(memory.read(), Memory::of(Q35).read());

    let mut memory = wide();
    memory.table(b"XSDT")[30] ^= 1;
    let (platform, complaints) = memory.read();
    assert_eq!(complaints, [Complaint { table: *b"XSDT", why: Why::Checksum }]);
    assert_eq!(platform, Memory::of(Q35).read().0);
}

#[test]
fn the_first_pointer_is_found_where_a_bios_leaves_it() {
    let mut low = vec![0; 0x10_0000];
    assert_eq!(search(&Memory(vec![(0, low.clone())])), None);
    let pointer = Memory::of(Q35).0[0].1.clone();
    low[0xf_59e0..][..pointer.len()].copy_from_slice(&pointer);
    assert_eq!(search(&Memory(vec![(0, low.clone())])), Some(0xf_59e0));
    // In the extended data area, whose segment is at 0x40e.
    low[0x40e..0x410].copy_from_slice(&0x9fc0_u16.to_le_bytes());
    low[0x9_fc20..][..pointer.len()].copy_from_slice(&pointer);
    assert_eq!(search(&Memory(vec![(0, low.clone())])), Some(0x9_fc20));
    // What only looks like one is passed over.
    low[0x9_fc20 + 9] ^= 1;
    assert_eq!(search(&Memory(vec![(0, low)])), Some(0xf_59e0));
}

/// Small and repeatable: splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ mixed >> 27
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

#[test]
fn whatever_is_flipped_in_them_the_tables_are_read_to_an_end_and_what_is_kept_makes_sense() {
    let seeds = std::env::var("MAYFLY_ACPI_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS);
    let (mut complained, mut kept) = (0, 0);
    for seed in 0..seeds {
        let mut random = Random(seed);
        let mut memory = if seed % 2 == 0 { Memory::of(Q35) } else { wide() };
        for _ in 0..=random.below(4) {
            let piece = random.below(memory.0.len());
            let bytes = &mut memory.0[piece].1;
            let is_pointer = piece == 0;
            // Mostly where it matters: signature, length, checksum; pointers and entries; a few anywhere.
            let area = [8, 12, 64, bytes.len()][random.below(4)].min(bytes.len());
            let at = random.below(area);
            bytes[at] ^= 1 << random.below(8);
            if random.below(2) == 0 {
                repair(bytes, if is_pointer { 8 } else { 9 });
            }
        }
        let (platform, complaints) = memory.read();
        expect_sense(&platform, &memory);
        complained += usize::from(!complaints.is_empty());
        kept += usize::from(platform != Platform::NOTHING);
        let mut said = String::new();
        complaints.iter().for_each(|complaint| write!(said, "{complaint}").expect("a string takes all"));
        assert!(said.is_ascii(), "{said}");
    }
    // The damage is neither always noticed nor always fatal.
    assert!(complained > seeds as usize / 4 && kept > seeds as usize / 4, "{complained} and {kept} of {seeds}");
}

/// Nothing that the kernel will touch lies where it cannot.
fn expect_sense(platform: &Platform, memory: &Memory) {
    if let Some(interrupts) = &platform.interrupts {
        assert!((1..=8).contains(&interrupts.apics().len()));
        for line in (0..16).filter_map(|irq| interrupts.line(irq, true)) {
            assert!(interrupts.apics().contains(&line.apic));
        }
    }
    if let Some(Configuration { base, buses }) = platform.configuration {
        assert!(base.is_multiple_of(1 << 20) && base != 0 && buses.0 <= buses.1);
    }
    if let Some(power) = &platform.power
        && let Ok(code) = acpi::code(power.dsdt, b"DSDT", memory)
    {
        assert!(sleep_types(code).is_none_or(|types| types.iter().all(|kind| *kind < 8)));
    }
    assert!(platform.hpet.is_none_or(|address| address != 0 && address.is_multiple_of(1 << 10)));
}
