//! All connections: which segment and which event belongs to which, and when each is due.

use super::connection::{Connection, Means};
use super::outgoing::Response;
use crate::catalog::Catalog;
use crate::hw::clock::nanos;
use crate::hw::window::Window;
use crate::hw::{heap, ledger, random};
use crate::invocation::{Event, Source};
use crate::net::{Net, PORT};
use crate::windows::Windows;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use mayfly_abi::ledger::Phase;
use mayfly_core::at_once::at_once;
use mayfly_core::http::answer::Answer;
use mayfly_core::image::Plan;
use mayfly_core::outcome::Outcome;
use mayfly_core::tcp::connection::WINDOW;
use mayfly_core::tcp::handshake::{Ending, Handshakes};
use mayfly_core::tcp::reassembly::{Reassemblies, Reassembly};
use mayfly_core::tcp::table::Table;
use mayfly_core::tcp::wheel::Wheel;
use mayfly_core::tcp::{Connection as Tcp, Flags, Frame, Header, Remote, Segment, Seq, State};

/// Frames taken from the card in one round, so that others get their turn.
const ROUND: usize = 64;
/// There is one connection for so many page frames of the machine, at most.
const FRAMES_EACH: u64 = 4;
/// And buffers for what arrives early, one for so many.
const FRAMES_EACH_EARLY: u64 = 2048;
/// Connections that there is room for from the start; more are welcome.
const OPEN: usize = 64;
/// Connections that are looked at when one is to make room for a new one.
const LOOKED_AT: usize = 32;

/// A connection, by both its halves.
struct Open {
    /// Never used twice, so that a late outcome cannot reach the next connection in this place.
    source: Source,
    tcp: Tcp,
    http: Connection,
    /// What arrived before what comes before it.
    early: Option<Box<Reassembly>>,
    /// Bytes that TCP was told to take.
    room: u32,
    /// It waits for the card to have room for more.
    blocked: bool,
    /// Its timer is yet to be set.
    untimed: bool,
}

/// The connections.
pub(crate) struct Server {
    table: Table,
    handshakes: Handshakes,
    wheel: Wheel,
    early: Reassemblies,
    open: Vec<Option<Box<Open>>>,
    /// Places in `open` that are empty.
    free: Vec<u16>,
    opened: u64,
    blocked: VecDeque<u16>,
    /// Those whose timers are yet to be set: most requests are answered before that.
    untimed: Vec<u16>,
    /// Where the next look for a connection that could go begins.
    hand: usize,
}

/// What the server works with, beside its connections.
pub(crate) struct Around<'a> {
    pub(crate) net: &'a mut Net,
    pub(crate) catalog: &'a mut Catalog,
    pub(crate) windows: &'a mut Windows,
    /// Where complete requests go.
    pub(crate) events: &'a mut VecDeque<Event>,
}

impl Around<'_> {
    fn means(&mut self, source: Source, now: u64) -> Means<'_> {
        Means { catalog: self.catalog, windows: self.windows, events: self.events, source, now }
    }
}

impl Open {
    /// Sends what may be sent. False if the card has no room for more.
    fn transmit(&mut self, net: &mut Net, now: u64) -> bool {
        while self.tcp.may_transmit() {
            if !net.nic.is_ready() {
                return false;
            }
            let Some(segment) = self.tcp.transmit(net.local(), now) else { break };
            let http = &self.http;
            net.send(&segment.header, segment.len as usize, &|out| http.read(segment.offset as usize, out));
        }
        true
    }
}

impl Server {
    /// For a machine with so many page frames.
    pub(crate) fn new(frames: u64) -> Self {
        Self {
            table: Table::new((frames / FRAMES_EACH) as usize, random::word()),
            handshakes: Handshakes::new([random::word(), random::word()]),
            wheel: Wheel::default(),
            early: Reassemblies::new((frames / FRAMES_EACH_EARLY) as usize),
            open: Vec::with_capacity(OPEN),
            free: Vec::new(),
            opened: 0,
            blocked: VecDeque::new(),
            untimed: Vec::with_capacity(OPEN),
            hand: 0,
        }
    }

    /// Takes what the card received, at most a round. Whether there was nothing.
    pub(crate) fn receive(&mut self, around: &mut Around<'_>) -> bool {
        around.net.nic.acknowledge();
        let mut now = 0;
        for taken in 0..ROUND {
            let Some(frame) = around.net.nic.receive() else { return taken == 0 };
            if taken == 0 {
                now = nanos();
            }
            match around.net.parse(&frame) {
                Frame::Tcp(segment) => self.segment(&segment, around, now),
                Frame::Other => around.net.control(Some(&frame)),
                Frame::Broken => {}
            }
            around.net.nic.give_back(frame);
        }
        false
    }

