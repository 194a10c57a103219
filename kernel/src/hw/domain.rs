//! A protection domain: an address space, the registers that run in it, and the one way to run it.
//!
//! The mechanism only: which page belongs where is decided in core. See it as a VMM sees a vCPU: `run` until it exits.

use super::entry::{self, Context};
use super::isolation::Isolation;
use super::memory::{Frame, clear};
use super::tables::{Rights, Tables};
use super::window::{OutOfFrames, Window};
use super::{apic, cpu, traps, way_back};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem::take;
use mayfly_abi::PAGE;
use mayfly_abi::domain::{REQUEST_BASE, RESPONSE_BASE, STACK_TOP, USER_END, WAY_BACK};
use mayfly_abi::fault::FaultRecord;
use mayfly_abi::wire::Wire;
use mayfly_core::fault::{callers, top};

/// Why a domain stopped running.
pub(crate) enum Exit {
    /// It made a call: the number and three arguments. Answer with [`Domain::answer`] or never run it again.
    Call { number: u64, arguments: [u64; 3] },
    /// It broke something. Resume it only if the page it missed was mapped.
    Fault { vector: u8, error: u64, address: u64, rip: u64 },
    /// Its time is over, or the machine needs the core for something else. It can be resumed.
    Interrupted,
}

/// Pages of its own that a domain has room to note from the start; more are welcome.
const PRIVATE: usize = 4;

/// Above so many pages, forgetting all translations is cheaper than forgetting each.
const FLUSH_EACH: usize = 16;

/// What a page starts as; zeros follow to its end.
#[derive(Clone)]
pub(crate) enum Origin {
    /// Bytes of the image.
    Image(&'static [u8]),
    /// A page that the function's initialisation has left.
    Template(Arc<Frame>),
}

impl Origin {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Image(bytes) => bytes,
            Self::Template(frame) => &frame[..],
        }
    }
}

/// A page of data, stack or heap that only this domain has.
struct Private {
    address: u64,
    frame: Frame,
    origin: Origin,
}

impl Private {
    /// Writes to the page what it starts as.
    fn put_back(&mut self) {
        let origin = self.origin.bytes();
        if origin.is_empty() {
            return clear(&mut self.frame);
        }
        let (start, rest) = self.frame.split_at_mut(origin.len());
        start.copy_from_slice(origin);
        rest.fill(0);
    }
}

/// One function's protection domain.
pub(crate) struct Domain {
    isolation: &'static dyn Isolation,
    // Dropped before the frames that it points to.
    tables: Tables,
    context: Box<Context>,
    /// Pages of the image that are mapped.
    image_pages: usize,
    private: Vec<Private>,
    windows: Option<(Window, Window)>,
}

impl Domain {
    /// A domain in which nothing is mapped but the way back from an interruption.
    pub(crate) fn new(isolation: &'static dyn Isolation) -> Result<Self, OutOfFrames> {
        let mut tables = Tables::new().ok_or(OutOfFrames)?;
        tables.table_for(WAY_BACK).ok_or(OutOfFrames)?.map(WAY_BACK, way_back::physical(), Rights::Text);
        Ok(Self {
            isolation,
            tables,
            context: Box::new(Context::new(isolation.in_ring_0())),
            image_pages: 1,
            private: Vec::with_capacity(PRIVATE),
            windows: None,
        })
    }

    /// Maps bytes of the image, which start at a page boundary, straight from where they lie.
    pub(crate) fn map_image(&mut self, address: u64, bytes: &'static [u8], rights: Rights) -> Result<(), OutOfFrames> {
        assert!(rights != Rights::Data, "the image is never writable");
        let start = super::memory::physical(bytes);
        assert!(start.is_multiple_of(PAGE), "the image maps whole pages");
        for offset in (0..bytes.len() as u64).step_by(PAGE as usize) {
            let table = self.tables.table_for(address + offset).ok_or(OutOfFrames)?;
            table.map(address + offset, start + offset, rights);
            self.image_pages += 1;
        }
        Ok(())
    }

    /// Gives the domain a page of its own at `address` that starts as `origin`.
    pub(crate) fn add_private(&mut self, address: u64, origin: Origin) -> Result<(), OutOfFrames> {
        let table = self.tables.table_for(address).ok_or(OutOfFrames)?;
        let mut frame = Frame::zeroed().ok_or(OutOfFrames)?;
        let bytes = origin.bytes();
        frame[..bytes.len()].copy_from_slice(bytes);
        table.map(address, frame.physical(), Rights::Data);
        self.private.push(Private { address, frame, origin });
        Ok(())
    }

