//! PCI's configuration space: functions are found on every bus, and no function's claims make a walk endless.

use std::cell::RefCell;
use std::collections::BTreeMap;

use mayfly_core::pci::{Function, Region, Space, walk};
use pci_types::{CommandRegister, ConfigRegionAccess, PciAddress};

/// A machine's functions: their words, and which bits of each can be written.
#[derive(Default)]
struct Machine {
    words: RefCell<BTreeMap<(PciAddress, u16), u32>>,
    writable: BTreeMap<(PciAddress, u16), u32>,
    reads: RefCell<usize>,
}

impl Machine {
    fn set(&mut self, function: PciAddress, offset: u16, value: u32) {
        self.words.borrow_mut().insert((function, offset), value);
    }

    /// A function of this class and type of header.
    fn add(&mut self, bus: u8, device: u8, number: u8, class: u32, header: u32) -> PciAddress {
        let address = PciAddress::new(0, bus, device, number);
        self.set(address, 0x00, 0x10d3_8086);
        self.set(address, 0x04, 0);
        self.writable.insert((address, 0x04), 0xffff);
        self.set(address, 0x08, class << 16);
        self.set(address, 0x0c, header << 16);
        address
    }

    fn add_bridge(&mut self, bus: u8, device: u8, leads_to: u8) -> PciAddress {
        let address = self.add(bus, device, 0, 0x0604, 1);
        self.set(address, 0x18, u32::from(leads_to) << 8);
        address
    }

    /// A base address register with its flags, and the bits of an address that it takes.
    fn add_register(&mut self, function: PciAddress, slot: u16, value: u32, takes: u32) {
        self.set(function, 0x10 + 4 * slot, value);
        self.writable.insert((function, 0x10 + 4 * slot), takes);
    }

    fn found(&self) -> Vec<Function> {
        let mut found = Vec::new();
        walk(self, 0, |function| found.push(function));
        found
    }
}

impl Space for Machine {
    fn word(&self, function: PciAddress, offset: u16) -> u32 {
        *self.reads.borrow_mut() += 1;
        self.words.borrow().get(&(function, offset & !3)).copied().unwrap_or_else(|| {
            // Words that nobody set are 0 where there is a function.
            if self.words.borrow().contains_key(&(function, 0)) { 0 } else { u32::MAX }
        })
    }

    fn set_word(&self, function: PciAddress, offset: u16, value: u32) {
        let takes = self.writable.get(&(function, offset)).copied().unwrap_or_default();
        let before = self.word(function, offset);
        self.words.borrow_mut().insert((function, offset), before & !takes | value & takes);
    }
}

impl ConfigRegionAccess for Machine {
    // The trait's methods are unsafe for those that reach hardware.
    unsafe fn read(&self, address: PciAddress, offset: u16) -> u32 {
        self.word(address, offset)
    }

    unsafe fn write(&self, address: PciAddress, offset: u16, value: u32) {
        self.set_word(address, offset, value);
    }
}

#[test]
fn endpoints_are_found_on_the_first_bus_and_behind_bridges_with_all_their_functions() {
    let mut machine = Machine::default();
    assert_eq!(machine.found(), []);
    let host = machine.add(0, 0, 0, 0x0600, 0);
    let card = machine.add(0, 3, 0, 0x0200, 0x80);
    let second = machine.add(0, 3, 5, 0x0280, 0);
    // Not of several functions: the one behind it is an echo.
    machine.add(0, 0, 2, 0x0300, 0);
    let bridge = machine.add_bridge(0, 28, 7);
    let behind = machine.add(7, 0, 0, 0x0300, 0);
    let found = machine.found();
    let addresses: Vec<_> = found.iter().map(|function| function.address).collect();
    assert_eq!(addresses, [host, card, second, behind]);
    assert_eq!((found[1].id, found[1].class), ((0x8086, 0x10d3), (2, 0)));
    // Memory and bus master: what is behind it can be reached, and reaches memory.
    assert_eq!((machine.word(bridge, 4), machine.word(behind, 4)), (0b110, 0));
}

#[test]
fn bridges_that_lead_to_themselves_or_in_circles_are_crossed_once() {
    let mut machine = Machine::default();
    machine.add_bridge(0, 1, 0);
    machine.add_bridge(0, 2, 1);
    machine.add_bridge(1, 1, 2);
    machine.add_bridge(2, 1, 1);
    machine.add_bridge(2, 2, 0);
    let card = machine.add(2, 3, 0, 0x0200, 0);
    assert_eq!(machine.found().iter().map(|function| function.address).collect::<Vec<_>>(), [card]);
}

