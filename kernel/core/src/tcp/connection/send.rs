//! What is sent, and what becomes due: data, its repetition, probes and acknowledgements (RFC 9293, 3.8; RFC 6298, 5).

use super::{Ack, Connection, KEEP_ALIVE, MSS_SAFE, NEVER, PROBES, RESENDS, State, TOO_LONG, Transmit, WINDOW};
use crate::tcp::segment::{Flags, Header, Local};
use crate::tcp::seq::Seq;

impl Connection {
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
            if self.resends == TOO_LONG {
                self.mss = self.mss.min(MSS_SAFE);
            }
            self.congestion.timed_out(self.max, flight, self.mss, self.resends > 1);
        }
        if self.resends > RESENDS {
            self.abort();
            return;
        }
        self.resend_at = now + self.rtt.timeout();
    }
}
