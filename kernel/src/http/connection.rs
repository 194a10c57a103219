//! One HTTP connection: where it stands, and how long it may stand there.

use super::incoming::{Incoming, Stop};
use super::outgoing::{Outgoing, Response};
use crate::catalog::Catalog;
use crate::hw::clock::ticks_in_seconds;
use crate::hw::console::say;
use crate::hw::window::Window;
use crate::windows::Windows;
use alloc::vec::Vec;
use core::mem::{replace, take};
use mayfly_abi::domain::HEAD_MAX;
use mayfly_core::http::answer::Answer;
use mayfly_core::http::response::CONTINUE;
use mayfly_core::http::{Method, Reject, head};
use smoltcp::socket::tcp;

/// How long a client may take, in seconds: until its next request,
const IDLE: u64 = 60;
/// for a head that has begun, for the next bytes of a body,
const REQUEST: u64 = 10;
/// for the next bytes of an answer to be taken,
const READ: u64 = 30;
/// for a handshake while sockets are short,
const HANDSHAKE: u64 = 1;
/// and to close after we did.
const LINGER: u64 = 2;
/// Bytes thrown away after a refusal, so that a client that is still sending gets to read why.
const LINGER_BYTES: usize = 4 << 20;

/// Bytes of the buffer that is kept for the next response's head.
const SPARE_MAX: usize = 2 << 10;

enum State {
    /// Waiting for a request, or for the rest of its head.
    Head { searched: usize },
    /// Waiting for the rest of a body.
    Body(Incoming),
    /// The request is being worked on.
    Running,
    /// An answer is on its way.
    Sending(Outgoing),
    /// Our side is closed; what still comes is thrown away.
    Closing { thrown: usize },
}

/// What a connection wants after a step.
pub(crate) enum Wants {
    /// Nothing until bytes come or go, or time passes.
    Nothing,
    /// Its request to be run: the function, the request's window, and the bytes in it.
    Run(usize, Window, u64),
    /// To be forgotten: it is closed on both sides.
    Release,
}

/// An HTTP connection without its socket.
pub(crate) struct Connection {
    state: State,
    /// Bytes that arrived and were not needed yet: part of a head, or what was sent ahead.
    input: Vec<u8>,
    /// For the head of the next response, so that none is allocated for each.
    spare: Vec<u8>,
    /// Of the request at hand.
    head_only: bool,
    keep_alive: bool,
    /// When its patience ends, in ticks, counted from the last progress.
    deadline: u64,
    progress: usize,
}

impl Connection {
    /// A connection that was just opened.
    pub(crate) fn new(now: u64) -> Self {
        Self {
            state: State::Head { searched: 0 },
            input: Vec::new(),
            spare: Vec::new(),
            head_only: false,
            keep_alive: false,
            deadline: now + ticks_in_seconds(REQUEST),
            progress: 0,
        }
    }

    /// When [`Connection::step`] must be called though nothing happened, in ticks.
    pub(crate) fn deadline(&self) -> u64 {
        if matches!(self.state, State::Running) { u64::MAX } else { self.deadline }
    }

