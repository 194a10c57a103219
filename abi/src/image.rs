//! The bundle: the functions of an image, as bytes. docs/image.md describes the file around it.
//!
//! A bundle starts with a [`BundleHeader`], then a table of [`FunctionRecord`]s sorted by route, then page-aligned
//! segments. The kernel searches the table in place; a record is checked when its function is first used.

use crate::wire::{Wire, layout, numbers};

/// "MAYFLYB1" in memory.
pub const BUNDLE_MAGIC: u64 = u64::from_le_bytes(*b"MAYFLYB1");
/// Version of the layouts in this file.
pub const FORMAT_VERSION: u32 = 2;
/// Segments a function may have.
pub const SEGMENTS: usize = 4;
/// Longest name of a function, in bytes.
pub const NAME_MAX: usize = 32;
/// Longest route, in bytes, without its leading slash.
pub const ROUTE_MAX: usize = 48;

/// The segment may be written: its pages are private to each domain.
pub const SEGMENT_WRITE: u32 = 1;
/// The segment may be executed. A segment is never both.
pub const SEGMENT_EXECUTE: u32 = 2;

layout! {
    /// The first 64 bytes of a bundle.
    pub struct BundleHeader {
        /// [`BUNDLE_MAGIC`].
        pub magic: u64,
        /// [`FORMAT_VERSION`].
        pub format_version: u32,
        /// [`crate::ABI_VERSION`] that the functions were built for.
        pub abi_version: u32,
        /// Records in the table.
        pub function_count: u32,
        /// Size of a record: [`FunctionRecord::SIZE`](Wire::SIZE).
        pub record_size: u32,
        /// Offset of the table from the start of the bundle.
        pub table_offset: u64,
        /// Length of the whole bundle, a multiple of a page.
        pub total_len: u64,
        /// Checksum of everything behind the header. The host tool checks it; boot does not read that far.
        pub content_checksum: u64,
        /// An [`Isolation`].
        pub isolation: u32,
        /// Zero.
        pub reserved: u32,
        /// Checksum of the header up to here.
        pub header_checksum: u64,
    }
}

numbers! {
    /// What holds the functions of an image apart. docs/isolation.md compares them.
    pub enum Isolation {
        /// An address space for each domain, ring 3.
        Tables = 0,
        /// The same, and the CPU keeps translations apart by a number for each address space, so that none are lost
        /// when the domain changes. Needs PCID.
        TablesPcid = 1,
        /// None at all: functions run in ring 0 and reach everything. To measure what isolation costs.
        None = 2,
    }
}

impl Isolation {
    /// The name in manifests and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tables => "tables",
            Self::TablesPcid => "tables-pcid",
            Self::None => "none",
        }
    }

    /// The isolation with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|isolation| isolation.name() == name)
    }
}

layout! {
    /// One run of a function's memory. A writable one may also lie at [`crate::domain::HEAP_BASE`]: heap that the
    /// function's initialisation has left in the image.
    pub struct SegmentRecord {
        /// First address in the domain, a multiple of a page.
        pub address: u64,
        /// Where its bytes lie in the bundle, a multiple of a page.
        pub offset: u64,
        /// Bytes in the bundle.
        pub file_len: u32,
        /// Bytes in memory, at least `file_len`; what is beyond it starts as zero. 0: the slot is unused.
        pub memory_len: u32,
        /// [`SEGMENT_WRITE`], [`SEGMENT_EXECUTE`], or neither for constants.
        pub flags: u32,
        /// Zero.
        pub reserved: u32,
    }
}

impl Wire for [SegmentRecord; SEGMENTS] {
    const SIZE: usize = SEGMENTS * SegmentRecord::SIZE;

    fn put(&self, out: &mut [u8]) {
        for (at, segment) in self.iter().enumerate() {
            segment.put(&mut out[at * SegmentRecord::SIZE..]);
        }
    }

    fn get(bytes: &[u8]) -> Self {
        core::array::from_fn(|at| SegmentRecord::get(&bytes[at * SegmentRecord::SIZE..]))
    }
}

layout! {
    /// One function. The table is sorted by `route`, compared as bytes.
    pub struct FunctionRecord {
        /// First path segment that reaches the function, padded with zeros.
        pub route: [u8; ROUTE_MAX],
        /// Name, padded with zeros.
        pub name: [u8; NAME_MAX],
        /// Address of the entry point.
        pub entry: u64,
        /// Its memory.
        pub segments: [SegmentRecord; SEGMENTS],
        /// Most pages of private memory: data and heap together.
        pub memory_pages: u32,
        /// Most milliseconds that an invocation may run. Waiting for the core does not count.
        pub timeout_ms: u32,
        /// Most bytes of a request's body.
        pub request_limit: u32,
        /// Most bytes of a response's body.
        pub response_limit: u32,
        /// Most invocations at once.
        pub concurrency: u32,
        /// Zero.
        pub reserved: u32,
        /// Address of the initialisation that runs before the first request; 0 if there is none.
        pub init: u64,
        /// Checksum of the record up to here.
        pub checksum: u64,
    }
}

/// Bytes of a record that its checksum covers.
pub const RECORD_CHECKED: usize = FunctionRecord::SIZE - 8;
/// Bytes of a header that its checksum covers.
pub const HEADER_CHECKED: usize = BundleHeader::SIZE - 8;

#[cfg(test)]
mod tests {
    use super::*;
    use core::mem::offset_of;

    #[test]
    fn layouts_are_pinned() {
        assert_eq!(BundleHeader::SIZE, 64);
        assert_eq!(offset_of!(BundleHeader, header_checksum), HEADER_CHECKED);
        assert_eq!(SegmentRecord::SIZE, 32);
        assert_eq!(FunctionRecord::SIZE, 256);
        assert_eq!(offset_of!(FunctionRecord, entry), 80);
        assert_eq!(offset_of!(FunctionRecord, segments), 88);
        assert_eq!(offset_of!(FunctionRecord, memory_pages), 216);
        assert_eq!(offset_of!(FunctionRecord, init), 240);
        assert_eq!(offset_of!(FunctionRecord, checksum), RECORD_CHECKED);
        assert_eq!(offset_of!(BundleHeader, isolation), 48);
    }

    #[test]
    fn all_ones_survive_the_round_trip() {
        let record = FunctionRecord::get(&[0xff; 256]);
        assert_eq!(record.segments[3].reserved, u32::MAX);
        assert_eq!(record.concurrency, u32::MAX);
        let mut out = [0; 256];
        record.put(&mut out);
        assert_eq!(out, [0xff; 256]);
        let mut out = [0; 64];
        BundleHeader::get(&[0xff; 64]).put(&mut out);
        assert_eq!(out, [0xff; 64]);
    }
}
