//! Entries of page tables (SDM 3A 4.5): those in the image, which the host tool makes and a loader may change, and a domain's, which
//! the host tool reads.

/// Entries of a table.
pub const ENTRIES: usize = 512;

/// There is something.
pub const PRESENT: u64 = 1 << 0;
/// It may be written.
pub const WRITE: u64 = 1 << 1;
/// It is open to ring 3.
pub const USER: u64 = 1 << 2;
/// Writes go to memory at once.
pub const WRITE_THROUGH: u64 = 1 << 3;
/// The caches are passed by.
pub const UNCACHED: u64 = 1 << 4;
/// It was used.
pub const ACCESSED: u64 = 1 << 5;
/// It was written.
pub const DIRTY: u64 = 1 << 6;
/// It is a large page, and not another table.
pub const LARGE: u64 = 1 << 7;
/// It must not be executed.
pub const NO_EXECUTE: u64 = 1 << 63;
/// The bits that hold an address.
pub const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// What the loader runs in: anything goes.
pub const ANYTHING: u64 = PRESENT | WRITE | ACCESSED | DIRTY;
/// An entry of the kernel's half that points to another table; the last one decides.
pub const TABLE: u64 = PRESENT | WRITE | ACCESSED;
/// Memory in the direct map. Accessed and dirty are set already, so that the CPU does not write them at boot.
pub const READ_WRITE: u64 = ANYTHING | NO_EXECUTE;
/// Constants in it.
pub const READ_ONLY: u64 = PRESENT | ACCESSED | NO_EXECUTE;
/// Registers of devices.
pub const DEVICE: u64 = READ_WRITE | WRITE_THROUGH | UNCACHED;
