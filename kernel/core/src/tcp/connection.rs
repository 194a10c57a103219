//! One connection of a server, from the end of its handshake to its last segment (RFC 9293, passive side).
//!
//! It knows places in both streams and times, and no bytes: what arrives is handed on as it lies in the card's buffer,
//! and what is to be sent stays with whoever wrote it until it is acknowledged. All times are in nanoseconds.

mod receive;
mod send;

use smoltcp::wire::EthernetAddress;

use super::congestion::Congestion;
use super::rtt::Rtt;
use super::segment::{Flags, Header, MSS, Remote, Segment};
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
/// After so many, a segment may be too long for a router on the way, whose ICMP message we do not read or never get (RFC 2923, 2.1):
const TOO_LONG: u8 = 3;
/// from then on none is longer than what every host takes (RFC 9293, 3.7.1).
const MSS_SAFE: u32 = 536;
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
    /// Where the last bytes that came early began, until those before them have come too.
    early: Option<Seq>,
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
            early: None,
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

    /// Whether the SYN that would open a new connection between the same ends is newer than all of this one's, which is
    /// only waiting for late segments (RFC 9293, 3.6.1): then, where our stream has ended.
    pub fn gives_way_to(&self, segment: &Segment<'_>) -> Option<Seq> {
        let newer = segment.flags.has(Flags::SYN) && segment.seq.is_after(self.rcv);
        (self.state == State::TimeWait && newer).then_some(self.max)
    }

    /// Whether the peer has said nothing for a second: an idle connection that may go for a new one.
    pub fn is_quiet(&self, now: u64) -> bool {
        now.saturating_sub(self.heard) >= QUIET
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
}
