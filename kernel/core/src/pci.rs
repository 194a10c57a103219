//! PCI's configuration space (PCI Local Bus 3.0, chapter 6): which functions there are, where their registers are. What a
//! function says is a claim, so every walk has an end.

use pci_types::capability::PciCapability;
use pci_types::{CommandRegister, ConfigRegionAccess, EndpointHeader, HeaderType, PciAddress, PciHeader};
use pci_types::{PciPciBridgeHeader, StatusRegister};

/// Base class of network cards, and the subclass of those for Ethernet.
pub const ETHERNET: (u8, u8) = (2, 0);
/// Base class of displays.
pub const DISPLAY: u8 = 3;

/// Capabilities that fit behind the header, four bytes each at least.
const CAPABILITIES_MAX: usize = 48;

/// Configuration space. `read` and `write` of the trait below it may be called for every address and offset.
pub trait Space: ConfigRegionAccess {
    /// The word at a multiple of 4; all ones if there is nothing.
    fn word(&self, function: PciAddress, offset: u16) -> u32;
    /// Writes such a word.
    fn set_word(&self, function: PciAddress, offset: u16, value: u32);
}

/// A function that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its place.
    pub address: PciAddress,
    /// Its maker, and what that calls it.
    pub id: (u16, u16),
    /// Base class and subclass.
    pub class: (u8, u8),
}

/// Physical memory in which a function's registers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Physical address.
    pub address: u64,
    /// Bytes.
    pub len: u64,
}

impl Region {
    /// `len` bytes of it from `offset` on, if it has them.
    pub fn part(self, offset: u64, len: u64) -> Option<Self> {
        let end = offset.checked_add(len)?;
        (end <= self.len).then_some(Self { address: self.address + offset, len })
    }
}

/// Looks at every endpoint on bus `root` and on the buses behind its bridges, each bus once. Bridges are made to let memory
/// accesses through, both ways: firmware need not, for a card that it does not use.
pub fn walk(space: &impl Space, root: u8, mut visit: impl FnMut(Function)) {
    let (mut known, mut waiting) = ([false; 256], [root; 256]);
    known[usize::from(root)] = true;
    let (mut at, mut count) = (0, 1);
    while at < count {
        let bus = waiting[at];
        at += 1;
        for device in 0..32 {
            for number in 0..functions(space, PciAddress::new(0, bus, device, 0)) {
                let mut header = PciHeader::new(PciAddress::new(0, bus, device, number));
                let id = header.id(space);
                if id.0 == u16::MAX {
                    continue;
                }
                match header.header_type(space) {
                    HeaderType::Endpoint => {
                        let (_, base, sub, _) = header.revision_and_class(space);
                        visit(Function { address: header.address(), id, class: (base, sub) });
                    }
                    HeaderType::PciPciBridge => {
                        let both = CommandRegister::MEMORY_ENABLE | CommandRegister::BUS_MASTER_ENABLE;
                        header.update_command(space, |command| command | both);
                        let bridge = PciPciBridgeHeader::from_header(header, space);
                        let next = bridge.map_or(root, |bridge| bridge.secondary_bus_number(space));
                        // A bus that leads to itself, or to one that is known, is not looked at again.
                        if !core::mem::replace(&mut known[usize::from(next)], true) {
                            waiting[count] = next;
                            count += 1;
                        }
                    }
                    _ => {}
                }
            }
        }
    }
}

/// How many functions a device may have: none, one or eight.
fn functions(space: &impl Space, first: PciAddress) -> u8 {
    let header = PciHeader::new(first);
    match header.id(space).0 {
        u16::MAX => 0,
        _ if header.has_multiple_functions(space) => 8,
        _ => 1,
    }
}

impl Function {
    /// Its header.
    pub fn header(&self) -> PciHeader {
        PciHeader::new(self.address)
    }

    /// Sets bits of its command register, and clears others.
    #[inline(never)]
    pub fn command(&self, space: &impl Space, set: CommandRegister, clear: CommandRegister) {
        self.header().update_command(space, |command| (command | set) - clear);
    }

    /// The memory of base address register number `slot`. None if there is no such register, if it is for ports, or if it says
    /// what none can say.
    ///
    /// Written out because the library's way panics on a reserved type and on a size of 0, which are a device's claims.
    pub fn memory(&self, space: &impl Space, slot: u8) -> Option<Region> {
        let offset = 0x10 + 4 * u16::from(slot);
        let low = (slot < 6).then(|| space.word(self.address, offset))?;
        let is_wide = match low & 0b111 {
            0b000 => false,
            0b100 if slot < 5 => true,
            _ => return None,
        };
        // Its size is what does not take ones. Meanwhile the function must not answer anywhere.
        let answers = self.header().command(space) & CommandRegister::MEMORY_ENABLE;
        self.command(space, CommandRegister::empty(), answers);
        let size = |offset| {
            let value = space.word(self.address, offset);
            space.set_word(self.address, offset, u32::MAX);
            let taken = space.word(self.address, offset);
            space.set_word(self.address, offset, value);
            (u64::from(value), u64::from(taken))
        };
        let (low, low_taken) = size(offset);
        let (high, high_taken) = if is_wide { size(offset + 4) } else { (0, u32::MAX.into()) };
        self.command(space, answers, CommandRegister::empty());
        let (address, taken) = (high << 32 | low & !0xf, high_taken << 32 | low_taken & !0xf);
        let len = taken.wrapping_neg();
        let is_whole = len.is_power_of_two() && address != 0 && address.is_multiple_of(len);
        (is_whole && address.checked_add(len).is_some()).then_some(Region { address, len })
    }

    /// Its capabilities (6.7). None if their list has no end: the library would follow it for ever.
    pub fn capabilities(&self, space: &impl Space) -> impl Iterator<Item = PciCapability> {
        let header = EndpointHeader::from_header(self.header(), space).filter(|_| self.list_ends(space));
        header.into_iter().flat_map(move |header| header.capabilities(space))
    }

    #[inline(never)]
    fn list_ends(&self, space: &impl Space) -> bool {
        let status: StatusRegister = self.header().status(space);
        let mut at = if status.has_capability_list() { space.word(self.address, 0x34) as u8 } else { 0 };
        for _ in 0..CAPABILITIES_MAX {
            if at == 0 {
                return true;
            }
            at = (space.word(self.address, u16::from(at & !3)) >> 8) as u8;
        }
        false
    }
}