    /// Makes a page of the response window available.
    pub(crate) fn touch_response(&mut self, index: usize) -> Result<(), OutOfFrames> {
        let Some((_, response)) = &mut self.windows else { panic!("a domain runs without its windows") };
        response.touch(index)?;
        // A further table may have come.
        response.attach(&mut self.tables, RESPONSE_BASE);
        Ok(())
    }

    /// Gets ready for an invocation: clean registers, and the request in sight.
    pub(crate) fn start(&mut self, entry: u64, request: Window, response: Window, invocation: u64) {
        assert!(entry < USER_END && self.windows.is_none());
        request.attach(&mut self.tables, REQUEST_BASE);
        response.attach(&mut self.tables, RESPONSE_BASE);
        self.windows = Some((request, response));
        // As after a call: the stack is 16-byte aligned but for the return address, which is zero.
        self.context.start(entry, STACK_TOP - 8, REQUEST_BASE, invocation);
    }

    /// Runs until the domain exits by itself, or until `until` (ticks), or until the machine needs the core.
    pub(crate) fn run(&mut self, until: u64) -> Exit {
        apic::arm_by(until);
        // SAFETY: the tables map the kernel and this domain, and go only with it; `start` and the CPU filled the context.
        unsafe {
            if !self.in_use() {
                self.isolation.activate(self.tables.root());
            }
            entry::run(&mut self.context);
        }
        let context = &self.context;
        match context.vector {
            entry::CALL => Exit::Call { number: context.rax, arguments: [context.rdi, context.rsi, context.rdx] },
            vector if vector >= u64::from(traps::TIMER) => {
                traps::acknowledge(vector as u8);
                Exit::Interrupted
            }
            vector => Exit::Fault {
                vector: vector as u8,
                error: context.error,
                address: if vector == traps::PAGE_FAULT { cpu::fault_address() } else { 0 },
                rip: context.rip,
            },
        }
    }

    /// What is known of a domain that has stopped. The caller adds the fault's number and name, and the function.
    pub(crate) fn fault_record(&self) -> FaultRecord {
        let context = &self.context;
        let word = |address: u64| {
            let at = (address % PAGE) as usize;
            self.tables.find(address)?.get(at..at + 8).map(u64::get)
        };
        let frame = |address: u64| Some([word(address)?, word(address + 8)?]);
        FaultRecord {
            id: 0,
            function: 0,
            invocation: context.invocation,
            name: [0; 24],
            vector: context.vector,
            error: context.error,
            address: if context.vector == traps::PAGE_FAULT { cpu::fault_address() } else { 0 },
            page_table: self.tables.root(),
            rip: context.rip,
            heap_pages: 0,
            flags: context.flags,
            rsp: context.rsp,
            registers: context.registers(),
            callers: callers(context.rbp, frame),
            top: top(context.rsp, frame),
        }
    }

    /// What the call that the domain made returns.
    pub(crate) fn answer(&mut self, code: u64, value: u64) {
        self.context.rax = code;
        self.context.rdx = value;
    }

    /// Copies bytes out of the domain's memory. Pages it never touched read as zero.
    pub(crate) fn copy_out(&mut self, mut address: u64, mut out: &mut [u8]) {
        while !out.is_empty() {
            let at = (address % PAGE) as usize;
            let (now, later) = out.split_at_mut((PAGE as usize - at).min(out.len()));
            match self.tables.find(address) {
                Some(page) => now.copy_from_slice(&page[at..at + now.len()]),
                None => now.fill(0),
            }
            address += now.len() as u64;
            out = later;
        }
    }

