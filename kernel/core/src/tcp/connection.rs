//! One connection of a server, from the end of its handshake to its last segment (RFC 9293, passive side).
//!
//! It knows places in both streams and times, and no bytes: what arrives is handed on as it lies in the card's buffer,
//! and what is to be sent stays with whoever wrote it until it is acknowledged. All times are in nanoseconds.

use core::mem::replace;

use smoltcp::wire::EthernetAddress;

use super::congestion::{Congestion, Reaction};
use super::rtt::Rtt;
use super::segment::{Flags, Header, Local, MSS, Remote, Segment};
use super::seq::Seq;

/// No time is set.
pub const NEVER: u64 = u64::MAX;
/// Most bytes that a peer may send ahead. Below 2^16, so that our window needs no scale.
pub const WINDOW: u32 = 0xffff;
/// A peer that wants smaller segments than this wants to be a nuisance.
const MSS_LEAST: u16 = 64;
/// An acknowledgement waits so long for data that could carry it (RFC 9293, 3.8.6.3 allows 500 ms).
const ACK_DELAY: u64 = 20_000_000;
/// Times that a segment is sent again before its peer is given up: over 100 seconds, as 3.8.3 asks.
const RESENDS: u8 = 9;
/// A peer that said nothing for so long is asked whether it is still there,
const KEEP_ALIVE: u64 = 75_000_000_000;
/// so many times before it is given up.
const PROBES: u8 = 3;
/// How long the last acknowledgement can still be asked for: twice the longest life of a segment (3.6.1), which in the
/// network that a function's server stands in is a second, not the two minutes of 1981.
const TIME_WAIT: u64 = 2_000_000_000;
/// See [`Connection::is_quiet`].
const QUIET: u64 = 1_000_000_000;
/// A peer gets at most one acknowledgement in so long for segments that look forged (RFC 5961, 10).
const CHALLENGE: u64 = 100_000_000;

/// Where an acknowledgement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ack {
    /// The peer knows everything.
    Idle,
    /// It goes with the next data, or when its time has come.
    Later,
    /// It goes at once.
    Now,
}

/// How far a connection's end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// At least one side may still send.
    Open,
    /// Both sides have ended, we first: the peer may have missed our last acknowledgement.
    TimeWait,
    /// It is over, and nothing is left to be sent.
    Closed,
}

/// What a segment has brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received<'a> {
    /// Bytes of ours that the peer has for certain since.
    pub acked: u32,
    /// Bytes that come next in the peer's stream. They count only once [`Connection::took`] says so.
    pub data: &'a [u8],
    /// Bytes that come later, and how far behind those that come next. To be kept, if there is room.
    pub later: Option<(u32, &'a [u8])>,
}

/// A segment to send.
#[derive(Clone, Copy, Debug)]
pub struct Transmit {
    /// All but its data.
    pub header: Header,
    /// Where its data begins: so many bytes behind the first that is not acknowledged.
    pub offset: u32,
    /// Bytes of data.
    pub len: u32,
}

/// The two ends of a connection that was just opened.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    /// The card that the peer is reached through.
    pub hardware: EthernetAddress,
    /// The peer.
    pub remote: Remote,
    /// The first byte that the peer will send, and that we will.
    pub receive: Seq,
    /// See `receive`.
    pub send: Seq,
    /// Most bytes of data in a segment to it.
    pub mss: u16,
    /// By how much its windows are scaled.
    pub shift: u8,
    /// How long its part of the handshake took, if that is known.
    pub rtt: Option<u64>,
}

