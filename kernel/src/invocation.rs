//! One invocation: an event in a domain, run slice by slice until there is an outcome. So is an initialisation, whose
//! event is that somebody waits for the function.

use crate::catalog::{Catalog, Instance};
use crate::hw::clock::nanos;
use crate::hw::console;
use crate::hw::cpu;
use crate::hw::domain::Exit;
use crate::hw::ledger;
use crate::hw::random::{self, Generator};
use crate::hw::window::{OutOfFrames, Window};
use alloc::boxed::Box;
use alloc::vec;
use core::mem::offset_of;
use mayfly_abi::PAGE;
use mayfly_abi::call::{Code, RANDOM_MAX};
use mayfly_abi::domain::RequestHead;
use mayfly_abi::ledger::Phase;
use mayfly_core::call::{Purpose, Registers, Request};
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

/// How a turn ended.
pub(crate) enum Turn {
    /// The invocation has an outcome.
    Over(End),
    /// It can go on.
    Paused,
}

/// Why an invocation is over.
pub(crate) enum End {
    /// Somebody is to be told.
    Outcome(Outcome),
    /// It was an initialisation, and it is done.
    Ready,
}

/// An event that is being worked on.
pub(crate) struct Invocation {
    /// Who waits; nobody for an initialisation.
    pub(crate) source: Option<Source>,
    pub(crate) instance: Box<Instance>,
    /// Ticks of running that are left of its slice.
    slice: u64,
    /// Ticks that it may still run. Waiting for the core does not count.
    left: u64,
    /// Made when the function asks.
    random: Option<Box<Generator>>,
}

impl Invocation {
    /// Puts an event into an instance that is as new.
    pub(crate) fn start(event: Event, mut instance: Box<Instance>, response: Window, number: u64) -> Self {
        let Event { source, mut request, request_len, .. } = event;
        // The head was written with the request; only the executor knows the number.
        let at = offset_of!(RequestHead, invocation);
        request.start_mut(at + 8)[at..].copy_from_slice(&number.to_le_bytes());
        instance.space.start(request_len);
        instance.domain.start(instance.space.plan().entry, request, response, number);
        ledger::stamp(Phase::Domain);
        Self::new(Some(source), instance)
    }

    /// Lets a new instance initialise its function. Its windows hold nothing.
    pub(crate) fn initialise(mut instance: Box<Instance>, [request, response]: [Window; 2]) -> Self {
        let Some(init) = instance.space.plan().init else { panic!("the function has no initialisation") };
        instance.space.start(0);
        instance.domain.start(init, request, response, 0);
        Self::new(None, instance)
    }

    fn new(source: Option<Source>, instance: Box<Instance>) -> Self {
        Self { source, slice: 0, left: instance.patience, instance, random: None }
    }

    /// Runs until its slice of `slice` ticks ends, it has run for `most`, the machine needs the core, or there is an outcome.
    /// What is left of a slice is kept for the next turn. Says also how many ticks it had. If `quiet`, the card was not asked
    /// for interrupts: one that comes all the same is late, and ends nothing.
    pub(crate) fn run(&mut self, slice: u64, most: u64, quiet: bool, catalog: &mut Catalog) -> (Turn, u64) {
        if self.slice == 0 {
            self.slice = slice;
        }
        let start = cpu::ticks();
        let most = self.slice.min(self.left).min(most);
        let turn = self.run_until(start + most, quiet, catalog);
        let passed = cpu::ticks() - start;
        let ran = passed.min(most);
        self.left = self.left.saturating_sub(ran);
        // A turn that was far longer than it should be was not the function's: a hypervisor had the core for something else.
        // It does not make a short function a long one.
        if passed < most + slice / 4 {
            self.slice = self.slice.saturating_sub(ran);
        }
        match turn {
            Turn::Paused if self.left == 0 => (Turn::Over(End::Outcome(Outcome::Deadline)), ran),
            turn => (turn, ran),
        }
    }

    /// Frames that it may still come to need, of at most `most` in all.
    pub(crate) fn promised(&self, most: u64) -> u64 {
        self.instance.space.plan().frames.min(most).saturating_sub(self.instance.domain.frames())
    }

    /// Whether the next turn is the rest of a slice that has begun.
    pub(crate) fn has_slice(&self) -> bool {
        self.slice > 0
    }

