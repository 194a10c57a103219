//! The executor: a loop over the network, the invocations that can run, and the reasons why they stop.

use crate::catalog::{Catalog, Instance, NoInstance};
use crate::http::server::{Around, Server};
use crate::hw::clock::{nanos, ticks_in};
use crate::hw::console::{Console, say};
use crate::hw::window::Window;
use crate::hw::{apic, cpu, fault, ledger, memory};
use crate::invocation::{End, Event, Invocation, Source, Turn};
use crate::net::Net;
use crate::windows::Windows;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::fmt::Write;
use mayfly_abi::fault::READY;
use mayfly_abi::ledger::Phase;
use mayfly_core::call::Purpose;
use mayfly_core::command_line::CommandLine;
use mayfly_core::image::Plan;
use mayfly_core::outcome::Outcome;
use mayfly_core::schedule::{Line, Share};

/// How long one invocation runs while others wait, in nanoseconds.
const SLICE: u64 = 2_000_000;

/// How many times as long the slices are of those that have used up their first. Nobody who is new waits for the end of one,
/// and each change of the address space costs the CPU its translations.
const LONG_SLICES: u64 = 25;

/// After work, the next frame is waited for so long by looking, in nanoseconds: going to sleep and waking up takes longer.
/// For so long, too, a function that has just begun is not interrupted for frames. Until the first invocation has ended it is a
/// slice: code that runs for the first time takes long, under a CPU that translates it, and interruptions are more of it.
const POLL: u64 = 50_000;

/// This part of memory is promised to no invocation while others run: it is for requests that are arriving.
const BODIES_SHARE: u64 = 16;

/// No invocation is promised more than this part of memory.
const LARGEST_SHARE: u64 = 2;

/// How long a stopped domain is held for the host to look at, in nanoseconds.
const HELD: u64 = 2_000_000_000;

/// Answers that the card is told of together at most.
const TOGETHER: u32 = 8;

/// Events and invocations that there is room for from the start; more are welcome.
const EVENTS: usize = 64;

/// Everything that serves.
pub(crate) struct Executor {
    catalog: Catalog,
    net: Net,
    server: Server,
    windows: Windows,
    /// Events that nobody looked at yet.
    events: VecDeque<Event>,
    /// Invocations that can run, by line, each in the order in which they get the core.
    new: VecDeque<Invocation>,
    long: VecDeque<Invocation>,
    share: Share,
    /// Longest turn, in ticks.
    slice: u64,
    /// Events that wait for those which run to leave them enough memory.
    short: VecDeque<Event>,
    /// Frames went before the invocation whose turn it was.
    deferred: bool,
    invocations: u64,
    faults: u64,
    /// Frames there are.
    frames: u64,
    hold_faults: bool,
    verify_reset: bool,
    /// See [`POLL`], in ticks.
    poll: u64,
    /// Answers that the card was not told of yet, at most.
    unsent: u32,
    /// Ticks of work so far, and when the present work began.
    busy: u64,
    awake_since: u64,
}

impl Executor {
    pub(crate) fn new(catalog: Catalog, net: Net, line: &CommandLine) -> Self {
        let slice = ticks_in(SLICE);
        Self {
            catalog,
            net,
            server: Server::new(memory::count().1),
            windows: Windows::new(line.verify_reset),
            events: VecDeque::with_capacity(EVENTS),
            new: VecDeque::with_capacity(EVENTS),
            long: VecDeque::new(),
            share: Share::new(slice),
            slice,
            short: VecDeque::new(),
            deferred: false,
            invocations: 0,
            faults: 0,
            frames: memory::count().1,
            hold_faults: line.hold_faults,
            verify_reset: line.verify_reset,
            poll: slice,
            unsent: 0,
            busy: 0,
            awake_since: 0,
        }
    }

