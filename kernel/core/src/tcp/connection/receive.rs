//! What a segment changes: the peer's acknowledgements, its window, and its own stream (RFC 9293, 3.10.7.4).

use core::mem::replace;

use smoltcp::wire::EthernetAddress;

use super::{ACK_DELAY, Ack, Connection, NEVER, Received, State, TIME_WAIT, WINDOW};
use crate::tcp::congestion::Reaction;
use crate::tcp::segment::{Flags, Segment};
use crate::tcp::seq::Seq;

impl Connection {
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
            if segment.is_empty() || segment.flags.has(Flags::SYN) {
                // Never at once for each: two ends that find each other out of place would answer for ever, and a SYN may be
                // forged (RFC 5961, 4.2).
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
            self.early = Some(begins);
            (&[], (!payload.is_empty()).then(|| (begins.since(self.rcv), payload)))
        }
    }

    /// Counts `len` bytes that came next as taken, so that they are acknowledged. The rest of them is as good as lost.
    pub fn took(&mut self, len: u32, now: u64) {
        self.unacked += len;
        // Every second full segment at least (RFC 9293, 3.8.6.3), and whatever fills a hole (RFC 5681, 4.2). A peer that
        // hears nothing about bytes that could not be taken would give us up.
        if self.unacked >= 2 * self.mss || len == 0 || self.early.is_some() {
            self.ack = Ack::Now;
            // A hole is forgotten once it is filled: places cannot be compared across half of all.
            let rcv = self.rcv.plus(len);
            self.early = self.early.filter(|early| early.is_after(rcv));
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
    pub(super) fn new_edge(&self) -> Seq {
        self.edge.max(self.rcv.plus(self.room))
    }
}
