//! What the firmware's tables say about the machine (ACPI 6.4, chapter 5). They are claims: every pointer, length and
//! checksum is looked at before what it leads to, and a table that does not hold is left out with a [`Complaint`].
//!
//! Read from bytes, without a library: those there are take addresses and follow them, so that all that they walk would
//! have to be walked before to see that they may.

mod fadt;
mod madt;
mod sleep;

use core::fmt;

pub use fadt::{Power, Reset};
pub use madt::{Interrupts, IoApic, Line, Override};
pub use sleep::sleep_types;

/// Physical memory that tables may lie in.
pub trait Physical {
    /// `len` bytes at a physical address, if all of them are memory that tables may lie in.
    fn bytes(&self, address: u64, len: usize) -> Option<&[u8]>;
}

/// What the machine has, as far as its tables say so and hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// The MADT's.
    pub interrupts: Option<Interrupts>,
    /// The MCFG's: configuration space of PCI segment 0.
    pub configuration: Option<Configuration>,
    /// The FADT's.
    pub power: Option<Power>,
    /// Physical address of the HPET.
    pub hpet: Option<u64>,
}

impl Platform {
    /// Of a machine whose firmware says nothing.
    pub const NOTHING: Self = Self { interrupts: None, configuration: None, power: None, hpet: None };
}

/// Where PCI configuration space is mapped into memory (PCI Firmware 3.3, 4.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// Physical address of bus 0's, whether there is such a bus or not.
    pub base: u64,
    /// First and last bus.
    pub buses: (u8, u8),
}

/// A table that is left out, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The table's signature.
    pub table: [u8; 4],
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is not where it should be.
    Absent,
    /// It does not lie in memory that tables may lie in.
    OutOfReach,
    /// Its length is not one that such a table can have.
    Length,
    /// Its bytes do not add up to zero.
    Checksum,
    /// What it says makes no sense.
    Content,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the firmware's table {} is left out: ", self.table.escape_ascii())?;
        f.write_str(match self.why {
            Why::Absent => "it is not where it should be",
            Why::OutOfReach => "it does not lie in memory where tables can lie",
            Why::Length => "its length is wrong",
            Why::Checksum => "its checksum is wrong",
            Why::Content => "what it says makes no sense",
        })
    }
}

/// Bytes of the header that every table but the first pointer starts with (5.2.6).
const HEADER: usize = 36;
/// Most bytes of a table that is read, and of one with code.
const TABLE_MAX: usize = 64 << 10;
const CODE_MAX: usize = 2 << 20;
/// Most tables that are looked at.
const TABLES_MAX: usize = 128;
/// "RSD PTR ".
const POINTER: &[u8; 8] = b"RSD PTR ";

/// Finds the first pointer where a BIOS leaves it (5.2.5.1): at the start of the extended data area, or below 1 MiB.
#[inline(never)]
pub fn search(memory: &dyn Physical) -> Option<u64> {
    let data = memory.bytes(0x40e, 2).map_or(0, |bytes| u64::from(u16_at(bytes, 0)) << 4);
    let areas = [(data, 1 << 10), (0xe_0000, 0x2_0000)];
    areas.into_iter().find_map(|(start, len)| {
        let bytes = memory.bytes(start, len)?;
        let at = (0..len).step_by(16).find(|at| is_pointer(&bytes[*at..]))?;
        Some(start + at as u64)
    })
}

fn is_pointer(bytes: &[u8]) -> bool {
    bytes.starts_with(POINTER) && bytes.get(..20).is_some_and(adds_up)
}

/// Reads what the machine has, from the first pointer on. Tells `report` about each table that does not hold.
#[inline(never)]
pub fn read(pointer: u64, memory: &dyn Physical, report: &mut dyn FnMut(Complaint)) -> Platform {
    let mut platform = Platform::NOTHING;
    let root = match root(pointer, memory, report) {
        Ok(root) => root,
        Err(complaint) => {
            report(complaint);
            return platform;
        }
    };
    for address in root.entries().take(TABLES_MAX) {
        let Some(signature) = memory.bytes(address, 4).and_then(|bytes| bytes.first_chunk()) else {
            report(Complaint { table: *b"????", why: Why::OutOfReach });
            continue;
        };
        let Some((_, take)) = READERS.iter().find(|(of, _)| of == signature) else { continue };
        let table = table(address, signature, TABLE_MAX, memory);
        if let Err(why) = table.and_then(|table| take(&mut platform, table).ok_or(Why::Content)) {
            report(Complaint { table: *signature, why });
        }
    }
    platform
}

/// Takes what a table says. None if it makes no sense.
type Reader = fn(&mut Platform, &[u8]) -> Option<()>;