    fn run_until(&mut self, until: u64, quiet: bool, catalog: &mut Catalog) -> Turn {
        ledger::stamp(Phase::Enter);
        loop {
            let ended = match self.instance.domain.run(until) {
                Exit::Call { number, arguments: [rdi, rsi, rdx] } => {
                    self.call(Registers { rax: number, rdi, rsi, rdx }, catalog)
                }
                Exit::Fault { vector, error, address, rip } => {
                    self.fault(Fault::classify(vector, error, address, rip), catalog)
                }
                Exit::Interrupted if quiet && cpu::ticks() < until => continue,
                Exit::Interrupted => return Turn::Paused,
            };
            match ended {
                Ok(None) => {}
                Ok(Some(end)) => {
                    ledger::stamp(Phase::Leave);
                    return Turn::Over(end);
                }
                // It was promised more than it has taken: the machine has less than the function's limit.
                Err(OutOfFrames) => return Turn::Over(End::Outcome(Outcome::Exhausted)),
            }
        }
    }

    /// A fault is the end, unless it is the first touch of a page that the function may have.
    fn fault(&mut self, fault: Fault, catalog: &mut Catalog) -> Result<Option<End>, OutOfFrames> {
        use mayfly_core::fault::Access::{Read, Write};
        if fault.kind == Kind::Unmapped
            && let Some(Read(address) | Write(address)) = fault.access
            && let Some(missing) = self.instance.space.missing(address)
        {
            catalog.populate(&mut self.instance, &missing)?;
            return Ok(None);
        }
        Ok(Some(End::Outcome(Outcome::Killed(fault))))
    }

    /// Carries out a call. An end if it was the last one.
    fn call(&mut self, registers: Registers, catalog: &mut Catalog) -> Result<Option<End>, OutOfFrames> {
        let purpose = if self.source.is_some() { Purpose::Serve } else { Purpose::Init };
        let limit = self.instance.space.plan().limits.response;
        let request = registers.decode(limit).and_then(|request| request.allowed(purpose));
        let (code, value) = match request.and_then(|request| self.carry_out(request, catalog)) {
            Ok(Done::With(value)) => (Code::Ok, value),
            Ok(Done::Over(end)) => return Ok(Some(end)),
            Ok(Done::Starved) => return Err(OutOfFrames),
            Err(code) => (code, 0),
        };
        self.instance.domain.answer(code as u64, value);
        Ok(None)
    }

    fn carry_out(&mut self, request: Request, catalog: &mut Catalog) -> Result<Done, Code> {
        match request {
            Request::Respond { status, headers_len, body_len } => {
                if !check_headers(self.instance.domain.response_headers(headers_len as usize)) {
                    return Err(Code::BadHeaders);
                }
                Ok(Done::Over(End::Outcome(Outcome::Done { status, headers_len, body_len })))
            }
            Request::Log { text } => {
                let text = self.check(text, Access::Read)?;
                if self.make_present(&text, catalog).is_err() {
                    return Ok(Done::Starved);
                }
                let start = cpu::ticks();
                self.print(&text);
                // A serial port takes longer for a line than a slice has, and of a turn no more than that counts.
                self.left = self.left.saturating_sub((cpu::ticks() - start).saturating_sub(self.slice));
                Ok(Done::With(0))
            }
            Request::Grow { pages } => self.instance.space.grow(pages).map(Done::With),
            Request::Clock => Ok(Done::With(nanos())),
            Request::Random { out } => {
                let out = self.check(out, Access::Write)?;
                if self.make_present(&out, catalog).is_err() {
                    return Ok(Done::Starved);
                }
                self.randomize(&out);
                Ok(Done::With(0))
            }
            Request::Fail { reason, text } => {
                let text = self.check(text, Access::Read)?;
                if !text.is_empty() && self.make_present(&text, catalog).is_ok() {
                    self.print(&text);
                }
                let outcome = Outcome::of_failure(reason, self.instance.domain.instruction());
                Ok(Done::Over(End::Outcome(outcome)))
            }
            Request::Ready => Ok(Done::Over(End::Ready)),
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

    fn randomize(&mut self, out: &Granted) {
        let mut bytes = [0; RANDOM_MAX as usize];
        let bytes = &mut bytes[..out.len() as usize];
        self.random.get_or_insert_with(|| Box::new(random::generator())).fill(bytes);
        self.instance.domain.copy_in(out.address(), bytes);
    }

    /// Makes the pages that the function has not touched yet, as its own access would have done.
    fn make_present(&mut self, run: &Granted, catalog: &mut Catalog) -> Result<(), OutOfFrames> {
        if run.is_empty() {
            return Ok(());
        }
        let (start, end) = (run.address(), run.address() + run.len());
        let mut page = start & !(PAGE - 1);
        while page < end {
            if !self.instance.domain.has(page)
                && let Some(missing) = self.instance.space.missing(page.max(start))
            {
                catalog.populate(&mut self.instance, &missing)?;
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
    Over(End),
    /// Nowhere: a page is missing, and there is no memory.
    Starved,
}
