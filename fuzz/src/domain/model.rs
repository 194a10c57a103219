//! The naive model: bytes in maps, sets of pages, and nothing shared with the kernel but the decoding of registers.

use std::collections::{BTreeMap, BTreeSet};

use mayfly_abi::PAGE;
use mayfly_abi::call::Code;
use mayfly_abi::domain::{HEAP_BASE, REQUEST_BASE, RESPONSE_BASE, RESPONSE_BODY};
use mayfly_abi::image::{SEGMENT_WRITE, SegmentRecord};
use mayfly_core::call::{Purpose, Registers, Request};
use mayfly_core::claim::Claimed;
use mayfly_core::http::response::check_headers;

use super::{Access, Effect, sample};
use crate::memory::{Area, areas, holds, program};
use crate::program::Program;

/// What a function sees.
pub(super) struct Model<'a> {
    program: &'a Program,
    purpose: Purpose,
    invocation: u64,
    request_len: u64,
    heap_start: u64,
    heap_pages: u64,
    /// Bytes that this invocation has written.
    written: BTreeMap<u64, u8>,
    /// Bytes that the initialisation has left.
    template: BTreeMap<u64, u8>,
    /// Pages of the response window that were touched: from then on their ends are in reach too.
    response: BTreeSet<u64>,
}

impl<'a> Model<'a> {
    pub(super) fn new(program: &'a Program, purpose: Purpose) -> Self {
        let heap = program.record.segments.iter().find(|segment| segment.address == HEAP_BASE);
        let heap_start = heap.map_or(0, |segment| u64::from(segment.memory_len).div_ceil(PAGE));
        Self {
            program,
            purpose,
            invocation: 0,
            request_len: 0,
            heap_start,
            heap_pages: heap_start,
            written: BTreeMap::new(),
            template: BTreeMap::new(),
            response: BTreeSet::new(),
        }
    }

    pub(super) fn areas(&self) -> Vec<Area> {
        areas(&self.program.record, self.heap_pages, self.request_len)
    }

    /// The byte that an access finds or leaves. `None`: the function is stopped.
    pub(super) fn access(&mut self, address: u64, what: Access) -> Option<u8> {
        let page = address - address % PAGE;
        let in_reach = |area: &&Area| {
            let whole_pages = area.start == REQUEST_BASE || self.response.contains(&page);
            (area.start..if whole_pages { area.end.next_multiple_of(PAGE) } else { area.end }).contains(&address)
        };
        let areas = self.areas();
        let area = areas.iter().find(in_reach)?;
        match what {
            Access::Write(_) if !area.writable => return None,
            Access::Jump if !area.executable => return None,
            Access::Write(value) => self.written.insert(address, value),
            Access::Read | Access::Jump => None,
        };
        self.touch(page);
        Some(self.bytes(address, 1)[0])
    }

    /// What a call does.
    pub(super) fn call(&mut self, registers: Registers) -> Result<Effect, Code> {
        let record = &self.program.record;
        match registers.decode(record.response_limit)?.allowed(self.purpose)? {
            Request::Respond { headers_len, body_len, .. } => {
                if !check_headers(&self.bytes(RESPONSE_BASE, headers_len.into())) {
                    return Err(Code::BadHeaders);
                }
                Ok(Effect::Answered(self.bytes(RESPONSE_BASE + RESPONSE_BODY, body_len.into())))
            }
            Request::Log { text } => Ok(Effect::Said(self.read(text)?)),
            Request::Fail { reason, text } => Ok(Effect::Failed(reason, self.read(text)?)),
            Request::Clock => Ok(Effect::Value(self.invocation)),
            Request::Grow { pages } => {
                let data: u64 = program(record)
                    .filter(|segment| segment.flags == SEGMENT_WRITE)
                    .map(|segment| u64::from(segment.memory_len).div_ceil(PAGE))
                    .sum();
                let heap_pages = self.heap_pages + u64::from(pages);
                if data + heap_pages > record.memory_pages.into() {
                    return Err(Code::OutOfMemory);
                }
                let start = HEAP_BASE + self.heap_pages * PAGE;
                self.heap_pages = heap_pages;
                Ok(Effect::Value(start))
            }
            Request::Random { out: Claimed { address, len } } => {
                self.point(address, len, true)?;
                for at in 0..len {
                    self.written.insert(address + at, sample(self.invocation, at));
                }
                Ok(Effect::Value(0))
            }
            Request::Ready => {
                let is_kept = |address: &u64| {
                    let data = |segment: &SegmentRecord| {
                        let end = segment.address + u64::from(segment.memory_len).next_multiple_of(PAGE);
                        (segment.address..end).contains(address)
                    };
                    *address >= HEAP_BASE || program(record).any(data)
                };
                self.template =
                    self.written.iter().filter(|(at, _)| is_kept(at)).map(|(at, byte)| (*at, *byte)).collect();
                (self.heap_start, self.purpose) = (self.heap_pages, Purpose::Serve);
                // The initialising domain is gone, and with it what it wrote elsewhere.
                self.written.clear();
                self.response.clear();
                Ok(Effect::Ready)
            }
        }
    }