#[test]
fn a_bus_on_which_everything_answers_is_walked_to_its_end() {
    let mut machine = Machine::default();
    for device in 0..32 {
        for number in 0..8 {
            machine.add(0, device, number, 0x0200, 0x80);
        }
    }
    assert_eq!(machine.found().len(), 256);
}

#[test]
fn registers_lie_where_they_say_and_what_none_can_say_is_not_believed() {
    let mut machine = Machine::default();
    let address = machine.add(0, 1, 0, 0x0200, 0);
    // 128 KiB below 4 GiB; 16 KiB above; ports; nothing; a reserved type; a wide one without an upper half.
    machine.add_register(address, 0, 0xfeba_0000, 0xfffe_0000);
    machine.add_register(address, 1, 0x8000_000c, 0xffff_c000);
    machine.add_register(address, 2, 0x8, 0xffff_ffff);
    machine.add_register(address, 3, 0xc041, 0xffff_ffe0);
    machine.add_register(address, 4, 0xfebe_0002, 0xffff_0000);
    machine.add_register(address, 5, 0xfebf_0004, 0xffff_0000);
    let card = machine.found()[0];
    card.command(&machine, CommandRegister::MEMORY_ENABLE, CommandRegister::empty());
    assert_eq!(card.memory(&machine, 0), Some(Region { address: 0xfeba_0000, len: 0x2_0000 }));
    assert_eq!(card.memory(&machine, 1), Some(Region { address: 0x8_8000_0000, len: 0x4000 }));
    for slot in 3..8 {
        assert_eq!(card.memory(&machine, slot), None, "{slot}");
    }
    // All is as it was before.
    assert_eq!(machine.word(address, 0x10), 0xfeba_0000);
    assert_eq!(card.header().command(&machine), CommandRegister::MEMORY_ENABLE);
}

#[test]
fn a_register_that_takes_everything_or_nothing_or_odd_bits_has_no_size() {
    for (value, takes) in [(0xfeba_0000, 0), (0xfeba_0000, 0xf0ff_0000), (0, 0xfffe_0000), (0xfeba_1000, 0xfffe_0000)] {
        let mut machine = Machine::default();
        let address = machine.add(0, 1, 0, 0x0200, 0);
        machine.add_register(address, 0, value, takes);
        assert_eq!(machine.found()[0].memory(&machine, 0), None, "{value:#x} {takes:#x}");
    }
}

#[test]
fn a_part_of_a_region_lies_inside_it() {
    let region = Region { address: 0x1000, len: 0x100 };
    assert_eq!(region.part(0x80, 0x80), Some(Region { address: 0x1080, len: 0x80 }));
    for (offset, len) in [(0x80, 0x81), (0x101, 0), (u64::MAX, 1), (1, u64::MAX)] {
        assert_eq!(region.part(offset, len), None);
    }
}

#[test]
fn a_list_of_capabilities_ends_or_is_none() {
    let list = |places: &[(u16, u32)]| {
        let mut machine = Machine::default();
        let address = machine.add(0, 1, 0, 0x0200, 0);
        machine.set(address, 0x04, 1 << 20);
        machine.set(address, 0x34, 0x40);
        places.iter().for_each(|(offset, word)| machine.set(address, *offset, *word));
        machine.found()[0].capabilities(&machine).count()
    };
    // Power management, then message interrupts, then the end; the same with a place that is no capability between them.
    assert_eq!(list(&[(0x40, 0x5001), (0x50, 0x0005)]), 2);
    assert_eq!(list(&[(0x40, 0x5001), (0x50, 0x6000), (0x60, 0x0005)]), 2);
    // In a circle: of capabilities, and of places that are none, which the library would not come out of.
    assert_eq!(list(&[(0x40, 0x5001), (0x50, 0x4005)]), 0);
    assert_eq!(list(&[(0x40, 0x4000)]), 0);
}

#[test]
fn whatever_configuration_space_says_a_walk_ends() {
    let mut state = 1_u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 32) as u32
    };
    for _ in 0..300 {
        let mut machine = Machine::default();
        for _ in 0..40 {
            let (bus, device) = ((random() % 4) as u8, (random() % 32) as u8);
            let address = machine.add(bus, device, (random() % 8) as u8, random() & 0xffff, random() & 0xff);
            for offset in (0x04..0x100).step_by(4) {
                if offset != 0x0c || random() % 2 == 0 {
                    machine.set(address, offset, random());
                    machine.writable.insert((address, offset), random());
                }
            }
        }
        for function in machine.found() {
            for slot in 0..6 {
                if let Some(region) = function.memory(&machine, slot) {
                    assert!(region.len.is_power_of_two() && region.address.is_multiple_of(region.len));
                }
            }
            assert!(function.capabilities(&machine).count() <= 48);
        }
        let reads = *machine.reads.borrow();
        assert!(reads < 500_000, "{reads} reads");
    }
}