/// A connection.
#[derive(Clone, Debug)]
pub struct Connection {
    hardware: EthernetAddress,
    /// The one that the last segment came from.
    hardware_last: EthernetAddress,
    remote: Remote,
    /// Our stream: acknowledged up to `una`, sent up to `next`, ever sent up to `max`, known up to `end`.
    una: Seq,
    next: Seq,
    max: Seq,
    end: Seq,
    /// Our stream ends at `end`, and its FIN takes the place behind.
    closing: bool,
    /// Our FIN was sent before the peer's came.
    closed_first: bool,
    /// What the peer takes beyond `una`, and the most that it ever took.
    window: u32,
    window_most: u32,
    /// The segment that said so.
    window_seq: Seq,
    window_ack: Seq,
    shift: u8,
    mss: u32,
    congestion: Congestion,
    rtt: Rtt,
    /// The segment whose round trip is measured: where it ends, and when it was sent.
    timed: Option<(Seq, u64)>,
    /// The first segment that is not acknowledged is to be sent again.
    resend: bool,
    /// Something is to be sent though the peer takes little, or nothing.
    probe: bool,
    resends: u8,
    /// The peer's stream: taken up to `rcv`, and it may send up to `edge`.
    rcv: Seq,
    edge: Seq,
    /// Where the last bytes that came early began.
    early: Seq,
    /// Where it ends, if that is known.
    fin: Option<Seq>,
    peer_closed: bool,
    /// Bytes that can be taken.
    room: u32,
    ack: Ack,
    /// Bytes taken since the last acknowledgement.
    unacked: u32,
    reset: bool,
    state: State,
    resend_at: u64,
    ack_at: u64,
    /// When the peer was last heard of.
    heard: u64,
    /// When it was last asked, and how often since it was heard of.
    asked: u64,
    probes: u8,
    /// The peer is to be asked whether it is still there.
    ask: bool,
    challenge_at: u64,
    linger_until: u64,
}

impl Connection {
    /// A connection whose handshake is over.
    pub fn new(opening: &Opening, window: u16, now: u64) -> Self {
        let Opening { hardware, remote, receive, send, mss, shift, rtt: handshake } = *opening;
        let mss = u32::from(mss.clamp(MSS_LEAST, MSS));
        let mut rtt = Rtt::new();
        if let Some(handshake) = handshake {
            rtt.sample(handshake);
        }
        Self {
            hardware,
            hardware_last: hardware,
            remote,
            una: send,
            next: send,
            max: send,
            end: send,
            closing: false,
            closed_first: false,
            window: u32::from(window) << shift,
            window_most: u32::from(window) << shift,
            window_seq: receive,
            window_ack: send,
            shift,
            mss,
            congestion: Congestion::new(mss, send),
            rtt,
            timed: None,
            resend: false,
            probe: false,
            resends: 0,
            rcv: receive,
            edge: receive.plus(WINDOW),
            early: receive,
            fin: None,
            peer_closed: false,
            room: WINDOW,
            ack: Ack::Idle,
            unacked: 0,
            reset: false,
            state: State::Open,
            resend_at: NEVER,
            ack_at: NEVER,
            heard: now,
            asked: now,
            probes: 0,
            ask: false,
            challenge_at: 0,
            linger_until: NEVER,
        }
    }

    /// The other end.
    pub fn remote(&self) -> Remote {
        self.remote
    }

    /// How far its end has come.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether everything that the peer will ever send was taken.
    pub fn peer_closed(&self) -> bool {
        self.peer_closed
    }

    /// Bytes of ours that the peer has not acknowledged, sent or not.
    pub fn unacknowledged(&self) -> u32 {
        self.end.since(self.una.min(self.end))
    }

    /// Whether the segment that would open a new connection between the same ends is newer than all of this one's, which
    /// is only waiting for late segments (RFC 9293, 3.10.7.4, TIME-WAIT).
    pub fn gives_way_to(&self, segment: &Segment<'_>) -> bool {
        self.state == State::TimeWait && segment.seq.is_after(self.rcv)
    }

    /// Whether the peer has said nothing for a second: an idle connection that may go for a new one.
    pub fn is_quiet(&self, now: u64) -> bool {
        now.saturating_sub(self.heard) >= QUIET
    }

