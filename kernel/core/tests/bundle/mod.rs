//! A small bundle for tests: written field by field through the layouts, so that each test can damage what it wants.

use mayfly_abi::domain::PROGRAM_BASE;
use mayfly_abi::image::{
    BUNDLE_MAGIC, BundleHeader, FORMAT_VERSION, FunctionRecord, HEADER_CHECKED, Isolation, NAME_MAX, RECORD_CHECKED,
    ROUTE_MAX, SEGMENT_EXECUTE, SEGMENT_WRITE, SegmentRecord,
};
use mayfly_abi::wire::{Wire, checksum};
use mayfly_abi::{ABI_VERSION, PAGE, page_up};

/// `text`, padded with zeros.
pub(crate) fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut field = [0; N];
    field[..text.len()].copy_from_slice(text.as_bytes());
    field
}

/// A function with text, constants and data on three pages of the bundle, starting at `contents`.
pub(crate) fn record(route: &str, contents: u64) -> FunctionRecord {
    let segment = |page: u64, file_len, memory_len, flags| SegmentRecord {
        address: PROGRAM_BASE + page * PAGE,
        offset: contents + page * PAGE,
        file_len,
        memory_len,
        flags,
        reserved: 0,
    };
    let unused = SegmentRecord { address: 0, offset: 0, file_len: 0, memory_len: 0, flags: 0, reserved: 0 };
    FunctionRecord {
        route: padded::<ROUTE_MAX>(route),
        name: padded::<NAME_MAX>(&route[..route.len().min(NAME_MAX)]),
        entry: PROGRAM_BASE + 0x10,
        segments: [
            segment(0, 0x800, 0x800, SEGMENT_EXECUTE),
            segment(1, 0x100, 0x100, 0),
            segment(2, 0x20, 0x2001, SEGMENT_WRITE),
            unused,
        ],
        memory_pages: 16,
        timeout_ms: 1000,
        request_limit: 1 << 20,
        response_limit: 1 << 20,
        concurrency: 8,
        reserved: 0,
        init: 0,
        checksum: 0,
    }
}

/// The header of a bundle with `count` functions and three pages of contents.
pub(crate) fn header(count: usize) -> BundleHeader {
    BundleHeader {
        magic: BUNDLE_MAGIC,
        format_version: FORMAT_VERSION,
        abi_version: ABI_VERSION,
        function_count: count as u32,
        record_size: FunctionRecord::SIZE as u32,
        table_offset: BundleHeader::SIZE as u64,
        total_len: contents(count) + 3 * PAGE,
        content_checksum: 0,
        isolation: Isolation::Tables as u32,
        reserved: 0,
        header_checksum: 0,
    }
}

/// Offset of the contents of a bundle with `count` functions.
pub(crate) fn contents(count: usize) -> u64 {
    page_up((BundleHeader::SIZE + count * FunctionRecord::SIZE) as u64)
}

/// The bundle with this header and these records, its checksums set.
pub(crate) fn assemble(header: &BundleHeader, records: &[FunctionRecord]) -> Vec<u8> {
    let mut bytes = vec![0; contents(records.len()) as usize + 3 * PAGE as usize];
    header.put(&mut bytes);
    let sum = checksum(&bytes[..HEADER_CHECKED]);
    sum.put(&mut bytes[HEADER_CHECKED..]);
    for (index, record) in records.iter().enumerate() {
        let at = &mut bytes[BundleHeader::SIZE + index * FunctionRecord::SIZE..];
        record.put(at);
        let sum = checksum(&at[..RECORD_CHECKED]);
        sum.put(&mut at[RECORD_CHECKED..]);
    }
    bytes
}

/// A sound bundle with a function for each of `routes`, which must be in order.
pub(crate) fn bundle(routes: &[&str]) -> Vec<u8> {
    let records: Vec<_> = routes.iter().map(|route| record(route, contents(routes.len()))).collect();
    assemble(&header(routes.len()), &records)
}
