//! Programs for the targets that need one: sound bundles with one function, of any shape, but small.

use arbitrary::Arbitrary;
use mayfly_abi::domain::{HEAP_BASE, PROGRAM_BASE, PROGRAM_END};
use mayfly_abi::image::{
    BUNDLE_MAGIC, BundleHeader, FORMAT_VERSION, FunctionRecord, HEADER_CHECKED, Isolation, NAME_MAX, RECORD_CHECKED,
    ROUTE_MAX, SEGMENT_EXECUTE, SEGMENT_WRITE, SEGMENTS, SegmentRecord,
};
use mayfly_abi::wire::{Wire, checksum};
use mayfly_abi::{ABI_VERSION, PAGE, page_up};
use mayfly_core::image::{Image, Plan};

const NAME: &[u8] = b"f";
/// A response ends anywhere in the first pages of its window.
const RESPONSE_MAX: u32 = 3 * PAGE as u32;
const NO_SEGMENT: SegmentRecord =
    SegmentRecord { address: 0, offset: 0, file_len: 0, memory_len: 0, flags: 0, reserved: 0 };

/// What a function looks like. Any value is a sound one.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) struct Shape {
    text_pages: u8,
    behind_text: Option<Run>,
    last: Option<Run>,
    heap: Option<Run>,
    has_init: bool,
    spare_pages: u8,
    response_limit: u16,
}

/// A run of pages of data or constants.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Run {
    pages: u8,
    /// Pages left free before it. The last run ends where the program range ends, if it is odd.
    gap: u8,
    constant: bool,
    file_len: u16,
    unused: u16,
}

/// A bundle with one function, and the function's record as it stands in it.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) bundle: Vec<u8>,
    pub(crate) record: FunctionRecord,
}

impl Shape {
    /// The bundle. Its contents have no zeros, so that a byte that should be one is noticed.
    pub(crate) fn program(&self) -> Program {
        let mut segments = [NO_SEGMENT; SEGMENTS];
        let mut end = page_up((BundleHeader::SIZE + FunctionRecord::SIZE) as u64);
        let contents = end as usize;
        let mut place = |slot: &mut SegmentRecord, address, memory_len: u32, file_len: u32, flags| {
            let offset = if file_len == 0 { 0 } else { end };
            *slot = SegmentRecord { address, offset, file_len, memory_len, flags, reserved: 0 };
            end += page_up(file_len.into());
            address + page_up(memory_len.into())
        };

        let [text, first, last, heap] = &mut segments;
        let text_len = (1 + u32::from(self.text_pages % 3)) * PAGE as u32;
        let mut address = place(text, PROGRAM_BASE, text_len, text_len, SEGMENT_EXECUTE);
        if let Some(run) = self.behind_text {
            let (memory_len, file_len, flags) = run.lengths();
            address = place(first, address + u64::from(run.gap % 3) * PAGE, memory_len, file_len, flags);
        }
        if let Some(run) = self.last {
            let (memory_len, file_len, flags) = run.lengths();
            let at_end = PROGRAM_END - page_up(memory_len.into());
            let behind = address + u64::from(run.gap % 3) * PAGE;
            place(last, if run.gap % 2 == 1 { at_end } else { behind }, memory_len, file_len, flags);
        }
        // Heap that an initialisation has left is there instead of the initialisation.
        if let Some(run) = self.heap.filter(|_| !self.has_init) {
            let (memory_len, file_len, flags) = Run { constant: false, ..run }.lengths();
            place(heap, HEAP_BASE, memory_len, file_len, flags);
        }

        let private = segments.iter().filter(|segment| segment.flags == SEGMENT_WRITE);
        let private_pages: u64 = private.map(|segment| page_up(segment.memory_len.into()) / PAGE).sum();
        let mut record = FunctionRecord {
            route: [0; ROUTE_MAX],
            name: [0; NAME_MAX],
            entry: PROGRAM_BASE,
            segments,
            memory_pages: private_pages as u32 + 1 + u32::from(self.spare_pages % 32),
            timeout_ms: 1,
            request_limit: 0,
            response_limit: u32::from(self.response_limit) % RESPONSE_MAX,
            concurrency: 1,
            reserved: 0,
            init: if self.has_init { PROGRAM_BASE + 1 } else { 0 },
            checksum: 0,
        };
        record.route[..NAME.len()].copy_from_slice(NAME);
        record.name[..NAME.len()].copy_from_slice(NAME);

        let pattern: Vec<u8> = (1..=251).collect();
        let mut bundle = pattern.repeat(end as usize / pattern.len() + 1);
        bundle.truncate(end as usize);
        bundle[..contents].fill(0);
        let header = BundleHeader {
            magic: BUNDLE_MAGIC,
            format_version: FORMAT_VERSION,
            abi_version: ABI_VERSION,
            function_count: 1,
            record_size: FunctionRecord::SIZE as u32,
            table_offset: BundleHeader::SIZE as u64,
            total_len: end,
            content_checksum: 0,
            isolation: Isolation::Tables as u32,
            reserved: 0,
            header_checksum: 0,
        };
        header.put(&mut bundle);
        checksum(&bundle[..HEADER_CHECKED]).put(&mut bundle[HEADER_CHECKED..]);
        let at = &mut bundle[BundleHeader::SIZE..];
        record.put(at);
        checksum(&at[..RECORD_CHECKED]).put(&mut at[RECORD_CHECKED..]);
        Program { bundle, record }
    }
}

impl Run {
    /// Bytes in memory, bytes in the bundle, and flags.
    fn lengths(&self) -> (u32, u32, u32) {
        let memory_len = (1 + u32::from(self.pages % 4)) * PAGE as u32 - u32::from(self.unused) % PAGE as u32;
        if self.constant {
            return (memory_len, memory_len, 0);
        }
        (memory_len, u32::from(self.file_len) % (memory_len + 1), SEGMENT_WRITE)
    }
}

impl Program {
    /// What the view makes of the bundle, which it must accept.
    pub(crate) fn plan(&self) -> Plan<'_> {
        let image = Image::open(&self.bundle).expect("the header is sound");
        image.find(NAME).expect("the function is there").check().expect("the record is sound")
    }
}
