//! The bundle, read in place: which functions there are, and what each one's memory is to look like.
//!
//! Opening a bundle costs the same however many functions it has. A function's record is checked when it is first
//! used, and what comes out, a [`Plan`], can be mapped without further questions.

mod error;

use core::cmp::Ordering;
use core::ops::Range;

use mayfly_abi::domain::{
    BODY_MAX, HEAP_BASE, MEMORY_MAX, PROGRAM_BASE, PROGRAM_END, RESPONSE_BODY, STACK_BASE, STACK_TOP, USER_END,
};
use mayfly_abi::image::{
    BUNDLE_MAGIC, BundleHeader, FORMAT_VERSION, FunctionRecord, HEADER_CHECKED, Isolation, NAME_MAX, RECORD_CHECKED,
    ROUTE_MAX, SEGMENT_EXECUTE, SEGMENT_WRITE, SEGMENTS, SegmentRecord,
};
use mayfly_abi::wire::{Wire, checksum};
use mayfly_abi::{ABI_VERSION, PAGE, page_up};

use crate::at_once::at_once;

pub use error::{ImageError, RecordError};

const HEADER_SIZE: usize = BundleHeader::SIZE;
const RECORD_SIZE: usize = FunctionRecord::SIZE;
/// Pages that one lowest-level page table maps.
const TABLE_PAGES: u64 = 512;
/// Bytes that it maps.
const TABLE_SPAN: u64 = TABLE_PAGES * PAGE;

/// A view of a bundle whose header holds.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    records: &'a [[u8; RECORD_SIZE]],
    /// Offset of the first byte behind the table.
    contents: u64,
    /// Length of the bundle.
    len: u64,
    /// What holds its functions apart.
    pub isolation: Isolation,
}

impl<'a> Image<'a> {
    /// Checks the header of the bundle at the start of `bytes`, and that its table lies inside.
    pub fn open(bytes: &'a [u8]) -> Result<Self, ImageError> {
        let start: &[u8; HEADER_SIZE] = bytes.first_chunk().ok_or(ImageError::TooShort)?;
        let header = BundleHeader::get(start);
        let table = Self::table(&header);
        let sound = (header.magic == BUNDLE_MAGIC)
            & (header.format_version == FORMAT_VERSION)
            & (header.header_checksum == checksum(&start[..HEADER_CHECKED]))
            & (header.abi_version == ABI_VERSION)
            & (header.total_len <= bytes.len() as u64)
            & (header.record_size as usize == RECORD_SIZE)
            & header.total_len.is_multiple_of(PAGE)
            & (table.start >= HEADER_SIZE as u64)
            & (table.end <= header.total_len);
        if !at_once(sound) {
            return Err(Self::fault(&header, start, bytes.len() as u64));
        }
        let isolation = Isolation::try_from(u64::from(header.isolation)).map_err(ImageError::Isolation)?;
        let (records, _) = bytes[table.start as usize..table.end as usize].as_chunks();
        Ok(Self { records, contents: table.end, len: header.total_len, isolation })
    }

    /// Where the table is said to lie.
    fn table(header: &BundleHeader) -> Range<u64> {
        let len = u64::from(header.function_count) * RECORD_SIZE as u64;
        header.table_offset..header.table_offset.saturating_add(len)
    }

    /// What is wrong with a header that does not hold. All of it was asked at once before: each question that is one by
    /// itself costs the boot a block of code.
    #[cold]
    fn fault(header: &BundleHeader, start: &[u8; HEADER_SIZE], found: u64) -> ImageError {
        if header.magic != BUNDLE_MAGIC {
            ImageError::Magic
        } else if header.format_version != FORMAT_VERSION {
            ImageError::Format(header.format_version)
        } else if header.header_checksum != checksum(&start[..HEADER_CHECKED]) {
            ImageError::Checksum
        } else if header.abi_version != ABI_VERSION {
            ImageError::Abi(header.abi_version)
        } else if header.total_len > found {
            ImageError::Truncated { stated: header.total_len, found }
        } else {
            ImageError::Table
        }
    }

    /// Number of functions.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are no functions.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The function that `route`, a path segment without slashes, reaches.
    pub fn find(&self, route: &[u8]) -> Option<Function<'a>> {
        let mut key = [0; ROUTE_MAX];
        key.get_mut(..route.len())?.copy_from_slice(route);
        let index = self
            .records
            .binary_search_by(|record| record.first_chunk().map_or(Ordering::Less, |route| order(route, &key)))
            .ok()?;
        // A zero at its end makes a route equal to a shorter one's padding.
        self.function(index).filter(|_| route.last().is_some_and(|last| *last != 0))
    }

    /// The function at `index` in the order of routes.
    pub fn function(&self, index: usize) -> Option<Function<'a>> {
        Some(Function { image: *self, record: self.records.get(index)?, index })
    }
}

