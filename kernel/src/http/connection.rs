//! One HTTP connection: where it stands, and how long it may stand there. It knows bytes, and nothing of segments.

use super::incoming::{Incoming, Stop};
use super::outgoing::{Outgoing, Response};
use crate::catalog::Catalog;
use crate::hw::console::say;
use crate::hw::{heap, ledger};
use crate::invocation::{Event, Source};
use crate::windows::Windows;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem::{replace, take};
use mayfly_abi::domain::HEAD_MAX;
use mayfly_abi::ledger::Phase;
use mayfly_core::http::answer::Answer;
use mayfly_core::http::head::{self, Head};
use mayfly_core::http::pace::Pace;
use mayfly_core::http::{Method, Reject};
use mayfly_core::tcp::connection::{NEVER, WINDOW};

const SECOND: u64 = 1_000_000_000;
/// How long a client may take, in nanoseconds: until its next request,
const IDLE: u64 = 60 * SECOND;
/// for a head that has begun, for the next bytes of a body (see [`Pace`]),
const REQUEST: u64 = 10 * SECOND;
/// for the next bytes of an answer to be taken, likewise,
const READ: u64 = 30 * SECOND;
/// and to close after we did.
const LINGER: u64 = 2 * SECOND;
/// How often memory is looked for that a body did not find.
const AGAIN: u64 = SECOND / 10;
/// Bytes thrown away after a refusal, so that a client that is still sending gets to read why.
const LINGER_BYTES: usize = 4 << 20;
/// Answers that may wait for a client to take them before its next request is looked at.
const AHEAD: usize = 8;
/// Answers that there is room for from the start: mostly there is one at a time.
const ANSWERS: usize = 1;
/// Longest head that is kept for the next request to be compared with.
const KNOWN: usize = 256;

enum State {
    /// Waiting for a request, or for the rest of its head.
    Head { searched: usize },
    /// Waiting for the rest of a body. What was kept of it, for want of memory, is looked at `again`.
    Body { incoming: Incoming, pace: Pace, again: u64 },
    /// The request is being worked on.
    Running,
    /// No more will be answered; what still comes is thrown away.
    Closing { thrown: usize },
    /// To be broken off.
    Broken,
}

/// Whether so many answers wait for a client that its next request is not looked at. One is enough while the heap is nearly
/// full.
#[inline(never)]
fn are_many(answers: &VecDeque<Outgoing>) -> bool {
    answers.len() >= AHEAD || !answers.is_empty() && heap::is_nearly_full()
}

/// A head, its length, and the function that it asks for.
type Asked = (Head, usize, Option<usize>);

/// What requests are made with.
pub(crate) struct Means<'a> {
    pub(crate) catalog: &'a mut Catalog,
    pub(crate) windows: &'a mut Windows,
    /// Where complete requests go, and as whose.
    pub(crate) events: &'a mut VecDeque<Event>,
    pub(crate) source: Source,
    /// In nanoseconds.
    pub(crate) now: u64,
}

/// An HTTP connection.
pub(crate) struct Connection {
    state: State,
    /// Bytes that arrived and were not needed yet: part of a head, or what was sent ahead.
    input: Vec<u8>,
    /// Answers that the client has not taken whole, in order. Mostly one.
    outgoing: VecDeque<Outgoing>,
    /// At which it takes them.
    pace: Pace,
    /// Bytes added to them since the last time that somebody asked.
    written: u32,
    /// Of the request at hand.
    head_only: bool,
    keep_alive: bool,
    /// When its patience ends, counted from the last progress.
    deadline: u64,
    /// The last head that was not too long, and what it says. Who asks again mostly asks in the same words.
    known: Option<(Vec<u8>, Asked)>,
}

impl Connection {
    /// A connection that was just opened.
    pub(crate) fn new(now: u64) -> Self {
        Self {
            state: State::Head { searched: 0 },
            input: Vec::new(),
            outgoing: VecDeque::with_capacity(ANSWERS),
            pace: Pace::default(),
            written: 0,
            head_only: false,
            keep_alive: false,
            deadline: now + REQUEST,
            known: None,
        }
    }

