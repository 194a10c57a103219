//! One invocation: an event in a domain, run slice by slice until there is an outcome.

use crate::catalog::{Catalog, Instance};
use crate::hw::clock::{nanos, ticks_in};
use crate::hw::console;
use crate::hw::cpu;
use crate::hw::domain::Exit;
use crate::hw::ledger;
use crate::hw::random;
use crate::hw::window::{OutOfFrames, Window};
use alloc::boxed::Box;
use alloc::vec;
use mayfly_abi::PAGE;
use mayfly_abi::call::{Code, RANDOM_MAX};
use mayfly_abi::domain::REQUEST_BASE;
use mayfly_abi::ledger::Phase;
use mayfly_core::call::{Registers, Request};
use mayfly_core::claim::{Access, Claimed, Granted};
use mayfly_core::fault::{Fault, Kind};
use mayfly_core::http::response::check_headers;
use mayfly_core::outcome::Outcome;

/// Who is waiting for an event's outcome. Only the part that made it knows what the number means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Source(pub(crate) u64);

/// Something for a function to answer.
pub(crate) struct Event {
    pub(crate) source: Source,
    pub(crate) function: usize,
    /// A checked `RequestHead` and the bytes it points to.
    pub(crate) request: Window,
    pub(crate) request_len: u64,
}

/// How a slice ended.
pub(crate) enum Slice {
    /// The invocation has an outcome.
    Over(Outcome),
    /// It can go on; whether its slice is used up.
    Paused { used_up: bool },
}

/// An event that is being worked on.
pub(crate) struct Invocation {
    pub(crate) source: Source,
    pub(crate) function: usize,
    pub(crate) instance: Box<Instance>,
    /// End of the slice that has begun, in ticks; 0 if it has to get one.
    slice_end: u64,
    /// Ticks that it may still run. Waiting for the core does not count.
    left: u64,
}

impl Invocation {
    /// Puts an event into an instance that is as new.
    pub(crate) fn start(event: Event, mut instance: Box<Instance>, response: Window, number: u64) -> Self {
        let Event { source, function, mut request, request_len } = event;
        // The head was written with the request; only the executor knows the number. The first page is there.
        let at = core::mem::offset_of!(mayfly_abi::domain::RequestHead, invocation);
        if request.write(at, &number.to_le_bytes()).is_err() {
            panic!("the request window lost its first page");
        }
        instance.space.start(request_len);
        let plan = instance.space.plan();
        let left = ticks_in(u64::from(plan.limits.timeout_ms) * 1_000_000);
        instance.domain.start(plan.entry, request, response, number);
        ledger::stamp(Phase::Domain);
        Self { source, function, instance, slice_end: 0, left }
    }

    /// Runs until its slice of `slice` ticks ends, the machine needs the core, or there is an outcome. A slice that was
    /// interrupted goes on.
    pub(crate) fn run(&mut self, slice: u64, catalog: &mut Catalog) -> Slice {
        let now = cpu::ticks();
        if self.slice_end == 0 {
            self.slice_end = now + slice;
        }
        let deadline = now.saturating_add(self.left);
        let ended = self.run_until(deadline, catalog);
        self.left = deadline.saturating_sub(cpu::ticks());
        ended
    }

    fn run_until(&mut self, deadline: u64, catalog: &mut Catalog) -> Slice {
        let until = self.slice_end.min(deadline);
        ledger::stamp(Phase::Enter);
        loop {
            match self.instance.domain.run(until) {
                Exit::Call { number, arguments: [rdi, rsi, rdx] } => {
                    if let Some(outcome) = self.call(Registers { rax: number, rdi, rsi, rdx }, catalog) {
                        ledger::stamp(Phase::Leave);
                        return Slice::Over(outcome);
                    }
                }
                Exit::Fault { vector, error, address, rip } => {
                    if let Some(outcome) = self.fault(Fault::classify(vector, error, address, rip), catalog) {
                        return Slice::Over(outcome);
                    }
                }
                Exit::Deadline if until == deadline => return Slice::Over(Outcome::Deadline),
                Exit::Deadline => {
                    self.slice_end = 0;
                    return Slice::Paused { used_up: true };
                }
                Exit::Interrupted => return Slice::Paused { used_up: false },
            }
        }
    }