/// The order of two routes. Every word is compared, since each at which one could stop would be a block of code to the CPU.
fn order(one: &[u8; ROUTE_MAX], other: &[u8; ROUTE_MAX]) -> Ordering {
    // As numbers that have the same order as their bytes.
    let word = |bytes: &[u8; 8]| u64::from_be_bytes(*bytes);
    let words = one.as_chunks().0.iter().zip(other.as_chunks().0);
    words.rev().fold(Ordering::Equal, |behind, (one, other)| word(one).cmp(&word(other)).then(behind))
}

/// A function of the bundle, its record not yet checked.
#[derive(Clone, Copy, Debug)]
pub struct Function<'a> {
    image: Image<'a>,
    record: &'a [u8; RECORD_SIZE],
    index: usize,
}

/// What a function's domain is made from. Every field has been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan<'a> {
    /// Position in the order of routes.
    pub index: usize,
    /// Printable ASCII without spaces.
    pub name: &'a [u8],
    /// An address in an executable segment.
    pub entry: u64,
    /// The initialisation that comes before the first request, likewise an address in an executable segment.
    pub init: Option<u64>,
    /// The most that an invocation may have.
    pub limits: Limits,
    /// The most frames that an invocation can come to need: private memory, stack, response and page tables.
    pub frames: u64,
    /// Pages of static data.
    pub data_pages: u32,
    /// Pages of heap that every invocation starts with.
    pub heap_pages: u32,
    segments: [Segment; SEGMENTS],
    segment_count: usize,
}

/// A run of pages of a program. No two overlap, and all lie between [`PROGRAM_BASE`] and [`PROGRAM_END`], but for heap
/// that an initialisation has left: that is writable and starts at [`HEAP_BASE`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// First address in the domain, on a page boundary.
    pub address: u64,
    /// Pages in memory, at least one.
    pub pages: u32,
    /// Where its bytes lie in the bundle, on a page boundary.
    pub offset: u64,
    /// Bytes in the bundle; zeros follow up to the end of the pages. If the segment is not writable, the bundle's own
    /// pages are all of it.
    pub file_len: u32,
    /// What the function may do with it.
    pub rights: Rights,
}

/// What a function may do with a segment: never both write and execute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rights {
    /// Constants.
    #[default]
    Read,
    /// Data: private to each domain.
    ReadWrite,
    /// Text.
    ReadExecute,
}

/// The most that an invocation may have, none of it zero except the bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Pages of private memory: data and heap together; the stack has a bound of its own. At least one more than the data.
    pub memory_pages: u32,
    /// Milliseconds.
    pub timeout_ms: u32,
    /// Bytes of request body, at most [`BODY_MAX`].
    pub request: u32,
    /// Bytes of response body, at most [`BODY_MAX`].
    pub response: u32,
    /// Invocations at once.
    pub concurrency: u32,
}

impl<'a> Function<'a> {
    /// Position in the order of routes.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The path segment that reaches the function.
    pub fn route(&self) -> &'a [u8] {
        unpadded(&self.record[..ROUTE_MAX])
    }

    /// Checks the function's record and says what its domain is made from.
    pub fn check(&self) -> Result<Plan<'a>, RecordError> {
        let record = FunctionRecord::get(self.record);
        if record.checksum != checksum(&self.record[..RECORD_CHECKED]) {
            return Err(RecordError::Checksum);
        }
        // Both is found in one go: where the name ends, and that nothing but its padding ends it.
        let field = &self.record[ROUTE_MAX..ROUTE_MAX + NAME_MAX];
        let name_len = field.iter().position(|byte| !byte.is_ascii_graphic()).unwrap_or(NAME_MAX);
        if at_once((name_len == 0) | field.get(name_len).is_some_and(|end| *end != 0)) {
            return Err(RecordError::Name);
        }
        let name = &field[..name_len];

        let mut segments = [Segment::default(); SEGMENTS];
        let mut segment_count = 0;
        let (mut data_pages, mut heap_pages, mut tables) = (0, 0, 0);
        let (mut entry_is_code, mut init_is_code) = (false, record.init == 0);
        for raw in &record.segments {
            if raw.memory_len | raw.file_len == 0 {
                continue;
            }
            let segment = self.image.segment(raw)?;
            // Those that are yet to come have no pages, and overlap nothing.
            if at_once(segments.iter().fold(false, |any, other| any | overlap(other, &segment))) {
                return Err(RecordError::Overlap);
            }
            if segment.address == HEAP_BASE {
                heap_pages = segment.pages;
            } else {
                data_pages += if segment.rights == Rights::ReadWrite { segment.pages } else { 0 };
                tables += tables_beside_the_stack(&segment);
            }
            entry_is_code |= segment.has_code_at(record.entry);
            init_is_code |= segment.has_code_at(record.init);
            segments[segment_count] = segment;
            segment_count += 1;
        }
        let init = Some(record.init).filter(|init| *init != 0);
        let limits = Limits {
            memory_pages: record.memory_pages,
            timeout_ms: record.timeout_ms,
            request: record.request_limit,
            response: record.response_limit,
            concurrency: record.concurrency,
        };
        let memory_holds =
            (u64::from(limits.memory_pages) <= MEMORY_MAX / PAGE) & (limits.memory_pages > data_pages + heap_pages);
        let bodies_fit = u64::from(limits.request.max(limits.response)) <= BODY_MAX;
        first_wrong([
            (entry_is_code & init_is_code, RecordError::Entry),
            (memory_holds, RecordError::Memory),
            (bodies_fit & (limits.timeout_ms != 0) & (limits.concurrency != 0), RecordError::Limits),
            // An initialisation leaves heap; it does not find any.
            ((record.init == 0) | (heap_pages == 0), RecordError::Address),
        ])?;
        let frames = frames(&limits) + tables;
        let (index, entry) = (self.index, record.entry);
        Ok(Plan { index, name, entry, init, limits, frames, data_pages, heap_pages, segments, segment_count })
    }
}