    /// When [`Connection::expire`] is due, in nanoseconds.
    pub(crate) fn deadline(&self) -> u64 {
        match self.state {
            State::Running if self.outgoing.is_empty() => u64::MAX,
            State::Body { again, .. } if !self.input.is_empty() => self.deadline.min(again),
            _ => self.deadline,
        }
    }

    /// Whether all that is under way is a request that the function has.
    pub(crate) fn awaits_function(&self) -> bool {
        matches!(self.state, State::Running) & self.outgoing.is_empty()
    }

    /// Whether nothing is under way: the client could ask on another connection just as well.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.state, State::Head { .. }) && self.input.is_empty() && self.outgoing.is_empty()
    }

    /// Whether our side has nothing more to say than what was written.
    pub(crate) fn is_closing(&self) -> bool {
        matches!(self.state, State::Closing { .. })
    }

    /// Whether it is to be broken off.
    pub(crate) fn is_broken(&self) -> bool {
        matches!(self.state, State::Broken)
    }

    /// Bytes that it takes, should they come.
    pub(crate) fn room(&self) -> u32 {
        match self.state {
            State::Closing { .. } | State::Broken => WINDOW,
            _ => WINDOW - self.input.len() as u32,
        }
    }

    /// Bytes written since the last call.
    pub(crate) fn take_written(&mut self) -> u32 {
        take(&mut self.written)
    }

    /// Copies bytes of its answers, from `offset` behind the first that the client does not have.
    pub(crate) fn read(&self, mut offset: usize, out: &mut [u8]) {
        let (mut done, mut at) = (0, 0);
        while let Some(answer) = self.outgoing.get(at) {
            at += 1;
            if offset >= answer.len() {
                offset -= answer.len();
                continue;
            }
            done += answer.read(offset, &mut out[done..]);
            offset = 0;
            if done == out.len() {
                return;
            }
        }
    }

    /// The client has `len` more bytes of its answers.
    pub(crate) fn acknowledged(&mut self, len: u32, means: &mut Means<'_>) {
        self.pace.deadline(len.into(), means.now);
        let mut len = len as usize;
        while len > 0
            && let Some(first) = self.outgoing.front_mut()
        {
            let now = len.min(first.len());
            first.advance(now);
            len -= now;
            if first.len() == 0 {
                self.drop_first(means.windows);
            }
        }
        self.wait(means.now);
    }

    /// Takes bytes that have arrived, as many as it can: how many. A request that is complete becomes an event.
    #[inline]
    pub(crate) fn receive(&mut self, data: &[u8], means: &mut Means<'_>) -> usize {
        ledger::stamp(Phase::Bytes);
        if self.input.is_empty() {
            let used = self.process(data, means);
            return if used == data.len() { used } else { used + self.keep(&data[used..]) };
        }
        let kept = self.keep(data);
        self.resume(means);
        kept
    }

    /// Whether there are bytes that were kept.
    pub(crate) fn has_kept(&self) -> bool {
        !self.input.is_empty()
    }

    /// Goes on with what was kept.
    pub(crate) fn resume(&mut self, means: &mut Means<'_>) {
        let mut input = take(&mut self.input);
        let used = self.process(&input, means);
        if used < input.len() {
            input.drain(..used);
            self.input = input;
        }
    }

    /// The client has said that it will send no more: whatever is not whole stays so.
    pub(crate) fn end_of_input(&mut self, means: &mut Means<'_>) {
        match self.state {
            State::Head { .. } if !are_many(&self.outgoing) => self.close(means.now),
            // What is here of it may be all, and only wait for memory.
            State::Body { .. } if self.input.is_empty() => {
                self.refuse(Stop::Reject(Reject::bad("the body ended before its length")), means);
            }
            _ => {}
        }
    }

    /// Keeps bytes for later: how many.
    fn keep(&mut self, data: &[u8]) -> usize {
        if data.is_empty() || heap::is_nearly_full() {
            return 0;
        }
        let most = if heap::is_crowded() { HEAD_MAX } else { u64::from(WINDOW) } as usize;
        let len = data.len().min(most.saturating_sub(self.input.len()));
        if len == 0 || self.input.try_reserve(len).is_err() {
            return 0;
        }
        self.input.extend_from_slice(&data[..len]);
        len
    }

    /// Goes as far as `bytes` allow, at most to a request that is complete: how many it is done with.
    fn process(&mut self, bytes: &[u8], means: &mut Means<'_>) -> usize {
        let mut at = 0;
        loop {
            let rest = &bytes[at..];
            match &mut self.state {
                State::Head { searched } => {
                    if rest.is_empty() || !self.outgoing.is_empty() && are_many(&self.outgoing) {
                        return at;
                    }
                    let known = *searched;
                    if known == 0 && self.outgoing.is_empty() {
                        self.deadline = means.now + REQUEST;
                    }
                    match self.parse(rest, known, means.catalog) {
                        Ok(Some((head, len, function))) => {
                            at += len;
                            self.head_only = head.method == Method::Head;
                            self.keep_alive = head.keep_alive;
                            match Incoming::open(function, &head, &rest[..len], means.catalog, means.windows) {
                                Ok(incoming) if incoming.is_whole() => {
                                    self.run(incoming, means);
                                    return at;
                                }
                                Ok(incoming) => {
                                    if incoming.awaits_leave() && rest.len() == len {
                                        self.send(Outgoing::leave(), means.now);
                                    }
                                    self.state =
                                        State::Body { incoming, pace: Pace::new(REQUEST, means.now), again: NEVER };
                                }
                                Err(stop) => self.refuse(stop, means),
                            }
                        }
                        Ok(None) => {
                            self.state = State::Head { searched: rest.len() };
                            return at;
                        }
                        Err(reject) => self.refuse_head(reject, means),
                    }
                }
                State::Body { .. } => match self.process_body(rest, means) {
                    Ok(used) => return at + used,
                    Err(stop) => self.refuse(stop, means),
                },
                State::Closing { thrown } => {
                    *thrown += rest.len();
                    if *thrown > LINGER_BYTES {
                        self.state = State::Broken;
                    }
                    return bytes.len();
                }
                State::Running => return at,
                State::Broken => return bytes.len(),
            }
        }
    }

    /// Goes as far as `bytes` allow in the body that is waited for: how many it is done with.
    // Kept apart: inlined, it makes requests without a body longer.
    #[inline(never)]
    fn process_body(&mut self, bytes: &[u8], means: &mut Means<'_>) -> Result<usize, Stop> {
        let State::Body { incoming, pace, again } = &mut self.state else { return Ok(0) };
        let (used, whole) = incoming.receive(bytes, means.catalog)?;
        *again = if incoming.short_of_memory() { means.now + AGAIN } else { NEVER };
        if used > 0 {
            self.deadline = pace.deadline(used as u64, means.now);
            if !self.outgoing.is_empty() {
                self.deadline = self.deadline.min(self.pace.deadline(0, means.now));
            }
        }
        if whole && let State::Body { incoming, .. } = replace(&mut self.state, State::Running) {
            self.run(incoming, means);
        }
        Ok(used)
    }

    /// Refuses what is no request. Nobody knows its method: that of the request before says nothing about it.
    #[cold]
    fn refuse_head(&mut self, reject: Reject, means: &mut Means<'_>) {
        self.head_only = false;
        self.refuse(Stop::Reject(reject), means);
    }

    /// The head at the start of `input`, its length, and the function that it asks for: [`head::parse`], unless it is known.
    #[inline]
    fn parse(&mut self, input: &[u8], searched: usize, catalog: &Catalog) -> Result<Option<Asked>, Reject> {
        if let Some((bytes, asked)) = &self.known
            && input.starts_with(bytes)
        {
            return Ok(Some(*asked));
        }
        let Some((head, len)) = head::parse(input, searched)? else { return Ok(None) };
        let asked = (head, len, catalog.find(head.route.of(input)));
        if len <= KNOWN && !heap::is_crowded() {
            self.known = Some((input[..len].to_vec(), asked));
        }
        Ok(Some(asked))
    }

    /// Has a request run that is whole.
    #[inline(always)]
    fn run(&mut self, incoming: Incoming, means: &mut Means<'_>) {
        ledger::stamp(Phase::Request);
        self.state = State::Running;
        means.events.push_back(incoming.finish(means.source));
    }

    /// Answers the request that was run with the function's response.
    pub(crate) fn respond(&mut self, response: Response, now: u64) {
        let response = Outgoing::response(response, self.head_only, self.keep_alive);
        self.reply(response, now);
    }

    /// Answers the request at hand in the kernel's own words. Without `keep_alive` the connection ends after it.
    pub(crate) fn answer(&mut self, answer: &Answer<'_>, keep_alive: bool, now: u64) {
        self.keep_alive &= keep_alive;
        let answer = Outgoing::answer(answer, self.head_only, self.keep_alive).unwrap_or_else(|| {
            self.keep_alive = false;
            Outgoing::full()
        });
        self.reply(answer, now);
    }

    /// Sends the answer to the request at hand; then comes the next one, or the end.
    #[inline]
    fn reply(&mut self, answer: Outgoing, now: u64) {
        self.send(answer, now);
        if self.keep_alive {
            self.state = State::Head { searched: 0 };
            self.wait(now);
        } else {
            self.close(now);
        }
    }

    fn send(&mut self, answer: Outgoing, now: u64) {
        if self.outgoing.is_empty() {
            self.pace = Pace::new(READ, now);
        }
        self.written += answer.len() as u32;
        self.outgoing.push_back(answer);
    }

    #[cold]
    fn refuse(&mut self, stop: Stop, means: &Means<'_>) {
        let now = means.now;
        match stop {
            Stop::Reject(reject) => self.answer(&Answer::Rejected(reject), false, now),
            Stop::NotFound { keep_alive } => self.answer(&Answer::NotFound(&means.catalog.image), keep_alive, now),
            Stop::TooLarge(limit) => self.answer(&Answer::TooLarge { limit }, false, now),
            Stop::Full => self.answer(&Answer::Full, false, now),
            Stop::Damaged(error) => {
                say!("mayfly: {error}");
                self.answer(&Answer::Broke { function: b"this function", fault: "damaged-record", id: 0 }, false, now);
            }
        }
    }

    /// If its patience has ended: closes it in order, or says why, or breaks it off.
    pub(crate) fn expire(&mut self, now: u64) {
        if now < self.deadline {
            return;
        }
        if !self.outgoing.is_empty() {
            self.state = State::Broken;
            return;
        }
        match &self.state {
            State::Head { .. } if self.input.is_empty() => self.close(now),
            State::Head { .. } => {
                self.head_only = false;
                self.answer(&Answer::TooSlow, false, now);
            }
            State::Body { incoming, .. } if incoming.short_of_memory() => self.answer(&Answer::Full, false, now),
            State::Body { .. } => self.answer(&Answer::TooSlow, false, now),
            State::Closing { .. } => self.state = State::Broken,
            State::Running | State::Broken => {}
        }
    }

    /// Says anew how long the client may take for what it has to do next: first of all, to take its answers.
    fn wait(&mut self, now: u64) {
        self.deadline = match &mut self.state {
            _ if !self.outgoing.is_empty() => self.pace.deadline(0, now),
            State::Head { .. } => now + if self.input.is_empty() { IDLE } else { REQUEST },
            State::Closing { .. } => now + LINGER,
            State::Body { pace, .. } => pace.deadline(0, now),
            _ => return,
        };
    }

    fn close(&mut self, now: u64) {
        self.input = Vec::new();
        self.state = State::Closing { thrown: 0 };
        self.wait(now);
    }

    fn drop_first(&mut self, windows: &mut Windows) {
        if let Some(window) = self.outgoing.pop_front().and_then(Outgoing::into_window) {
            windows.keep_response(window);
        }
    }

    /// Gives back what it still holds.
    pub(crate) fn drop_answers(&mut self, windows: &mut Windows) {
        while !self.outgoing.is_empty() {
            self.drop_first(windows);
        }
    }
}
