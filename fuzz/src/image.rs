//! The bundle: what its view accepts can be mapped as it is, and a function is found exactly if it is there.
//!
//! The first byte of an input says what is done with the others, which are the start of a bundle: its low four bits add
//! that many pages of contents, and the rest of it see [`AS_IT_IS`] and [`DAMAGE`].

use std::collections::BTreeSet;

use mayfly_abi::domain::{
    BODY_MAX, HEAP_BASE, MEMORY_MAX, PROGRAM_BASE, PROGRAM_END, RESPONSE_BASE, RESPONSE_BODY, STACK_BASE, STACK_TOP,
    USER_END,
};
use mayfly_abi::image::{
    BUNDLE_MAGIC, BundleHeader, FORMAT_VERSION, FunctionRecord, HEADER_CHECKED, RECORD_CHECKED, ROUTE_MAX,
    SEGMENT_EXECUTE, SEGMENT_WRITE, SegmentRecord,
};
use mayfly_abi::wire::{Wire, checksum};
use mayfly_abi::{ABI_VERSION, PAGE};
use mayfly_core::image::{Image, Plan, RecordError, Rights};

const PAGE_LEN: usize = PAGE as usize;
const HEADER: usize = BundleHeader::SIZE;
const RECORD: usize = FunctionRecord::SIZE;
/// Flag of the first byte: versions and checksums stay as they are. Without it they are put right, since no mutation
/// would get past them.
const AS_IT_IS: u8 = 0x10;
/// Flag of the first byte: the last byte of the input is no part of the bundle, but says in which byte of each sound record
/// to flip a bit.
const DAMAGE: u8 = 0x20;
/// Most functions that are looked at.
const FUNCTIONS: usize = 64;

/// Opens what the bytes describe and looks at all of it.
pub fn run(data: &[u8]) -> bool {
    let Some((mode, mut start)) = data.split_first() else { return false };
    let mut damage = None;
    if mode & DAMAGE != 0
        && let Some((bit, rest)) = start.split_last()
    {
        (damage, start) = (Some(usize::from(*bit)), rest);
    }
    let (mut bytes, pages) = (start.to_vec(), usize::from(mode & 0xf));
    if mode & AS_IT_IS != 0 {
        bytes.resize(start.len() + pages * PAGE_LEN, 0);
    } else {
        bytes.resize(start.len().next_multiple_of(PAGE_LEN) + pages * PAGE_LEN, 0);
        repair(&mut bytes);
    }

    let image = match Image::open(&bytes) {
        Ok(image) => image,
        Err(error) => {
            assert!(error.to_string().contains("; "), "`{error}` does not say what to do");
            return false;
        }
    };
    let header = BundleHeader::get(&bytes);
    let table = header.table_offset as usize..header.table_offset as usize + image.len() * RECORD;
    assert_eq!(image.len(), header.function_count as usize);
    assert!(header.total_len as usize <= bytes.len());
    assert!(table.start >= HEADER && table.end <= header.total_len as usize, "the table is not inside");
    for shorter in [0, HEADER - 1, header.total_len as usize - 1] {
        assert!(Image::open(&bytes[..shorter]).is_err(), "a bundle of {shorter} bytes is whole");
    }

    let records: Vec<&[u8]> = bytes[table.clone()].chunks(RECORD).take(FUNCTIONS).collect();
    for (index, record) in records.iter().enumerate() {
        let function = image.function(index).expect("the table has it");
        assert_eq!(function.index(), index);
        match function.check() {
            Ok(plan) => {
                mappable(&plan, index, record, table.end as u64, header.total_len);
                if let Some(at) = damage {
                    damaged(&bytes, table.start + index * RECORD + at, index);
                }
            }
            Err(error) => assert!(error.to_string().contains("; "), "`{error}` does not say what to do"),
        }
    }
    assert!(image.function(image.len()).is_none());
    if image.len() <= FUNCTIONS {
        search(&image, &records, start);
    }
    true
}

/// Puts right what a mutation cannot: magic, versions, the size of a record, and checksums.
fn repair(bytes: &mut [u8]) {
    if bytes.len() < HEADER {
        return;
    }
    let mut header = BundleHeader::get(bytes);
    header.magic = BUNDLE_MAGIC;
    header.format_version = FORMAT_VERSION;
    header.abi_version = ABI_VERSION;
    header.record_size = RECORD as u32;
    header.put(bytes);
    checksum(&bytes[..HEADER_CHECKED]).put(&mut bytes[HEADER_CHECKED..]);
    let table = usize::try_from(header.table_offset).ok().and_then(|at| bytes.get_mut(at..));
    for record in table.unwrap_or_default().chunks_exact_mut(RECORD).take(header.function_count as usize) {
        checksum(&record[..RECORD_CHECKED]).put(&mut record[RECORD_CHECKED..]);
    }
}