    /// Takes a segment's news. The bytes that it brings are to be told to [`Connection::took`].
    pub fn receive<'a>(&mut self, segment: &Segment<'a>, now: u64) -> Received<'a> {
        let nothing = Received::default();
        if self.state == State::Closed {
            return nothing;
        }
        if !self.accepts(segment) {
            if segment.flags.has(Flags::RST) {
                return nothing;
            }
            if segment.is_empty() {
                // Never at once for each: two ends that find each other out of place would answer for ever.
                self.challenge(now);
            } else {
                // An old one: its sender has missed what we said since, perhaps because it went to the wrong card.
                self.ack = Ack::Now;
                if self.rcv.since(segment.seq) <= WINDOW {
                    self.comes_from(segment.hardware);
                }
                if self.state == State::TimeWait {
                    self.linger_until = now + TIME_WAIT;
                }
            }
            return nothing;
        }
        if segment.flags.has(Flags::RST) {
            // Only the exact place proves that it is the peer's (RFC 5961, 3.2).
            if segment.seq == self.rcv {
                self.state = State::Closed;
                self.ack = Ack::Idle;
            } else {
                self.challenge(now);
            }
            return nothing;
        }
        if segment.flags.has(Flags::SYN) {
            self.challenge(now);
            return nothing;
        }
        if !segment.flags.has(Flags::ACK) {
            return nothing;
        }
        // An acknowledgement of what was never sent, or from before all memory (RFC 5961, 5.2).
        if segment.ack.is_after(self.max) || self.una.since(segment.ack).cast_signed() > self.window_most.cast_signed()
        {
            self.challenge(now);
            return nothing;
        }
        self.heard = now;
        self.probes = 0;
        self.comes_from(segment.hardware);
        let acked = self.acknowledge(segment, now);
        if self.state != State::Open || self.peer_closed {
            return Received { acked, ..nothing };
        }
        let (data, later) = self.sort(segment);
        self.end_if_both(now);
        Received { acked, data, later }
    }

    /// The card that the peer is behind may change, but no checksum covers its address: two segments in a row must say so.
    fn comes_from(&mut self, hardware: EthernetAddress) {
        if replace(&mut self.hardware_last, hardware) == hardware {
            self.hardware = hardware;
        }
    }

    /// Whether any of a segment lies where the peer may send (RFC 9293, 3.10.7.4, first check), or right behind: that is
    /// where a peer that has filled its window speaks from.
    fn accepts(&self, segment: &Segment<'_>) -> bool {
        let window = self.edge.since(self.rcv);
        let begins = segment.seq.since(self.rcv);
        if begins <= window {
            return true;
        }
        let len = segment.len();
        len > 0 && segment.seq.plus(len - 1).since(self.rcv) < window
    }

    /// Takes the news about our own stream: how many bytes of it the peer has since.
    fn acknowledge(&mut self, segment: &Segment<'_>, now: u64) -> u32 {
        let window = u32::from(segment.window) << self.shift;
        let mut acked = 0;
        if segment.ack.is_after(self.una) {
            let places = segment.ack.since(self.una);
            // The FIN takes a place, but is no byte.
            acked = segment.ack.min(self.end).since(self.una.min(self.end));
            self.una = segment.ack;
            self.next = self.next.max(self.una);
            if self.resends > 0 {
                self.resends = 0;
                self.rtt.recover();
            }
            self.resend = false;
            if let Some((place, sent)) = self.timed
                && !place.is_after(self.una)
            {
                self.rtt.sample(now.saturating_sub(sent));
                self.timed = None;
            }
            let flight = self.max.since(self.una);
            if self.congestion.acknowledged(places, self.una, flight, self.mss) == Reaction::Resend {
                self.resend = true;
            }
            self.resend_at = if flight > 0 { now + self.rtt.timeout() } else { NEVER };
            if self.closing && self.una.is_after(self.end) {
                self.end_if_both(now);
            }
        } else if segment.ack == self.una
            && self.max != self.una
            && segment.is_empty()
            && window == self.window
            && window > 0
        {
            let flight = self.max.since(self.una);
            if self.congestion.repeated(self.una, self.max, flight, self.mss) == Reaction::Resend {
                self.resend = true;
                self.timed = None;
            }
        }
        // Only a newer segment knows the window better (3.10.7.4).
        let newer = segment.seq.is_after(self.window_seq)
            || segment.seq == self.window_seq && !self.window_ack.is_after(segment.ack);
        if newer && segment.ack == self.una {
            if self.window == 0 {
                // The peer answers; and what was sent while it took nothing is sent again once it does.
                self.resends = 0;
                if window > 0 {
                    self.rtt.recover();
                    self.next = self.una;
                    self.resend_at = NEVER;
                }
            }
            self.window = window;
            self.window_most = self.window_most.max(window);
            self.window_seq = segment.seq;
            self.window_ack = segment.ack;
        }
        acked
    }

    /// What of a segment comes next, and what comes later.
    fn sort<'a>(&mut self, segment: &Segment<'a>) -> (&'a [u8], Option<(u32, &'a [u8])>) {
        let mut payload = segment.payload;
        let mut begins = segment.seq;
        if segment.flags.has(Flags::FIN) {
            self.fin = Some(segment.seq.plus(payload.len() as u32));
        }
        if self.rcv.is_after(begins) {
            let known = self.rcv.since(begins) as usize;
            payload = payload.get(known..).unwrap_or_default();
            begins = self.rcv;
        }
        let room = self.edge.since(begins) as usize;
        payload = &payload[..payload.len().min(room)];
        if !segment.is_empty() && (begins != self.rcv || payload.len() < segment.payload.len()) {
            // Something is missing, or came twice: the peer is to know at once (RFC 5681, 4.2).
            self.ack = Ack::Now;
        }
        if begins == self.rcv {
            self.look_for_end(0);
            (payload, None)
        } else {
            self.early = begins;
            (&[], (!payload.is_empty()).then(|| (begins.since(self.rcv), payload)))
        }
    }

    /// Counts `len` bytes that came next as taken, so that they are acknowledged. The rest of them is as good as lost.
    pub fn took(&mut self, len: u32, now: u64) {
        self.unacked += len;
        // Every second full segment at least (RFC 9293, 3.8.6.3), and whatever fills a hole (RFC 5681, 4.2). A peer that
        // hears nothing about bytes that could not be taken would give us up.
        if self.unacked >= 2 * self.mss || len == 0 || self.early.is_after(self.rcv) {
            self.ack = Ack::Now;
        } else if self.ack == Ack::Idle {
            self.ack = Ack::Later;
            self.ack_at = now + ACK_DELAY;
        }
        self.look_for_end(len);
        self.end_if_both(now);
    }

    /// Goes `len` bytes on in the peer's stream, and over its end if that comes next.
    fn look_for_end(&mut self, len: u32) {
        self.rcv = self.rcv.plus(len);
        if !self.peer_closed && self.fin == Some(self.rcv) {
            self.rcv = self.rcv.plus(1);
            self.edge = self.edge.max(self.rcv);
            self.peer_closed = true;
            self.ack = Ack::Now;
        }
    }

    /// Says how many bytes can be taken from now on. What was promised stays promised.
    pub fn set_room(&mut self, room: u32) {
        self.room = room.min(WINDOW);
        // The peer waits for more room: tell it of a good deal of it, not of every byte (3.8.6.2.2).
        if !self.peer_closed && self.edge.since(self.rcv) < WINDOW / 4 && self.new_edge().since(self.edge) >= WINDOW / 4
        {
            self.ack = Ack::Now;
        }
    }

    /// Up to where the peer may send: never less than before.
    fn new_edge(&self) -> Seq {
        self.edge.max(self.rcv.plus(self.room))
    }

    /// Adds `bytes` to what is to be sent.
    pub fn write(&mut self, bytes: u32) {
        self.end = self.end.plus(bytes);
    }

    /// Ends our stream behind what was written.
    pub fn close(&mut self) {
        self.closing = true;
    }

    /// Breaks the connection off: the peer gets a reset.
    pub fn abort(&mut self) {
        self.reset = self.state == State::Open;
        self.state = State::Closed;
    }

    fn challenge(&mut self, now: u64) {
        if now >= self.challenge_at {
            self.challenge_at = now + CHALLENGE;
            self.ack = Ack::Now;
        }
    }

    /// Both sides have ended, and both know: whoever ended first waits for late segments.
    fn end_if_both(&mut self, now: u64) {
        if self.state != State::Open || !self.peer_closed || !self.closing || !self.una.is_after(self.end) {
            return;
        }
        if self.closed_first {
            self.state = State::TimeWait;
            self.linger_until = now + TIME_WAIT;
        } else {
            self.state = State::Closed;
        }
    }

    /// Whether [`Connection::transmit`] can have something to say. Cheaper to ask.
    pub fn may_transmit(&self) -> bool {
        self.next != self.end || self.closing || self.ack == Ack::Now || self.resend || self.reset || self.ask
    }

    /// The next segment to send, if one may be sent now. Ask again until there is none.
    pub fn transmit(&mut self, local: &Local, now: u64) -> Option<Transmit> {
        if self.reset {
            self.reset = false;
            return Some(self.segment(local, self.max, 0, Flags::RST));
        }
        if self.state == State::Open
            && let Some(segment) = self.data(local, now)
        {
            return Some(segment);
        }
        if self.ask {
            // A segment from before what the peer expects makes it say what that is (3.8.4).
            self.ask = false;
            return Some(self.segment(local, Seq(self.una.0.wrapping_sub(1)), 0, Flags::default()));
        }
        // The peer's FIN is acknowledged even where it was the end.
        (self.ack == Ack::Now).then(|| self.segment(local, self.max, 0, Flags::default()))
    }

    /// The next segment with data or a FIN.
    fn data(&mut self, local: &Local, now: u64) -> Option<Transmit> {
        let from = if self.resend { self.una } else { self.next };
        let waiting = self.end.since(from.min(self.end));
        let mut len = waiting.min(self.mss);
        if self.resend {
            // The whole window is in doubt, not this segment's part of it.
            self.resend = false;
            len = len.min(self.max.since(self.una));
        } else {
            let flight = self.next.since(self.una);
            let allowed = self.window.min(self.congestion.window(self.mss)).saturating_sub(flight);
            if len > allowed {
                // A part only if it is a good part of what the peer ever took (3.8.6.2.1).
                len = if allowed >= self.window_most / 2 || allowed >= self.mss { allowed } else { 0 };
            }
            if len == 0 && self.probe && waiting > 0 {
                len = allowed.clamp(1, waiting.min(self.mss));
            }
            self.probe = false;
            if len == 0 && waiting > 0 && flight == 0 && self.resend_at == NEVER {
                // Nobody else would ever find out that the window has opened (3.8.6.1).
                self.resend_at = now + self.rtt.timeout();
            }
        }
        let last = from.plus(len);
        let fin = self.closing && last == self.end;
        if len == 0 && !fin {
            return None;
        }
        let again = self.max.is_after(from);
        let end = last.plus(u32::from(fin));
        self.next = self.next.max(end);
        self.max = self.max.max(end);
        if fin && !self.peer_closed {
            self.closed_first = true;
        }
        if again {
            self.timed = None;
        } else if self.timed.is_none() {
            self.timed = Some((end, now));
        }
        if self.resend_at == NEVER || from == self.una {
            self.resend_at = now + self.rtt.timeout();
        }
        let flags = Flags::default().with(Flags::FIN, fin).with(Flags::PSH, len > 0 && last == self.end);
        Some(self.segment(local, from, len, flags))
    }

    /// A segment from place `seq`, with everything that is known acknowledged.
    fn segment(&mut self, local: &Local, seq: Seq, len: u32, flags: Flags) -> Transmit {
        self.ack = Ack::Idle;
        self.ack_at = NEVER;
        self.unacked = 0;
        if !self.peer_closed {
            self.edge = self.new_edge();
        }
        let header = Header {
            hardware: self.hardware,
            remote: self.remote,
            port: local.port,
            seq,
            ack: self.rcv,
            flags: flags.with(Flags::ACK, true),
            window: self.edge.since(self.rcv).min(WINDOW) as u16,
            scale: false,
        };
        Transmit { header, offset: seq.since(self.una), len }
    }

    /// When [`Connection::tick`] is to be called, at the latest.
    pub fn wake_at(&self) -> u64 {
        match self.state {
            State::Open => self.resend_at.min(self.ack_at).min(self.ask_at()),
            State::TimeWait => self.linger_until,
            State::Closed => NEVER,
        }
    }

    /// When the peer is to be asked whether it is still there.
    fn ask_at(&self) -> u64 {
        self.heard.max(self.asked) + KEEP_ALIVE
    }

    /// Time has passed: decides what is due. [`Connection::transmit`] says what is to be sent.
    pub fn tick(&mut self, now: u64) {
        if self.ack_at <= now && self.ack == Ack::Later {
            self.ack = Ack::Now;
        }
        match self.state {
            State::Closed => {}
            State::TimeWait if self.linger_until <= now => self.state = State::Closed,
            State::TimeWait => {}
            State::Open => {
                if self.resend_at <= now {
                    self.time_out(now);
                }
                if self.ask_at() <= now {
                    self.asked = now;
                    self.probes += 1;
                    if self.probes > PROBES {
                        self.abort();
                    } else {
                        self.ask = true;
                    }
                }
            }
        }
    }

    /// What was sent was not acknowledged in time, or the peer's window stayed closed.
    fn time_out(&mut self, now: u64) {
        self.rtt.back_off();
        self.resends += 1;
        self.timed = None;
        let flight = self.max.since(self.una);
        self.next = self.una;
        self.resend = false;
        // Something is to be sent now, however little of it the peer takes (3.8.6.1, 3.8.6.2.1).
        self.probe = true;
        if flight > 0 && self.window > 0 {
            self.congestion.timed_out(self.max, flight, self.mss, self.resends > 1);
        }
        if self.resends > RESENDS {
            self.abort();
            return;
        }
        self.resend_at = now + self.rtt.timeout();
    }
}