    /// Does what time has brought up to `now`, in nanoseconds.
    pub(crate) fn tick(&mut self, around: &mut Around<'_>, now: u64) {
        while let Some(number) = self.wheel.due(now) {
            let Some(open) = &mut self.open[usize::from(number)] else { continue };
            if open.tcp.wake_at() <= now {
                open.tcp.tick(now);
            }
            if open.http.deadline() <= now {
                open.http.expire(now);
            }
            self.settle(number, around, now);
        }
    }

    /// Sets the timers of those connections that something has happened to, and says when [`Server::tick`] is due next.
    #[inline]
    pub(crate) fn wake_at(&mut self) -> u64 {
        if !self.untimed.is_empty() {
            self.set_timers();
        }
        self.wheel.next()
    }

    fn set_timers(&mut self) {
        while let Some(number) = self.untimed.pop() {
            if let Some(open) = &mut self.open[usize::from(number)] {
                open.untimed = false;
                self.wheel.set(number, open.tcp.wake_at().min(open.http.deadline()));
            }
        }
    }

    /// Whether connections wait for the card.
    pub(crate) fn is_blocked(&self) -> bool {
        !self.blocked.is_empty()
    }

    /// Goes on with connections that waited for the card, as far as it has room.
    pub(crate) fn unblock(&mut self, around: &mut Around<'_>) {
        while let Some(&number) = self.blocked.front() {
            if !around.net.nic.is_ready() {
                return;
            }
            self.blocked.pop_front();
            if let Some(open) = &mut self.open[usize::from(number)] {
                open.blocked = false;
                self.settle(number, around, nanos());
            }
        }
    }

    fn segment(&mut self, segment: &Segment<'_>, around: &mut Around<'_>, now: u64) {
        let known = if segment.port == PORT { self.table.find(segment.remote) } else { None };
        let Some(number) = known else { return self.stranger(segment, None, around, now) };
        let Some(open) = &mut self.open[usize::from(number)] else { return };
        if let Some(used) = open.tcp.gives_way_to(segment) {
            self.forget(number, around.windows);
            return self.stranger(segment, Some(used), around, now);
        }
        let received = open.tcp.receive(segment, now);
        let mut means = around.means(open.source, now);
        if received.acked > 0 {
            open.http.acknowledged(received.acked, &mut means);
        }
        let Open { tcp, http, early, .. } = &mut **open;
        self.early.sort(early, &received, |bytes| {
            let taken = http.receive(bytes, &mut means) as u32;
            tcp.took(taken, now);
            taken
        });
        self.settle(number, around, now);
    }

    /// Takes a segment that belongs to no connection. `used`: see [`Handshakes::answer`].
    fn stranger(&mut self, segment: &Segment<'_>, used: Option<Seq>, around: &mut Around<'_>, now: u64) {
        let Segment { flags, .. } = *segment;
        if flags.has(Flags::RST) {
            return;
        }
        let is_ours = segment.port == PORT;
        if at_once(is_ours & flags.has(Flags::SYN) & !flags.has(Flags::ACK)) {
            ledger::stamp(Phase::Syn);
            let answer = self.handshakes.answer(segment, used, now);
            around.net.send(&answer, 0, &|_| {});
            return;
        }
        if at_once(is_ours & flags.has(Flags::ACK) & !flags.has(Flags::SYN)) {
            let has_room = self.table.has_room_for(segment.remote.address) && !heap::is_full();
            let victim = if has_room { None } else { self.victim(segment.remote, now) };
            if !has_room && victim.is_none() {
                // As good as lost: the client comes again.
                return;
            }
            let ending = self.handshakes.finish(segment, now);
            if let Ending::Early = ending {
                return;
            }
            if let Ending::Open(opening) = ending {
                if let Some(victim) = victim {
                    self.end(victim, around, now);
                }
                self.opened += 1;
                let free = self.free.pop();
                let number = free.unwrap_or(self.open.len() as u16);
                self.table.insert(segment.remote, number);
                let open = Some(Box::new(Open {
                    source: Source(self.opened << 16 | u64::from(number)),
                    tcp: Tcp::new(&opening, segment.window, now),
                    http: Connection::new(now),
                    early: None,
                    room: WINDOW,
                    blocked: false,
                    untimed: false,
                }));
                match free {
                    Some(place) => self.open[usize::from(place)] = open,
                    None => self.open.push(open),
                }
                ledger::set_connections(self.table.len() as u64);
                return self.segment(segment, around, now);
            }
        }
        around.net.send(&Header::reset(segment), 0, &|_| {});
    }

