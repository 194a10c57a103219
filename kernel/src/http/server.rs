//! All HTTP connections: which event belongs to which, and what each outcome means for a client.

use super::connection::{Connection, Wants};
use super::outgoing::Response;
use crate::catalog::Catalog;
use crate::hw::ledger;
use crate::hw::window::Window;
use crate::invocation::{Event, Source};
use crate::net::Net;
use crate::windows::Windows;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use mayfly_abi::ledger::Phase;
use mayfly_core::http::answer::Answer;
use mayfly_core::image::Plan;
use mayfly_core::outcome::Outcome;
use smoltcp::iface::SocketHandle;

/// A connection and its socket.
struct Open {
    /// Never used twice, so that a late outcome cannot reach the next connection in this place.
    number: u64,
    handle: SocketHandle,
    connection: Connection,
}

/// The connections.
pub(crate) struct Server {
    open: Vec<Open>,
    opened: u64,
}

impl Server {
    pub(crate) const fn new() -> Self {
        Self { open: Vec::new(), opened: 0 }
    }

    /// Takes every connection as far as it goes; complete requests become events.
    pub(crate) fn advance(
        &mut self,
        net: &mut Net,
        catalog: &mut Catalog,
        windows: &mut Windows,
        events: &mut VecDeque<Event>,
        now: u64,
    ) {
        while let Some(handle) = net.accept() {
            self.open.push(Open { number: self.opened, handle, connection: Connection::new(now) });
            self.opened += 1;
            ledger::set_connections(self.open.len() as u64);
        }
        let hurried = net.is_full();
        let mut at = 0;
        while let Some(open) = self.open.get_mut(at) {
            match open.connection.step(net.socket(open.handle), catalog, windows, now, hurried) {
                Wants::Nothing => at += 1,
                Wants::Run(function, request, request_len) => {
                    ledger::stamp(Phase::Request);
                    events.push_back(Event { source: Source(open.number), function, request, request_len });
                    at += 1;
                }
                Wants::Release => {
                    net.release(open.handle);
                    self.open.swap_remove(at);
                    ledger::set_connections(self.open.len() as u64);
                }
            }
        }
    }

    /// Tells the client what became of its request. `id` is the number under which the console has more. Returns the
    /// response window if it is not needed to answer.
    pub(crate) fn complete(
        &mut self,
        event: Source,
        outcome: &Outcome,
        response: Option<Window>,
        plan: &Plan<'_>,
        id: u64,
        now: u64,
    ) -> Option<Window> {
        let Some(open) = self.open.iter_mut().find(|open| open.number == event.0) else { return response };
        let function = plan.name;
        let answer = match *outcome {
            Outcome::Done { status, headers_len, body_len } => {
                let Some(window) = response else { panic!("a response came without its window") };
                open.connection.respond(Response { status, headers_len, body_len, window }, now);
                return None;
            }
            Outcome::Killed(fault) => Answer::Broke { function, fault: fault.name(), id },
            Outcome::Deadline => Answer::RanOut { function, limit_ms: plan.limits.timeout_ms, id },
            Outcome::OutOfMemory => Answer::OutOfMemory { function, limit_pages: plan.limits.memory_pages, id },
            Outcome::Exhausted => Answer::Full,
        };
        open.connection.answer(&answer, true, now);
        response
    }

    /// When a connection next loses its patience, in ticks.
    pub(crate) fn wake_at(&self) -> u64 {
        self.open.iter().map(|open| open.connection.deadline()).min().unwrap_or(u64::MAX)
    }
}