    /// Copies bytes into the domain's own pages or its response window. The pages must be there.
    pub(crate) fn copy_in(&mut self, mut address: u64, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let at = (address % PAGE) as usize;
            let (now, later) = bytes.split_at((PAGE as usize - at).min(bytes.len()));
            let page = address - at as u64;
            if let Some(private) = self.private.iter_mut().find(|private| private.address == page) {
                private.frame[at..at + now.len()].copy_from_slice(now);
                self.tables.mark_dirty(page);
            } else {
                let Some((_, response)) = &mut self.windows else { panic!("a domain runs without its windows") };
                let written = response.write((address - RESPONSE_BASE) as usize, now);
                assert!(written.is_ok(), "the page was not made");
            }
            address += now.len() as u64;
            bytes = later;
        }
    }

    /// The first `len` bytes of the response window, at most a page: where a function writes its header lines.
    pub(crate) fn response_headers(&self, len: usize) -> &[u8] {
        let Some((_, response)) = &self.windows else { panic!("a domain runs without its windows") };
        response.chunk(0, len)
    }

    /// Whether a page is mapped.
    pub(crate) fn has(&self, address: u64) -> bool {
        self.tables.find(address).is_some()
    }

    /// Frames that the domain holds, those of its response window included.
    pub(crate) fn frames(&self) -> u64 {
        let response = self.windows.as_ref().map_or(0, |(_, response)| response.frames());
        (self.tables.count() + self.private.len() + response) as u64
    }

    /// The instruction that runs next.
    pub(crate) fn instruction(&self) -> u64 {
        self.context.rip
    }

    /// Ends the invocation: takes the windows back. The domain must be [`reset`](Self::reset) before the next.
    pub(crate) fn finish(&mut self) -> (Window, Window) {
        let Some((request, response)) = self.windows.take() else { panic!("the invocation has ended before") };
        request.detach(&mut self.tables, REQUEST_BASE);
        response.detach(&mut self.tables, RESPONSE_BASE);
        if !self.in_use() {
            self.isolation.outdate(self.tables.root());
        } else if request.pages() + response.pages() > FLUSH_EACH {
            cpu::flush_all();
        } else {
            for (window, base) in [(&request, REQUEST_BASE), (&response, RESPONSE_BASE)] {
                // The first page is always there.
                cpu::flush(base);
                (1..window.pages() as u64).for_each(|page| cpu::flush(base + page * PAGE));
            }
        }
        (request, response)
    }

    /// Puts back every page that was written, and gives the heap back from `heap_end` on. A page that was not written costs
    /// a look at its entry. The page tables stay, for the next heap.
    pub(crate) fn reset(&mut self, heap_end: u64) {
        let in_use = self.in_use();
        let (mut changed, mut given_back) = (0, 0);
        for private in &mut self.private {
            if private.address >= heap_end {
                self.tables.unmap(private.address);
                given_back += 1;
            } else if self.tables.take_dirty(private.address) {
                private.put_back();
            } else {
                continue;
            }
            changed += 1;
            if in_use && changed <= FLUSH_EACH {
                cpu::flush(private.address);
            }
        }
        if !in_use {
            self.isolation.outdate(self.tables.root());
        } else if changed > FLUSH_EACH {
            cpu::flush_all();
        }
        if given_back > 0 {
            self.private.retain(|private| private.address < heap_end);
        }
    }

    /// The pages that were written, with their addresses; the domain ends.
    pub(crate) fn into_written(mut self) -> impl Iterator<Item = (u64, Frame)> {
        let private = take(&mut self.private).into_iter();
        private.filter_map(move |private| {
            self.tables.take_dirty(private.address).then_some((private.address, private.frame))
        })
    }

    /// Panics unless the domain is as it was when it was made, but for pages that it has by now: each of them is as its
    /// origin, and nothing else is mapped. The checking mode.
    pub(crate) fn verify(&self) {
        for Private { address, frame, origin } in &self.private {
            let (start, rest) = frame.split_at(origin.bytes().len());
            let same = start == origin.bytes() && rest.iter().all(|byte| *byte == 0);
            assert!(same, "the page at {address:#x} was not put back");
            let mapped = self.tables.find(*address).is_some_and(|page| core::ptr::eq(page, &raw const **frame));
            assert!(mapped, "another page is mapped at {address:#x}");
        }
        let (mapped, dirty) = self.tables.census();
        assert!(dirty == 0, "{dirty} pages are still marked as written");
        let expected = self.image_pages + self.private.len();
        assert!(mapped == expected, "{mapped} pages are mapped, of which {expected} belong there");
    }

    /// Whether its address space is the one in use.
    fn in_use(&self) -> bool {
        cpu::page_table() == self.tables.root()
    }
}

impl Drop for Domain {
    fn drop(&mut self) {
        entry::forget(&self.context);
        self.isolation.outdate(self.tables.root());
    }
}