    /// The next invocation sees nothing of this one.
    pub(super) fn restart(&mut self, request_len: u64) {
        self.written.clear();
        self.response.clear();
        self.heap_pages = self.heap_start;
        (self.request_len, self.invocation) = (request_len, self.invocation + 1);
    }

    /// Pages that were written.
    pub(super) fn written_pages(&self) -> impl Iterator<Item = u64> {
        self.written.keys().map(|address| address - address % PAGE)
    }

    /// Most pages of data and heap.
    pub(super) fn memory_pages(&self) -> usize {
        self.program.record.memory_pages as usize
    }

    fn read(&mut self, Claimed { address, len }: Claimed) -> Result<Vec<u8>, Code> {
        self.point(address, len, false)?;
        // The address of nothing may be anything.
        Ok(if len == 0 { Vec::new() } else { self.bytes(address, len) })
    }

    /// Whether a call may point there. Its pages are touched if it does.
    fn point(&mut self, address: u64, len: u64, write: bool) -> Result<(), Code> {
        if len > 0 {
            if !holds(&self.areas(), address, len, write) {
                return Err(Code::BadPointer);
            }
            (address..address + len).for_each(|at| self.touch(at - at % PAGE));
        }
        Ok(())
    }

    fn touch(&mut self, page: u64) {
        if (RESPONSE_BASE..HEAP_BASE).contains(&page) {
            self.response.insert(page);
        }
    }

    /// What the function finds at `start`: bytes of the image or the request, or zeros; over them what the initialisation
    /// has left, and over that what this invocation has written.
    pub(super) fn bytes(&self, start: u64, len: u64) -> Vec<u8> {
        let mut bytes = vec![0; len as usize];
        let end = start + len;
        let mut copy = |address: u64, from: &[u8]| {
            let (first, behind) = (start.max(address), end.min(address + from.len() as u64));
            if first < behind {
                let to = &mut bytes[(first - start) as usize..(behind - start) as usize];
                to.copy_from_slice(&from[(first - address) as usize..(behind - address) as usize]);
            }
        };
        for segment in self.program.record.segments.iter().filter(|segment| segment.file_len > 0) {
            let len = u64::from(segment.file_len);
            // What is shared is shared in whole pages.
            let len = if segment.flags == SEGMENT_WRITE { len } else { len.next_multiple_of(PAGE) };
            copy(segment.address, &self.program.bundle[segment.offset as usize..(segment.offset + len) as usize]);
        }
        for page in 0..self.request_len.div_ceil(PAGE) {
            let request = [sample(self.invocation, page); PAGE as usize];
            copy(REQUEST_BASE + page * PAGE, &request[..PAGE.min(self.request_len - page * PAGE) as usize]);
        }
        for (at, byte) in self.template.range(start..end).chain(self.written.range(start..end)) {
            copy(*at, &[*byte]);
        }
        bytes
    }
}
