//! What a domain has, as a reader of docs/abi.md would list it: what the decisions about its memory are held against.

use arbitrary::Arbitrary;
use mayfly_abi::PAGE;
use mayfly_abi::domain::{HEAP_BASE, REQUEST_BASE, RESPONSE_BASE, RESPONSE_BODY, STACK_BASE, STACK_TOP, USER_END};
use mayfly_abi::image::{FunctionRecord, SEGMENT_EXECUTE, SEGMENT_WRITE, SegmentRecord};

/// A run of memory that belongs together: a call may not point beyond its end, even if another follows at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Area {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) writable: bool,
    pub(crate) executable: bool,
}

/// Everything that a function may point to: its program, its stack, `heap_pages` of heap, and its windows.
pub(crate) fn areas(record: &FunctionRecord, heap_pages: u64, request_len: u64) -> Vec<Area> {
    let area = |start, end, writable| Area { start, end, writable, executable: false };
    let response_end = RESPONSE_BASE + RESPONSE_BODY + u64::from(record.response_limit);
    let mut areas = vec![
        area(STACK_BASE, STACK_TOP, true),
        area(REQUEST_BASE, REQUEST_BASE + request_len, false),
        area(RESPONSE_BASE, response_end, true),
        area(HEAP_BASE, HEAP_BASE + heap_pages * PAGE, true),
    ];
    areas.extend(program(record).map(|segment| Area {
        start: segment.address,
        end: segment.address + u64::from(segment.memory_len).next_multiple_of(PAGE),
        writable: segment.flags == SEGMENT_WRITE,
        executable: segment.flags == SEGMENT_EXECUTE,
    }));
    areas
}

/// The record's segments without the heap that an initialisation has left.
pub(crate) fn program(record: &FunctionRecord) -> impl Iterator<Item = &SegmentRecord> {
    record.segments.iter().filter(|segment| segment.memory_len > 0 && segment.address != HEAP_BASE)
}

/// Whether all of a run lies in one of `areas`.
pub(crate) fn holds(areas: &[Area], address: u64, len: u64, write: bool) -> bool {
    let (first, behind) = (u128::from(address), u128::from(address) + u128::from(len));
    areas
        .iter()
        .any(|area| u128::from(area.start) <= first && behind <= u128::from(area.end) && (area.writable || !write))
}

/// A number that a function passes or an address that it touches: most are near an edge of something.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Value {
    /// So many pages and bytes from an edge.
    Near { edge: u8, pages: Option<i8>, bytes: i8 },
    /// A length, or a number of something.
    Small(u16),
    /// Anything.
    Any(u64),
}

impl Value {
    /// The number itself, in a domain that has `areas` and whose function may answer with `response_limit` bytes.
    pub(crate) fn of(self, areas: &[Area], response_limit: u32) -> u64 {
        /// The lower half's end, and the limits of docs/abi.md: statuses, lengths, memory.
        const FIXED: [u64; 9] = [0, 200, 600, 256, 1024, 512 << 20, USER_END, 1 << 47, u64::MAX];
        match self {
            Self::Small(value) => value.into(),
            Self::Any(value) => value,
            Self::Near { edge, pages, bytes } => {
                let edges = areas.iter().flat_map(|area| [area.start, area.end]).chain([response_limit.into()]);
                let edges: Vec<u64> = edges.chain(FIXED).collect();
                let edge = edges[usize::from(edge) % edges.len()];
                let pages = i64::from(pages.unwrap_or(0)) * PAGE as i64;
                edge.wrapping_add_signed(pages + i64::from(bytes))
            }
        }
    }
}
