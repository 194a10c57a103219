//! Writes the bundle: header, table of functions sorted by route, page-aligned segments (mayfly_abi::image).

use mayfly_abi::image::{
    BUNDLE_MAGIC, BundleHeader, FORMAT_VERSION, FunctionRecord, HEADER_CHECKED, Isolation, RECORD_CHECKED,
    SEGMENT_EXECUTE, SEGMENT_WRITE, SEGMENTS, SegmentRecord,
};
use mayfly_abi::wire::{Wire, checksum};
use mayfly_abi::{ABI_VERSION, page_up};

use super::program::{Function, Memory};

const NO_SEGMENT: SegmentRecord =
    SegmentRecord { address: 0, offset: 0, file_len: 0, memory_len: 0, flags: 0, reserved: 0 };

/// The bundle of `functions`, whose names and routes must be distinct. The same functions give the same bytes, in
/// whatever order they come.
pub(super) fn write(functions: &[Function], isolation: Isolation) -> Vec<u8> {
    let mut functions: Vec<&Function> = functions.iter().collect();
    functions.sort_by_key(|function| function.manifest.route.as_bytes());

    let table_len = functions.len() * FunctionRecord::SIZE;
    let mut bundle = vec![0; page_up((BundleHeader::SIZE + table_len) as u64) as usize];
    for (at, function) in functions.iter().enumerate() {
        let mut segments = [NO_SEGMENT; SEGMENTS];
        for (slot, memory) in segments.iter_mut().zip(&function.segments) {
            *slot = append(&mut bundle, memory);
        }
        record(function, segments).put(&mut bundle[BundleHeader::SIZE + at * FunctionRecord::SIZE..]);
    }

    let mut header = BundleHeader {
        magic: BUNDLE_MAGIC,
        format_version: FORMAT_VERSION,
        abi_version: ABI_VERSION,
        function_count: functions.len() as u32,
        record_size: FunctionRecord::SIZE as u32,
        table_offset: BundleHeader::SIZE as u64,
        total_len: bundle.len() as u64,
        content_checksum: checksum(&bundle[BundleHeader::SIZE..]),
        isolation: isolation as u32,
        reserved: 0,
        header_checksum: 0,
    };
    header.header_checksum = checked(&header, HEADER_CHECKED);
    header.put(&mut bundle);
    bundle
}

/// Puts a segment's bytes at the bundle's end, on pages of their own, and says where they are.
fn append(bundle: &mut Vec<u8>, memory: &Memory) -> SegmentRecord {
    let offset = bundle.len();
    bundle.extend_from_slice(&memory.bytes);
    bundle.resize(page_up(bundle.len() as u64) as usize, 0);
    let write = if memory.write { SEGMENT_WRITE } else { 0 };
    let execute = if memory.execute { SEGMENT_EXECUTE } else { 0 };
    SegmentRecord {
        address: memory.address,
        // Of memory that starts as all zeros nothing lies in the bundle.
        offset: if memory.bytes.is_empty() { 0 } else { offset as u64 },
        file_len: memory.bytes.len() as u32,
        memory_len: memory.memory_len,
        flags: write | execute,
        reserved: 0,
    }
}

fn record(function: &Function, segments: [SegmentRecord; SEGMENTS]) -> FunctionRecord {
    let manifest = &function.manifest;
    let mut record = FunctionRecord {
        route: padded(&manifest.route),
        name: padded(&manifest.name),
        entry: function.entry,
        segments,
        memory_pages: manifest.memory_pages(),
        timeout_ms: manifest.timeout_ms,
        request_limit: manifest.request,
        response_limit: manifest.response,
        concurrency: manifest.concurrency,
        reserved: 0,
        init: function.init,
        checksum: 0,
    };
    record.checksum = checked(&record, RECORD_CHECKED);
    record
}

/// Checksum of the first `len` bytes of a layout.
fn checked(value: &impl Wire, len: usize) -> u64 {
    let mut bytes = [0; FunctionRecord::SIZE];
    value.put(&mut bytes);
    checksum(&bytes[..len])
}