    /// Serves for as long as the machine runs.
    pub(crate) fn serve(mut self) -> ! {
        ledger::stamp_once(Phase::Listening);
        loop {
            let nothing_came = self.with_server(Server::receive);
            self.begin_short();
            // One after another, so that the next can have the instance of the one before.
            while self.new.is_empty()
                && let Some(event) = self.events.pop_front()
            {
                self.begin(event);
            }
            match self.share.next(!self.new.is_empty(), !self.long.is_empty()) {
                Some(line) => {
                    self.run(line);
                    self.promise();
                }
                None if nothing_came => {
                    self.idle();
                    continue;
                }
                None => {}
            }
            self.do_due();
        }
    }

    /// Has the server do something with what it works with.
    fn with_server<R>(&mut self, work: impl FnOnce(&mut Server, &mut Around<'_>) -> R) -> R {
        let Self { net, catalog, windows, events, .. } = self;
        work(&mut self.server, &mut Around { net, catalog, windows, events })
    }

    /// Does what time has brought to the network, and what the card has made room for. The card is told with the next answer,
    /// or before the next long turn or rest.
    fn do_due(&mut self) {
        let now = nanos();
        if self.server.wake_at() <= now {
            self.with_server(|server, around| server.tick(around, now));
        }
        if self.net.wake_at(now) <= now {
            self.net.control(None);
        }
        if self.server.is_blocked() {
            self.with_server(Server::unblock);
        }
    }

    /// Tells the card about what it was given, unless more is about to follow: telling it is an exit to the hypervisor.
    fn flush_if_last(&mut self) {
        self.unsent += 1;
        if self.unsent >= TOGETHER || self.new.is_empty() && self.events.is_empty() {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.unsent = 0;
        self.net.nic.flush();
    }

    /// Waits for the next frame, or for the next thing that time brings: first by looking, then asleep.
    fn idle(&mut self) {
        self.flush();
        let asleep = cpu::ticks();
        self.busy += asleep - self.awake_since;
        ledger::stamp_work(self.awake_since, asleep);
        let until = asleep + self.poll;
        while cpu::ticks() < until {
            if self.net.nic.has_received() {
                return self.awake_since = cpu::ticks();
            }
        }
        let now = nanos();
        let next = self.server.wake_at().min(self.net.wake_at(now));
        if next > now && !self.server.is_blocked() {
            apic::arm(if next == u64::MAX { next } else { ticks_in(next) });
            self.net.interruptible(false, || {
                ledger::set_frames_used(memory::count().0);
                ledger::idle(self.busy);
                cpu::wait();
            });
            return self.awake_since = cpu::ticks();
        }
        self.awake_since = cpu::ticks();
        self.do_due();
    }

    /// Begins an event, or lets it wait for memory, or answers that there is none.
    fn begin(&mut self, event: Event) {
        let start = cpu::ticks();
        let ahead = self.short.front().map_or(0, |first| self.need(first));
        if self.has_memory_for(&event, ahead) {
            self.start(event);
        } else if self.short.len() < EVENTS {
            self.short.push_back(event);
        } else {
            self.turn_away(event);
        }
        ledger::add_domain_work(cpu::ticks() - start);
    }

    /// Gives an event an instance, or lets it wait for one, or answers that there is no memory.
    fn start(&mut self, event: Event) {
        match self.catalog.take(event.function) {
            Ok((instance, Purpose::Serve)) => match self.catalog.with_room(|| self.windows.response()) {
                Ok(response) => {
                    self.invocations += 1;
                    self.new.push_back(Invocation::start(event, instance, response, self.invocations));
                }
                Err(_) => {
                    self.turn_away(event);
                    self.catalog.give_back(instance);
                }
            },
            Ok((instance, Purpose::Init)) => self.initialise(event, instance),
            Err(NoInstance::Busy) => self.wait(event),
            Err(NoInstance::OutOfFrames) => self.turn_away(event),
        }
    }

    /// Whether an event can begin, so that no invocation which runs could be left without memory, nor those that have waited
    /// longer, who need `ahead` frames. What runs alone may have all there is.
    fn has_memory_for(&mut self, event: &Event, ahead: u64) -> bool {
        if self.new.is_empty() && self.long.is_empty() {
            return true;
        }
        self.promise();
        // What clients are sending needs some too.
        self.catalog.spare_frames() >= self.need(event) + ahead + self.frames / BODIES_SHARE
    }

    /// Frames that an event's invocation is promised: all that it can come to need, unless that is more than a part of
    /// memory. Beyond it, it runs at its own risk, and leaves room for others.
    fn need(&self, event: &Event) -> u64 {
        self.catalog.frames(event.function).min(self.frames / LARGEST_SHARE)
    }

    /// Counts anew what those which run may still come to need.
    fn promise(&mut self) {
        if self.new.is_empty() && self.long.is_empty() {
            return self.catalog.promise(0);
        }
        let most = self.frames / LARGEST_SHARE;
        let running = self.new.iter().chain(&self.long);
        self.catalog.promise(running.map(|invocation| invocation.promised(most)).sum());
    }

    /// Has a function initialised; the event waits for it.
    fn initialise(&mut self, event: Event, instance: Box<Instance>) {
        let windows = self.catalog.with_room(|| Ok([self.windows.request()?, self.windows.response()?]));
        match windows {
            Ok(windows) => {
                self.wait(event);
                self.new.push_back(Invocation::initialise(instance, windows));
            }
            Err(_) => {
                self.turn_away(event);
                self.catalog.initialised(instance, false);
            }
        }
    }

    /// Lets an event wait for an instance of its function.
    #[cold]
    fn wait(&mut self, event: Event) {
        self.catalog.wait(event, |source| self.server.awaits(source));
    }

    fn turn_away(&mut self, event: Event) {
        let plan = self.catalog.plan(event.function);
        self.faults += 1;
        self.report(&Outcome::Exhausted, &plan);
        self.answer(event.source, &Outcome::Exhausted, None, &plan);
        self.windows.keep_request(event.request);
    }

    /// Runs the first invocation of a line for at most the rest of its slice.
    fn run(&mut self, line: Line) {
        // Whoever waits in the other line may be owed the core before a long slice is over.
        let (queue, slice, most) = match line {
            Line::New => (&mut self.new, self.slice, self.slice),
            Line::Long if self.new.is_empty() => (&mut self.long, LONG_SLICES * self.slice, u64::MAX),
            Line::Long => (&mut self.long, LONG_SLICES * self.slice, self.slice),
        };
        let Some(invocation) = queue.front_mut() else { return };
        let mut turn = None;
        if line == Line::New && !invocation.has_slice() {
            // Most are over before an interruption would be worth its while.
            turn = Some(invocation.run(slice, self.poll, true, &mut self.catalog));
        } else {
            self.net.nic.flush();
            // Frames that are waiting go first, but only once: no flood of them keeps functions from running.
            self.net
                .interruptible(self.deferred, || turn = Some(invocation.run(slice, most, false, &mut self.catalog)));
            // Who had no turn keeps its place.
            self.deferred = turn.is_none();
        }
        let Some((turn, ran)) = turn else { return };
        self.share.book(line, ran);
        ledger::add_domain_work(ran);
        // And so does who has some of its slice left.
        if matches!(turn, Turn::Paused) && invocation.has_slice() {
            return;
        }
        let Some(invocation) = queue.pop_front() else { return };
        match turn {
            Turn::Over(end) => self.end(invocation, end),
            Turn::Paused => self.long.push_back(invocation),
        }
    }

    /// Answers first, cleans up after: the client does not wait for the reset.
    fn end(&mut self, invocation: Invocation, end: End) {
        match &end {
            End::Outcome(Outcome::Done { .. }) => {}
            End::Outcome(outcome) => {
                self.faults += 1;
                self.record(&invocation, outcome.name());
                self.report(outcome, invocation.instance.space.plan());
            }
            // Who builds an image takes what the initialisation has left.
            End::Ready if self.hold_faults => {
                self.faults += 1;
                self.record(&invocation, READY);
            }
            End::Ready => {}
        }
        let Invocation { source, mut instance, .. } = invocation;
        let function = instance.space.plan().index;
        let (request, response) = instance.domain.finish();
        match (source, &end) {
            (Some(source), End::Outcome(outcome)) => {
                self.answer(source, outcome, Some(response), instance.space.plan());
            }
            (_, end) => {
                self.windows.keep_response(response);
                self.end_waiting(function, end);
            }
        }
        let cleaning = cpu::ticks();
        self.windows.keep_request(request);
        let mut waited_for = true;
        if source.is_some() {
            instance.domain.reset(instance.space.heap_start());
            if self.verify_reset {
                instance.domain.verify();
            }
            ledger::stamp(Phase::Clean);
            waited_for = self.catalog.give_back(instance);
        } else {
            self.catalog.initialised(instance, matches!(end, End::Ready));
        }
        ledger::count_invocation();
        self.poll = self.slice / (SLICE / POLL);
        ledger::add_domain_work(cpu::ticks() - cleaning);
        if waited_for {
            self.begin_waiting(function);
        }
    }

    /// After an initialisation that failed, those who wait for the function are told what it came to.
    fn end_waiting(&mut self, function: usize, end: &End) {
        let End::Outcome(outcome) = end else { return };
        let plan = self.catalog.plan(function);
        while let Some(event) = self.catalog.next_waiting(function) {
            self.answer(event.source, outcome, None, &plan);
            self.windows.keep_request(event.request);
        }
    }

    /// An instance is free: whoever has waited longest for one gets it, and after an initialisation all who waited.
    fn begin_waiting(&mut self, function: usize) {
        while let Some(event) = self.catalog.next_free(function) {
            if !self.server.awaits(event.source) {
                continue;
            }
            // It was accepted before: it is not turned away now, however many wait.
            if self.short.is_empty() && self.has_memory_for(&event, 0) {
                self.start(event);
            } else {
                self.short.push_back(event);
            }
        }
    }

    /// Begins those that waited for memory, in order, as far as there is some.
    fn begin_short(&mut self) {
        while let Some(event) = self.short.pop_front() {
            if !self.server.awaits(event.source) {
                continue;
            }
            if !self.has_memory_for(&event, 0) {
                return self.short.push_front(event);
            }
            self.start(event);
        }
    }

    /// Tells whoever waits for an event what became of it.
    fn answer(&mut self, source: Source, outcome: &Outcome, response: Option<Window>, plan: &Plan<'_>) {
        let id = self.faults;
        let unused = self.with_server(|server, around| server.complete(source, outcome, response, plan, id, around));
        if let Some(window) = unused {
            self.windows.keep_response(window);
        }
        self.flush_if_last();
        ledger::stamp(Phase::Response);
    }

    /// Leaves a record of how an invocation ended for the host, and holds the domain until the host has looked, if it wants to.
    fn record(&self, invocation: &Invocation, name: &str) {
        let mut record = invocation.instance.domain.fault_record();
        record.id = self.faults;
        record.function = invocation.instance.space.plan().index as u64;
        record.name[..name.len()].copy_from_slice(name.as_bytes());
        record.heap_pages = u64::from(invocation.instance.space.heap_pages());
        fault::publish(&record);
        let until = cpu::ticks() + ticks_in(HELD);
        while self.hold_faults && fault::seen() < record.id && cpu::ticks() < until {
            core::hint::spin_loop();
        }
    }

    fn report(&self, outcome: &Outcome, plan: &Plan<'_>) {
        let (id, name) = (self.faults, plan.name.escape_ascii());
        match outcome {
            Outcome::Killed(fault) => {
                // The console cannot fail.
                let _ = write!(Console, "mayfly: fault {id}: {name}: {}: ", fault.name());
                let _ = fault.describe(&mut Console);
                say!("");
            }
            Outcome::Deadline => say!("mayfly: fault {id}: {name}: ran past {} ms", plan.limits.timeout_ms),
            Outcome::OutOfMemory => say!("mayfly: fault {id}: {name}: over {} pages", plan.limits.memory_pages),
            Outcome::Exhausted => say!("mayfly: fault {id}: {name}: the machine has no memory left"),
            Outcome::Done { .. } => {}
        }
    }
}