    /// A connection that only waits, and can go for a new one with `remote`. Whoever has its share makes room itself.
    fn victim(&mut self, remote: Remote, now: u64) -> Option<u16> {
        let has_share = self.table.has_share(remote.address);
        for _ in 0..LOOKED_AT.min(self.open.len()) {
            self.hand = (self.hand + 1) % self.open.len();
            let Some(open) = &self.open[self.hand] else { continue };
            let waits = open.tcp.state() == State::TimeWait || open.http.is_idle() && open.tcp.is_quiet(now);
            if waits && (!has_share || open.tcp.remote().address == remote.address) {
                return Some(self.hand as u16);
            }
        }
        None
    }

    /// Ends a connection that only waits: its client finds it closed in order, and nothing is known of it any more.
    fn end(&mut self, number: u16, around: &mut Around<'_>, now: u64) {
        if let Some(open) = &mut self.open[usize::from(number)] {
            open.tcp.close();
        }
        self.settle(number, around, now);
        self.forget(number, around.windows);
    }

    /// Does for a connection what can be done now: its next request, what is to be sent, its timer, its end.
    fn settle(&mut self, number: u16, around: &mut Around<'_>, now: u64) {
        let Some(open) = &mut self.open[usize::from(number)] else { return };
        if !open.untimed {
            open.untimed = true;
            self.untimed.push(number);
        }
        if open.http.awaits_function() && !open.tcp.may_transmit() && open.tcp.state() == State::Open {
            return;
        }
        if open.http.has_kept() {
            open.http.resume(&mut around.means(open.source, now));
        }
        if open.tcp.peer_closed() {
            open.http.end_of_input(&mut around.means(open.source, now));
        }
        open.tcp.write(open.http.take_written());
        if open.http.is_closing() {
            open.tcp.close();
        } else if open.http.is_broken() {
            open.tcp.abort();
        }
        let room = open.http.room();
        if room != open.room {
            open.room = room;
            open.tcp.set_room(room);
        }
        if !open.blocked && !open.transmit(around.net, now) {
            open.blocked = true;
            self.blocked.push_back(number);
        }
        if open.tcp.state() == State::Closed && !open.blocked {
            self.forget(number, around.windows);
        }
    }

    /// Forgets a connection.
    fn forget(&mut self, number: u16, windows: &mut Windows) {
        let Some(mut open) = self.open[usize::from(number)].take() else { return };
        open.http.drop_answers(windows);
        if let Some(early) = open.early {
            self.early.give_back(early);
        }
        if open.blocked {
            self.blocked.retain(|other| *other != number);
        }
        self.table.remove(open.tcp.remote());
        self.wheel.unset(number);
        self.free.push(number);
        ledger::set_connections(self.table.len() as u64);
    }

    /// Whether the client is still there that waits for an event's outcome.
    pub(crate) fn awaits(&self, event: Source) -> bool {
        let open = self.open.get(usize::from(event.0 as u16)).and_then(Option::as_ref);
        open.is_some_and(|open| open.source == event)
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
        around: &mut Around<'_>,
    ) -> Option<Window> {
        let (number, now) = (event.0 as u16, nanos());
        let open = self.open.get_mut(usize::from(number)).and_then(Option::as_mut);
        let Some(open) = open.filter(|open| open.source == event) else { return response };
        let function = plan.name;
        let answer = match *outcome {
            Outcome::Done { status, headers_len, body_len } => {
                let Some(window) = response else { panic!("a response came without its window") };
                open.http.respond(Response { status, headers_len, body_len, window }, now);
                self.settle(number, around, now);
                return None;
            }
            Outcome::Killed(fault) => Answer::Broke { function, fault: fault.name(), id },
            Outcome::Deadline => Answer::RanOut { function, limit_ms: plan.limits.timeout_ms, id },
            Outcome::OutOfMemory => Answer::OutOfMemory { function, limit_pages: plan.limits.memory_pages, id },
            Outcome::Exhausted => Answer::Full,
        };
        open.http.answer(&answer, true, now);
        self.settle(number, around, now);
        response
    }
}