/// Who reads which table. Of several with a signature, the first one that holds counts.
const READERS: [([u8; 4], Reader); 4] = [
    (*b"APIC", |platform, table| keep(&mut platform.interrupts, madt::read(table))),
    (*b"MCFG", |platform, table| keep(&mut platform.configuration, configuration(table))),
    (*b"FACP", |platform, table| keep(&mut platform.power, fadt::read(table))),
    (*b"HPET", |platform, table| keep(&mut platform.hpet, hpet(table))),
];

fn keep<T>(slot: &mut Option<T>, read: Option<T>) -> Option<()> {
    slot.get_or_insert(read?);
    Some(())
}

/// The code of a table with code, the DSDT for one.
pub fn code<'a>(address: u64, signature: &[u8; 4], memory: &'a dyn Physical) -> Result<&'a [u8], Complaint> {
    let table = table(address, signature, CODE_MAX, memory);
    table.map(|bytes| &bytes[HEADER..]).map_err(|why| Complaint { table: *signature, why })
}

/// The table of tables.
struct Root<'a> {
    bytes: &'a [u8],
    /// Bytes of an entry.
    width: usize,
}

impl Root<'_> {
    /// Physical addresses of the tables.
    fn entries(&self) -> impl Iterator<Item = u64> {
        let entries = self.bytes[HEADER..].chunks_exact(self.width);
        entries.map(|entry| u64_at(entry, 0))
    }
}

/// The table that the first pointer leads to: the one with wide addresses if there is one that holds (5.2.5.3).
#[inline(never)]
fn root<'a>(pointer: u64, memory: &'a dyn Physical, report: &mut dyn FnMut(Complaint)) -> Result<Root<'a>, Complaint> {
    let wrong = |why| Complaint { table: *b"RSDP", why };
    let old = memory.bytes(pointer, 20).ok_or(wrong(Why::OutOfReach))?;
    if !old.starts_with(POINTER) {
        return Err(wrong(Why::Absent));
    }
    if !adds_up(old) {
        return Err(wrong(Why::Checksum));
    }
    if old[15] >= 2
        && let Some(new) = memory.bytes(pointer, 36).filter(|new| adds_up(new))
        && u64_at(new, 24) != 0
    {
        match table(u64_at(new, 24), b"XSDT", TABLE_MAX, memory) {
            Ok(bytes) => return Ok(Root { bytes, width: 8 }),
            Err(why) => report(Complaint { table: *b"XSDT", why }),
        }
    }
    let table = table(u32_at(old, 16).into(), b"RSDT", TABLE_MAX, memory);
    table.map(|bytes| Root { bytes, width: 4 }).map_err(|why| Complaint { table: *b"RSDT", why })
}

/// A whole table that holds.
#[inline(never)]
fn table<'a>(address: u64, signature: &[u8; 4], max: usize, memory: &'a dyn Physical) -> Result<&'a [u8], Why> {
    let header = memory.bytes(address, HEADER).ok_or(Why::OutOfReach)?;
    if !header.starts_with(signature) {
        return Err(Why::Absent);
    }
    let len = u32_at(header, 4) as usize;
    if !(HEADER..=max).contains(&len) {
        return Err(Why::Length);
    }
    let bytes = memory.bytes(address, len).ok_or(Why::OutOfReach)?;
    if adds_up(bytes) { Ok(bytes) } else { Err(Why::Checksum) }
}

// Kept apart, as others here: none of this is in a hurry, and it is called from many places.
#[inline(never)]
fn adds_up(bytes: &[u8]) -> bool {
    bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)) == 0
}

/// The MCFG (PCI Firmware 3.3, 4.1.2): the first entry for segment 0.
fn configuration(table: &[u8]) -> Option<Configuration> {
    const ENTRIES: usize = 44;
    let mut entries = table.get(ENTRIES..)?.chunks_exact(16);
    let entry = entries.find(|entry| u16_at(entry, 8) == 0)?;
    let (base, buses) = (u64_at(entry, 0), (entry[10], entry[11]));
    let is_mapped = base != 0 && base.trailing_zeros() >= 20 && base.checked_add(256 << 20).is_some();
    (is_mapped && buses.0 <= buses.1).then_some(Configuration { base, buses })
}

/// The HPET's table (IA-PC HPET 1.0a, 3.2.4): in memory, at this address.
fn hpet(table: &[u8]) -> Option<u64> {
    let place = table.get(40..52)?;
    let address = u64_at(place, 4);
    (place[0] == 0 && address != 0 && address.is_multiple_of(1 << 10)).then_some(address)
}

/// The numbers at an offset; 0 beyond the end.
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u64_at(bytes, at) as u16
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u64_at(bytes, at) as u32
}

#[inline(never)]
fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let field = bytes.get(at..).unwrap_or_default();
    field.iter().take(8).rev().fold(0, |all, byte| all << 8 | u64::from(*byte))
}
