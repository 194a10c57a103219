//! The executor: a loop over the network, the invocations that can run, and the reasons why they stop.

use crate::catalog::{Catalog, Instance, NoInstance};
use crate::http::server::Server;
use crate::hw::clock::ticks_in;
use crate::hw::console::{Console, say};
use crate::hw::window::Window;
use crate::hw::{apic, cpu, ledger, memory};
use crate::invocation::{Event, Invocation, Slice, Source};
use crate::net::Net;
use crate::windows::Windows;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::fmt::Write;
use mayfly_abi::ledger::Phase;
use mayfly_core::image::Plan;
use mayfly_core::outcome::Outcome;

/// How long one invocation runs while others wait, in nanoseconds.
const SLICE: u64 = 2_000_000;

/// Most segments of a connection that are sent between two slices.
const SEGMENTS: usize = 32;

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
    /// Invocations that can run, in the order in which they get the core.
    runnable: VecDeque<Invocation>,
    /// Frames went before the invocation whose turn it was.
    deferred: bool,
    invocations: u64,
    faults: u64,
    /// Ticks of work so far, and when the present work began.
    busy: u64,
    awake_since: u64,
}

impl Executor {
    pub(crate) fn new(catalog: Catalog, net: Net) -> Self {
        Self {
            catalog,
            net,
            server: Server::new(),
            windows: Windows::new(),
            events: VecDeque::with_capacity(EVENTS),
            runnable: VecDeque::with_capacity(EVENTS),
            deferred: false,
            invocations: 0,
            faults: 0,
            busy: 0,
            awake_since: 0,
        }
    }

    /// Serves for as long as the machine runs.
    pub(crate) fn serve(mut self) -> ! {
        self.net.transmit();
        ledger::stamp(Phase::Listening);
        loop {
            let drained = self.net.receive();
            let now = cpu::ticks();
            self.server.advance(&mut self.net, &mut self.catalog, &mut self.windows, &mut self.events, now);
            while let Some(event) = self.events.pop_front() {
                self.begin(event, now);
            }
            if !self.runnable.is_empty() {
                self.run();
            } else if drained {
                self.idle();
            } else {
                self.send_due();
            }
        }
    }

    /// Sends what is still to be sent, or waits: for an interrupt, or for the next thing that time brings.
    fn idle(&mut self) {
        let network = self.net.wake_at();
        if network <= cpu::ticks() {
            return self.net.transmit();
        }
        apic::arm(network.min(self.server.wake_at()));
        self.net.interruptible(false, || {
            self.busy += cpu::ticks() - self.awake_since;
            ledger::idle(self.busy);
            cpu::wait();
            self.awake_since = cpu::ticks();
        });
    }

    /// Gives an event an instance, or lets it wait for one, or answers that there is no memory.
    fn begin(&mut self, event: Event, now: u64) {
        let function = event.function;
        let instance = match self.catalog.take(function) {
            Ok(instance) => instance,
            Err(NoInstance::Busy) => {
                self.catalog.function(function).waiting.push_back(event);
                return;
            }
            Err(NoInstance::OutOfFrames) => return self.turn_away(event, now),
        };
        match self.catalog.with_room(|| self.windows.response()) {
            Ok(response) => {
                self.invocations += 1;
                let invocation = Invocation::start(event, instance, response, self.invocations);
                self.runnable.push_back(invocation);
            }
            Err(_) => {
                self.turn_away(event, now);
                self.give_back(function, instance, now);
            }
        }
    }

    fn turn_away(&mut self, event: Event, now: u64) {
        let plan = self.catalog.function(event.function).plan;
        self.answer(event.source, &Outcome::Exhausted, None, plan, now);
        self.windows.keep_request(event.request);
    }

    /// Runs the first invocation in line for at most the rest of its slice.
    fn run(&mut self) {
        let Some(mut invocation) = self.runnable.pop_front() else { return };
        let length = ticks_in(SLICE);
        // Frames that are waiting go first, but only once: no flood of them keeps functions from running.
        let mut slice = None;
        self.net.interruptible(self.deferred, || slice = Some(invocation.run(length, &mut self.catalog)));
        self.deferred = slice.is_none();
        match slice {
            Some(Slice::Over(outcome)) => return self.end(invocation, &outcome),
            Some(Slice::Paused { used_up: true }) => self.runnable.push_back(invocation),
            Some(Slice::Paused { used_up: false }) | None => self.runnable.push_front(invocation),
        }
        self.send_due();
    }

    /// Sends what is due, but not for ever: answers go on being sent while functions compute or frames pour in.
    fn send_due(&mut self) {
        for _ in 0..SEGMENTS {
            if self.net.wake_at() > cpu::ticks() {
                return;
            }
            self.net.transmit();
        }
    }

    /// Answers first, cleans up after: the client does not wait for the reset.
    fn end(&mut self, invocation: Invocation, outcome: &Outcome) {
        let Invocation { source, function, mut instance, .. } = invocation;
        let now = cpu::ticks();
        let (request, response) = instance.domain.finish();
        let plan = instance.space.plan();
        self.answer(source, outcome, Some(response), plan, now);
        self.windows.keep_request(request);
        instance.domain.reset();
        ledger::count_invocation();
        self.give_back(function, instance, now);
        let (used, total) = memory::count();
        ledger::set_frames(used, total);
    }

    /// Tells whoever waits for an event, and the console if it went wrong.
    fn answer(&mut self, source: Source, outcome: &Outcome, response: Option<Window>, plan: &Plan<'_>, now: u64) {
        if !matches!(outcome, Outcome::Done { .. }) {
            self.faults += 1;
            self.report(outcome, plan);
        }
        if let Some(window) = self.server.complete(source, outcome, response, plan, self.faults, now) {
            self.windows.keep_response(window);
        }
        self.server.advance(&mut self.net, &mut self.catalog, &mut self.windows, &mut self.events, now);
        self.net.transmit();
        ledger::stamp(Phase::Response);
    }

    /// An instance is free again: whoever waited longest for one gets it.
    fn give_back(&mut self, function: usize, instance: Box<Instance>, now: u64) {
        if let Some(event) = self.catalog.give_back(function, instance) {
            self.begin(event, now);
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