/// `text` in a field of fixed size; the manifest's checks keep it short enough.
fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut field = [0; N];
    field[..text.len()].copy_from_slice(text.as_bytes());
    field
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::manifest::Manifest;
    use mayfly_abi::PAGE;
    use std::path::Path;

    fn function(name: &str, segments: Vec<Memory>) -> Function {
        let manifest = Manifest::parse(&format!("name = \"{name}\""), Path::new("mayfly.toml")).expect("valid");
        Function { manifest, entry: 0x24_1000, init: 0, segments }
    }

    fn memory(write: bool, bytes: &[u8], memory_len: u32) -> Memory {
        Memory { address: 0x24_1000, memory_len, write, execute: !write, bytes: bytes.to_vec() }
    }

    #[test]
    fn the_header_describes_what_follows_it() {
        let bundle = write(&[function("a", vec![memory(false, b"code", 4)])], Isolation::Tables);
        let header = BundleHeader::get(&bundle);
        assert_eq!(
            (header.magic, header.format_version, header.abi_version),
            (BUNDLE_MAGIC, FORMAT_VERSION, ABI_VERSION)
        );
        assert_eq!((header.function_count, header.record_size, header.table_offset), (1, 256, 64));
        assert_eq!(header.total_len, bundle.len() as u64);
        assert_eq!(bundle.len() as u64, 2 * PAGE, "one page of table, one of code");
        assert_eq!(header.header_checksum, checksum(&bundle[..HEADER_CHECKED]));
        assert_eq!(header.content_checksum, checksum(&bundle[BundleHeader::SIZE..]));
    }

    #[test]
    fn the_table_is_sorted_by_route_and_every_record_has_its_checksum() {
        let order = ["b", "a-", "a", "ab"];
        let bundle = write(&order.map(|name| function(name, vec![])), Isolation::Tables);
        let records: Vec<FunctionRecord> = bundle[BundleHeader::SIZE..][..4 * FunctionRecord::SIZE]
            .chunks(FunctionRecord::SIZE)
            .inspect(|bytes| assert_eq!(FunctionRecord::get(bytes).checksum, checksum(&bytes[..RECORD_CHECKED])))
            .map(FunctionRecord::get)
            .collect();
        assert!(records.is_sorted_by(|a, b| a.route < b.route));
        assert_eq!(&records[1].route[..3], b"a-\0");
        assert_eq!(&records[1].name[..3], b"a-\0");
        assert_eq!(records[1].memory_pages, 1024);
    }

    #[test]
    fn segments_lie_on_pages_of_their_own_and_zeros_take_no_room() {
        let code = vec![0x90; 5000];
        let bundle = write(
            &[function("f", vec![memory(false, &code, 5000), memory(true, b"data", 9000), memory(true, b"", 4096)])],
            Isolation::Tables,
        );
        let [text, data, zeros, unused] = FunctionRecord::get(&bundle[BundleHeader::SIZE..]).segments;
        assert_eq!((text.offset, text.file_len, text.flags), (PAGE, 5000, SEGMENT_EXECUTE));
        assert_eq!((data.offset, data.file_len, data.memory_len, data.flags), (3 * PAGE, 4, 9000, SEGMENT_WRITE));
        assert_eq!((zeros.offset, zeros.file_len, zeros.memory_len), (0, 0, 4096));
        assert_eq!(unused.memory_len, 0);
        assert_eq!(&bundle[3 * 4096..][..5], b"data\0");
        assert_eq!(bundle.len(), 4 * 4096);
    }

    #[test]
    fn the_same_functions_give_the_same_bytes_in_any_order() {
        let (a, b) = (function("a", vec![memory(false, b"a", 1)]), function("b", vec![memory(false, b"b", 1)]));
        let of = |functions: &[Function]| write(functions, Isolation::Tables);
        assert_eq!(of(&[a.clone(), b.clone()]), of(&[b, a]));
    }
}