/// What the kernel relies on when it maps a function: its plan says what the record says, and nothing in it surprises.
fn mappable(plan: &Plan<'_>, index: usize, record: &[u8], contents: u64, bundle_len: u64) {
    let record = FunctionRecord::get(record);
    let limits = plan.limits;
    assert!(!plan.name.is_empty() && plan.name.iter().all(u8::is_ascii_graphic));
    assert!(u64::from(limits.memory_pages) * PAGE <= MEMORY_MAX);
    assert!(u64::from(limits.request) <= BODY_MAX && u64::from(limits.response) <= BODY_MAX);
    assert!(limits.timeout_ms > 0 && limits.concurrency > 0);

    let raw: Vec<&SegmentRecord> = record.segments.iter().filter(|raw| raw.memory_len > 0).collect();
    assert_eq!(raw.len(), plan.segments().len());
    let mut taken = Vec::new();
    let (mut private, mut heap) = (0, 0);
    let mut code = Vec::new();
    for (raw, segment) in raw.iter().zip(plan.segments()) {
        let end = segment.address + u64::from(segment.pages) * PAGE;
        assert_eq!((segment.address, segment.offset, segment.file_len), (raw.address, raw.offset, raw.file_len));
        assert!(segment.address % PAGE == 0 && segment.offset % PAGE == 0 && segment.pages > 0);
        assert!(
            end - segment.address >= raw.memory_len.into() && end - segment.address < u64::from(raw.memory_len) + PAGE
        );
        assert!(u64::from(segment.file_len) <= end - segment.address);
        if segment.file_len > 0 {
            let source_end = segment.offset + u64::from(segment.file_len).next_multiple_of(PAGE);
            assert!(segment.offset >= contents && source_end <= bundle_len, "a segment shows more than its contents");
        }
        let flags = match segment.rights {
            Rights::Read => 0,
            Rights::ReadWrite => SEGMENT_WRITE,
            Rights::ReadExecute => SEGMENT_EXECUTE,
        };
        assert_eq!(raw.flags, flags, "the rights are those of the record, and never all");
        if segment.rights == Rights::ReadWrite {
            private += segment.pages;
        } else {
            assert!(u64::from(segment.file_len) > end - segment.address - PAGE, "a shared page has no source");
        }
        if segment.rights == Rights::ReadExecute {
            code.push(segment.address..segment.address + u64::from(segment.file_len));
        }
        let is_heap = segment.address == HEAP_BASE;
        if is_heap {
            heap = segment.pages;
            assert!(segment.rights == Rights::ReadWrite && end <= USER_END);
        } else {
            assert!(segment.address >= PROGRAM_BASE && end <= PROGRAM_END);
        }
        taken.push((segment.address, end));
    }
    taken.sort_unstable();
    assert!(taken.is_sorted_by(|one, next| one.1 <= next.0), "two segments overlap");
    assert!(code.iter().any(|code| code.contains(&plan.entry)));
    assert!(plan.init.is_none_or(|init| code.iter().any(|code| code.contains(&init))));
    assert_eq!((plan.entry, plan.init.unwrap_or(0)), (record.entry, record.init));
    assert_eq!((plan.data_pages, plan.heap_pages), (private - heap, heap));
    assert!(private < limits.memory_pages, "there is no page for the heap");
    assert_eq!(plan.index, index);
    assert!(plan.frames >= frames(&record), "{} frames are promised and {} needed", plan.frames, frames(&record));
}

/// Frames that an invocation needs that takes all it may have: each page, and each table on the way there.
fn frames(record: &FunctionRecord) -> u64 {
    let pages_of = |len: u64| len.div_ceil(PAGE);
    let response = pages_of(RESPONSE_BODY + u64::from(record.response_limit));
    let stack = pages_of(STACK_TOP - STACK_BASE);
    let (mut data, mut runs) = (0, vec![(STACK_BASE, stack), (RESPONSE_BASE, response)]);
    for segment in record.segments.iter().filter(|segment| segment.memory_len > 0 && segment.address != HEAP_BASE) {
        let pages = pages_of(segment.memory_len.into());
        data += if segment.flags == SEGMENT_WRITE { pages } else { 0 };
        runs.push((segment.address, pages));
    }
    runs.push((HEAP_BASE, u64::from(record.memory_pages) - data));
    // Three upper levels, and a table for each 2 MiB.
    let spans = runs.iter().flat_map(|(start, pages)| start >> 21..=(start + pages * PAGE - 1) >> 21);
    let tables = 3 + spans.collect::<BTreeSet<u64>>().len() as u64;
    u64::from(record.memory_pages) + stack + response + tables
}

/// A record of which one bit was flipped, in the byte at `at`, is refused.
fn damaged(bytes: &[u8], at: usize, index: usize) {
    let mut damaged = bytes.to_vec();
    damaged[at] ^= 1 << (at % 7);
    let image = Image::open(&damaged).expect("the header is as it was");
    let error = image.function(index).expect("the table has it").check().expect_err("a bit was flipped");
    assert_eq!(error, RecordError::Checksum);
}

/// Compares the search with one from the first record to the last, for every route there is and some beside it.
fn search(image: &Image<'_>, records: &[&[u8]], more: &[u8]) {
    let routes: Vec<&[u8]> = records.iter().map(|record| &record[..ROUTE_MAX]).collect();
    let sorted = routes.is_sorted_by(|one, next| one < next);
    let mut asked: Vec<Vec<u8>> = Vec::new();
    for route in &routes {
        let len = route.iter().position(|byte| *byte == 0).unwrap_or(ROUTE_MAX);
        asked.extend([route.to_vec(), route[..len].to_vec(), route[..len / 2].to_vec()]);
        asked.push([&route[..len], b"0"].concat());
    }
    asked.push(more[more.len().saturating_sub(9)..].to_vec());
    for route in asked {
        let mut padded = route.clone();
        padded.resize(ROUTE_MAX.max(route.len()), 0);
        let there = !route.is_empty() && !route.contains(&0);
        let place = routes.iter().position(|known| there && **known == padded);
        match image.find(&route) {
            Some(found) => {
                assert_eq!(found.route(), route);
                assert_eq!(routes[found.index()], padded);
                assert!(!sorted || place == Some(found.index()));
            }
            None => assert!(!sorted || place.is_none(), "{} is not found", route.escape_ascii()),
        }
    }
}