impl Plan<'_> {
    /// The program's segments, in the order of the record.
    pub fn segments(&self) -> &[Segment] {
        &self.segments[..self.segment_count]
    }
}

impl Segment {
    /// Whether an address leads to bytes of the bundle that the function may execute.
    fn has_code_at(&self, address: u64) -> bool {
        let code = self.address..self.address + u64::from(self.file_len);
        (self.rights == Rights::ReadExecute) & code.contains(&address)
    }
}

impl Image<'_> {
    fn segment(&self, raw: &SegmentRecord) -> Result<Segment, RecordError> {
        let (rights, known) = match raw.flags {
            SEGMENT_WRITE => (Rights::ReadWrite, true),
            SEGMENT_EXECUTE => (Rights::ReadExecute, true),
            flags => (Rights::Read, flags == 0),
        };
        let memory_len = page_up(u64::from(raw.memory_len));
        let file_len = page_up(u64::from(raw.file_len));
        // What cannot be written is mapped from the bundle, so the bundle must have all of it.
        let has_all = (rights == Rights::ReadWrite) | (memory_len <= file_len);
        let end = raw.address.saturating_add(memory_len);
        let is_program = (raw.address >= PROGRAM_BASE) & (end <= PROGRAM_END);
        let is_heap = (raw.address == HEAP_BASE) & (end <= USER_END) & (rights == Rights::ReadWrite);
        // The table and the header are not a function's to see.
        let is_contents = (raw.offset >= self.contents) & (raw.offset.saturating_add(file_len) <= self.len);
        first_wrong([
            (known, RecordError::Rights),
            ((raw.address | raw.offset).is_multiple_of(PAGE), RecordError::Alignment),
            ((raw.file_len <= raw.memory_len) & has_all, RecordError::Length),
            (is_program | is_heap, RecordError::Address),
            ((file_len == 0) | is_contents, RecordError::Source),
        ])?;
        let pages = (memory_len / PAGE) as u32;
        Ok(Segment { address: raw.address, pages, offset: raw.offset, file_len: raw.file_len, rights })
    }
}

/// The first error of those whose condition does not hold. All are looked at before anything branches, for each branch is a
/// block of code to the CPU.
#[inline(always)]
fn first_wrong<const N: usize>(conditions: [(bool, RecordError); N]) -> Result<(), RecordError> {
    let choose = |wrong, (holds, error)| if holds { wrong } else { Some(error) };
    let wrong = conditions.into_iter().rev().fold(None, choose);
    match wrong {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

fn overlap(one: &Segment, other: &Segment) -> bool {
    let end = |segment: &Segment| segment.address + u64::from(segment.pages) * PAGE;
    (one.address < end(other)) & (other.address < end(one))
}

/// [`Plan::frames`] of a function with these limits, but for what its program's page tables take beyond the stack's.
fn frames(limits: &Limits) -> u64 {
    /// The upper levels, and the table of the stack.
    const TABLES: u64 = 3 + 1;
    let memory = u64::from(limits.memory_pages);
    let response = (RESPONSE_BODY + u64::from(limits.response)).div_ceil(PAGE);
    let pages = memory + (STACK_TOP - STACK_BASE) / PAGE + response;
    // Heap and response start where a table does. A segment may lie anywhere, beside the stack or across tables.
    pages + TABLES + memory.div_ceil(TABLE_PAGES) + response.div_ceil(TABLE_PAGES)
}

/// Lowest-level page tables that map a segment, but for the one that maps the stack.
fn tables_beside_the_stack(segment: &Segment) -> u64 {
    let first = segment.address / TABLE_SPAN;
    let end = (segment.address + u64::from(segment.pages) * PAGE).div_ceil(TABLE_SPAN);
    end - first - u64::from(first == STACK_BASE / TABLE_SPAN)
}

/// Kept apart: inlined, it would be new code to the CPU for each field.
#[inline(never)]
fn unpadded(field: &[u8]) -> &[u8] {
    let len = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    &field[..len]
}