    /// Goes as far as the bytes at hand allow. If `hurried`, a connection that only waits for late packets ends now.
    pub(crate) fn step(
        &mut self,
        socket: &mut tcp::Socket<'static>,
        catalog: &mut Catalog,
        windows: &mut Windows,
        now: u64,
        hurried: bool,
    ) -> Wants {
        if matches!(self.state, State::Running) {
            return Wants::Nothing;
        }
        match socket.state() {
            // The handshake is not over. It does not have as long if others need the socket.
            tcp::State::SynReceived => {
                let spared = if hurried { ticks_in_seconds(REQUEST - HANDSHAKE) } else { 0 };
                if now.saturating_add(spared) >= self.deadline {
                    socket.abort();
                }
                return Wants::Nothing;
            }
            // Its last segment, a reset, is yet to be sent.
            tcp::State::Closed if socket.remote_endpoint().is_some() => return Wants::Nothing,
            // It was broken off, before or after it was complete.
            tcp::State::Listen | tcp::State::Closed => {
                self.drop_answer(windows);
                return Wants::Release;
            }
            _ => {}
        }
        loop {
            match &mut self.state {
                State::Head { searched } => {
                    let fresh = self.input.is_empty();
                    receive_head(&mut self.input, socket);
                    if self.input.is_empty() {
                        if !socket.may_recv() || now >= self.deadline {
                            self.close(socket, now);
                        }
                        return Wants::Nothing;
                    }
                    if fresh {
                        self.deadline = now + ticks_in_seconds(REQUEST);
                    }
                    self.head_only = false;
                    match head::parse(&self.input, *searched) {
                        Ok(Some((head, len))) => {
                            self.head_only = head.method == Method::Head;
                            self.keep_alive = head.keep_alive;
                            let opened = Incoming::open(head, &self.input[..len], catalog, windows);
                            self.input.drain(..len);
                            match opened {
                                Ok(incoming) => {
                                    // Whole or not at all: a client that still has answers to read will not wait.
                                    let room = socket.send_capacity() - socket.send_queue();
                                    if incoming.awaits_leave() && self.input.is_empty() && room >= CONTINUE.len() {
                                        let _ = socket.send_slice(CONTINUE);
                                    }
                                    self.state = State::Body(incoming);
                                    self.wait(now, REQUEST, 0);
                                }
                                Err(stop) => self.refuse(stop, catalog, now),
                            }
                        }
                        Ok(None) if !socket.may_recv() => self.close(socket, now),
                        Ok(None) if now >= self.deadline => self.answer(&Answer::TooSlow, false, now),
                        Ok(None) => {
                            *searched = self.input.len();
                            return Wants::Nothing;
                        }
                        Err(reject) => self.refuse(Stop::Reject(reject), catalog, now),
                    }
                }
                State::Body(incoming) => match incoming.receive(&mut self.input, socket, catalog) {
                    Ok(true) => {
                        let State::Body(incoming) = replace(&mut self.state, State::Running) else {
                            panic!("the state changed under its match");
                        };
                        let function = incoming.function;
                        match incoming.finish() {
                            Ok((window, len)) => return Wants::Run(function, window, len),
                            Err(full) => self.refuse(full.into(), catalog, now),
                        }
                    }
                    Ok(false) if !socket.may_recv() => {
                        let short = Reject::bad("the body ended before its length");
                        self.refuse(Stop::Reject(short), catalog, now);
                    }
                    Ok(false) => {
                        let progress = incoming.progress();
                        if progress != self.progress {
                            self.wait(now, REQUEST, progress);
                        } else if now >= self.deadline {
                            let answer = if incoming.short_of_memory() { Answer::Full } else { Answer::TooSlow };
                            self.answer(&answer, false, now);
                            continue;
                        }
                        return Wants::Nothing;
                    }
                    Err(stop) => self.refuse(stop, catalog, now),
                },
                State::Sending(outgoing) => {
                    if !outgoing.send(socket) {
                        let progress = outgoing.progress();
                        if progress != self.progress {
                            self.wait(now, READ, progress);
                        } else if now >= self.deadline {
                            socket.abort();
                        }
                        return Wants::Nothing;
                    }
                    self.drop_answer(windows);
                    if self.keep_alive {
                        self.state = State::Head { searched: 0 };
                        self.wait(now, if self.input.is_empty() { IDLE } else { REQUEST }, 0);
                    } else {
                        self.close(socket, now);
                    }
                }
                State::Closing { thrown } => {
                    while *thrown < LINGER_BYTES && socket.can_recv() {
                        *thrown += socket.recv(|bytes| (bytes.len(), bytes.len())).unwrap_or(LINGER_BYTES);
                    }
                    let too_much = *thrown >= LINGER_BYTES;
                    // What the client has not taken yet is sent before its time to close begins.
                    let left = socket.send_queue();
                    if left != self.progress {
                        self.wait(now, if left > 0 { READ } else { LINGER }, left);
                    }
                    // A client that closed too has read everything: what is left is the wait for late packets.
                    if socket.state() == tcp::State::TimeWait && (hurried || now >= self.deadline) {
                        return Wants::Release;
                    }
                    if now >= self.deadline || too_much {
                        socket.abort();
                    }
                    return Wants::Nothing;
                }
                State::Running => return Wants::Nothing,
            }
        }
    }

    /// Answers the request that was run with the function's response.
    pub(crate) fn respond(&mut self, response: Response, now: u64) {
        let spare = take(&mut self.spare);
        self.state = State::Sending(Outgoing::response(response, spare, self.head_only, self.keep_alive));
        self.wait(now, READ, 0);
    }

    /// Answers the request at hand in the kernel's own words. Without `keep_alive` the connection ends after it.
    pub(crate) fn answer(&mut self, answer: &Answer<'_>, keep_alive: bool, now: u64) {
        self.keep_alive &= keep_alive;
        self.state = State::Sending(Outgoing::answer(answer, self.head_only, self.keep_alive));
        self.wait(now, READ, 0);
    }

    fn refuse(&mut self, stop: Stop, catalog: &Catalog, now: u64) {
        match stop {
            Stop::Reject(reject) => self.answer(&Answer::Rejected(reject), false, now),
            Stop::NotFound { keep_alive } => self.answer(&Answer::NotFound(&catalog.image), keep_alive, now),
            Stop::TooLarge(limit) => self.answer(&Answer::TooLarge { limit }, false, now),
            Stop::Full => self.answer(&Answer::Full, false, now),
            Stop::Damaged(error) => {
                say!("mayfly: {error}");
                self.answer(&Answer::Broke { function: b"this function", fault: "damaged-record", id: 0 }, false, now);
            }
        }
    }

    fn wait(&mut self, now: u64, seconds: u64, progress: usize) {
        self.deadline = now + ticks_in_seconds(seconds);
        self.progress = progress;
    }

    fn close(&mut self, socket: &mut tcp::Socket<'static>, now: u64) {
        socket.close();
        self.state = State::Closing { thrown: 0 };
        let left = socket.send_queue();
        self.wait(now, if left > 0 { READ } else { LINGER }, left);
    }

    /// Gives back what an answer was made of that is sent, or will never be.
    fn drop_answer(&mut self, windows: &mut Windows) {
        if let State::Sending(outgoing) = replace(&mut self.state, State::Closing { thrown: 0 }) {
            let (spare, window) = outgoing.into_parts();
            // A long answer of the kernel's own is not worth keeping the room for.
            if spare.capacity() <= SPARE_MAX {
                self.spare = spare;
            }
            if let Some(window) = window {
                windows.keep_response(window);
            }
        }
    }
}

/// Takes bytes from the socket as long as a head could still be incomplete.
fn receive_head(input: &mut Vec<u8>, socket: &mut tcp::Socket<'static>) {
    if input.capacity() == 0 && socket.can_recv() {
        // Once, so that it never grows beyond: the heap is measured for this.
        input.reserve_exact(HEAD_MAX as usize);
    }
    while socket.can_recv() && input.len() < HEAD_MAX as usize {
        let room = HEAD_MAX as usize - input.len();
        let taken = socket.recv(|bytes| {
            let len = bytes.len().min(room);
            input.extend_from_slice(&bytes[..len]);
            (len, ())
        });
        if taken.is_err() {
            return;
        }
    }
}