    /// A fault is the end, unless it is the first touch of a page that the function may have.
    fn fault(&mut self, fault: Fault, catalog: &mut Catalog) -> Option<Outcome> {
        use mayfly_core::fault::Access::{Read, Write};
        if fault.kind == Kind::Unmapped
            && let Some(Read(address) | Write(address)) = fault.access
            && let Some(missing) = self.instance.space.missing(address)
        {
            return catalog.populate(&mut self.instance.domain, &missing).err().map(|_| Outcome::Exhausted);
        }
        Some(Outcome::Killed(fault))
    }

    /// Carries out a call. An outcome if it was the last one.
    fn call(&mut self, registers: Registers, catalog: &mut Catalog) -> Option<Outcome> {
        let limit = self.instance.space.plan().limits.response;
        let (code, value) = match registers.decode(limit).and_then(|request| self.carry_out(request, catalog)) {
            Ok(Done::With(value)) => (Code::Ok, value),
            Ok(Done::Over(outcome)) => return Some(outcome),
            Err(code) => (code, 0),
        };
        self.instance.domain.answer(code as u64, value);
        None
    }

    fn carry_out(&mut self, request: Request, catalog: &mut Catalog) -> Result<Done, Code> {
        match request {
            Request::Respond { status, headers_len, body_len } => {
                if !check_headers(self.instance.domain.response_headers(headers_len as usize)) {
                    return Err(Code::BadHeaders);
                }
                Ok(Done::Over(Outcome::Done { status, headers_len, body_len }))
            }
            Request::Log { text } => {
                let text = self.check(text, Access::Read)?;
                if self.make_present(&text, catalog).is_err() {
                    return Ok(Done::Over(Outcome::Exhausted));
                }
                self.print(&text);
                Ok(Done::With(0))
            }
            Request::Grow { pages } => self.instance.space.grow(pages).map(Done::With),
            Request::Clock => Ok(Done::With(nanos())),
            Request::Ready => Err(Code::NotNow),
            Request::Random { out } => {
                let out = self.check(out, Access::Write)?;
                self.randomize(&out, catalog)
            }
            Request::Fail { reason, text } => {
                let text = self.check(text, Access::Read)?;
                if !text.is_empty() && self.make_present(&text, catalog).is_ok() {
                    self.print(&text);
                }
                Ok(Done::Over(Outcome::of_failure(reason, self.instance.domain.instruction())))
            }
        }
    }

    fn check(&self, claimed: Claimed, access: Access) -> Result<Granted, Code> {
        claimed.check(&self.instance.space.regions(), access)
    }

    /// Prints a function's line, with its name before it and nothing in it that could fake another line.
    fn print(&mut self, text: &Granted) {
        let mut bytes = vec![0; text.len() as usize];
        self.instance.domain.copy_out(text.address(), &mut bytes);
        for byte in &mut bytes {
            if byte.is_ascii_control() && *byte != b'\t' {
                *byte = b' ';
            }
        }
        console::print(self.instance.space.plan().name);
        console::print(b": ");
        console::print(&bytes);
        console::print(b"\n");
    }

    fn randomize(&mut self, out: &Granted, catalog: &mut Catalog) -> Result<Done, Code> {
        if self.make_present(out, catalog).is_err() {
            return Ok(Done::Over(Outcome::Exhausted));
        }
        let mut bytes = [0; RANDOM_MAX as usize];
        let bytes = &mut bytes[..out.len() as usize];
        random::fill(bytes);
        self.instance.domain.copy_in(out.address(), bytes);
        Ok(Done::With(0))
    }

    /// Makes the pages that the function has not touched yet, as its own access would have done.
    fn make_present(&mut self, run: &Granted, catalog: &mut Catalog) -> Result<(), OutOfFrames> {
        if run.is_empty() {
            return Ok(());
        }
        let Instance { domain, space } = &mut *self.instance;
        let (start, end) = (run.address(), run.address() + run.len());
        let mut page = start & !(PAGE - 1);
        while page < end {
            if !domain.has(page)
                && let Some(missing) = space.missing(page.max(start))
            {
                catalog.populate(domain, &missing)?;
            }
            page += PAGE;
        }
        Ok(())
    }
}

/// What a call that was not refused leads to.
enum Done {
    /// Back to the function with a value.
    With(u64),
    /// The end of the invocation.
    Over(Outcome),
}

// The head that `start` completes lies in the window's first page.
const _: () = assert!(REQUEST_BASE.is_multiple_of(PAGE));
