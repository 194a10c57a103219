//! A server of our TCP, put together as the kernel's is: table, handshakes, timers, and what arrives early. It reads
//! requests that say how long they are and how long their answers are to be.

use mayfly_core::tcp::connection::WINDOW;
use mayfly_core::tcp::handshake::{Ending, Handshakes};
use mayfly_core::tcp::reassembly::{Reassemblies, Reassembly};
use mayfly_core::tcp::segment::parse;
use mayfly_core::tcp::table::Table;
use mayfly_core::tcp::wheel::Wheel;
use mayfly_core::tcp::{Connection, Flags, Frame, Header, Local, Segment, Seq, State};

use crate::wire::Random;

/// Bytes of a request's head: the length of its body, and of its answer.
pub(crate) const HEAD: usize = 8;
/// In the length of an answer: the server ends the connection after it.
pub(crate) const LAST: u32 = 1 << 31;

/// The byte at a place of the server's stream.
pub(crate) fn answer_byte(at: u64) -> u8 {
    (at * 7 + at / 255) as u8
}

/// The byte at a place of a client's stream, where it is no head.
pub(crate) fn body_byte(at: u64) -> u8 {
    (at * 5 + at / 253) as u8
}

struct Open {
    tcp: Connection,
    early: Option<Box<Reassembly>>,
    /// Places in both streams: bytes read, acknowledged, written.
    read: u64,
    acked: u64,
    written: u64,
    head: Vec<u8>,
    /// Bytes of a body still to come.
    body: u32,
    ends: bool,
    /// The furthest place that the client was allowed.
    edge: u64,
}

impl Open {
    /// Reads bytes of requests, and checks that they are the ones that were sent.
    fn read(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.body > 0 {
                assert_eq!(*byte, body_byte(self.read), "at {} of a request", self.read);
                self.body -= 1;
            } else {
                self.head.push(*byte);
                if self.head.len() == HEAD {
                    self.body = u32::from_le_bytes([0, 1, 2, 3].map(|at| self.head[at]));
                }
            }
            self.read += 1;
            if self.body == 0 && self.head.len() == HEAD {
                let answer = u32::from_le_bytes([4, 5, 6, 7].map(|at| self.head[at]));
                self.answer(answer);
            }
        }
    }

    fn answer(&mut self, len: u32) {
        self.head.clear();
        self.tcp.write(len & !LAST);
        self.written += u64::from(len & !LAST);
        self.ends |= len & LAST != 0;
    }
}

pub(crate) struct Server {
    local: Local,
    random: Random,
    table: Table,
    handshakes: Handshakes,
    wheel: Wheel,
    early: Reassemblies,
    open: Vec<Option<Open>>,
    /// Frames to send.
    pub(crate) out: Vec<Vec<u8>>,
}

impl Server {
    pub(crate) fn new(local: Local, seed: u64) -> Self {
        let mut random = Random(seed);
        Self {
            local,
            table: Table::new(100, random.next()),
            handshakes: Handshakes::new([random.next(), random.next()]),
            wheel: Wheel::default(),
            early: Reassemblies::new(random.below(3) as usize),
            open: Vec::new(),
            out: Vec::new(),
            random,
        }
    }

    /// Whether it has forgotten everybody.
    pub(crate) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub(crate) fn next(&self) -> u64 {
        self.wheel.next()
    }

    pub(crate) fn tick(&mut self, now: u64) {
        while let Some(number) = self.wheel.due(now) {
            let Some(open) = &mut self.open[usize::from(number)] else { panic!("a timer of nobody") };
            if open.tcp.wake_at() <= now {
                open.tcp.tick(now);
            }
            self.settle(number, now);
            let open = &self.open[usize::from(number)];
            assert!(open.as_ref().is_none_or(|open| open.tcp.wake_at() > now), "a timer is due though nothing happens");
        }
    }

    pub(crate) fn receive(&mut self, frame: &[u8], now: u64) {
        if let Frame::Tcp(segment) = parse(frame, self.local.address, false) {
            self.segment(&segment, now);
        }
    }

    fn segment(&mut self, segment: &Segment<'_>, now: u64) {
        let known = if segment.port == self.local.port { self.table.find(segment.remote) } else { None };
        let Some(number) = known else { return self.stranger(segment, None, now) };
        let Some(open) = &mut self.open[usize::from(number)] else { panic!("a name of nobody") };
        if let Some(used) = open.tcp.gives_way_to(segment) {
            self.forget(number);
            return self.stranger(segment, Some(used), now);
        }
        let received = open.tcp.receive(segment, now);
        open.acked += u64::from(received.acked);
        assert!(open.acked <= open.written, "more is acknowledged than was written");
        let mut early = open.early.take();
        self.early.sort(&mut early, &received, |bytes| {
            let mut taken = bytes.len();
            if self.random.percent(5) {
                taken = self.random.below(taken as u64 + 1) as usize;
            }
            open.read(&bytes[..taken]);
            open.tcp.took(taken as u32, now);
            taken as u32
        });
        open.early = early;
        self.settle(number, now);
    }

    fn stranger(&mut self, segment: &Segment<'_>, used: Option<Seq>, now: u64) {
        if segment.flags.has(Flags::RST) {
            return;
        }
        if segment.port == self.local.port {
            if segment.flags.has(Flags::SYN) && !segment.flags.has(Flags::ACK) {
                let answer = self.handshakes.answer(segment, used, now);
                return self.send(&answer, &[]);
            }
            let ending = self.handshakes.finish(segment, now);
            if let Ending::Early = ending {
                return;
            }
            if let Ending::Open(opening) = ending {
                let number = self.open.iter().position(Option::is_none).unwrap_or(self.open.len());
                if number == self.open.len() {
                    self.open.push(None);
                }
                self.table.insert(segment.remote, number as u16);
                self.open[number] = Some(Open {
                    tcp: Connection::new(&opening, segment.window, now),
                    early: None,
                    read: 0,
                    acked: 0,
                    written: 0,
                    head: Vec::new(),
                    body: 0,
                    ends: false,
                    // The handshake promised it.
                    edge: WINDOW.into(),
                });
                return self.segment(segment, now);
            }
        }
        self.send(&Header::reset(segment), &[]);
    }

    fn settle(&mut self, number: u16, now: u64) {
        let room = if self.random.percent(10) { self.random.below(u64::from(WINDOW)) as u32 } else { WINDOW };
        let Some(open) = &mut self.open[usize::from(number)] else { return };
        if open.ends || open.tcp.peer_closed() {
            open.tcp.close();
        }
        open.tcp.set_room(room);
        let mut count = 0;
        let mut frames = Vec::new();
        while open.tcp.may_transmit()
            && let Some(segment) = open.tcp.transmit(&self.local, now)
        {
            let start = open.acked + u64::from(segment.offset);
            if segment.len > 0 {
                assert!(start + u64::from(segment.len) <= open.written, "bytes that nobody has written");
            }
            if !segment.header.flags.has(Flags::RST) && !open.tcp.peer_closed() {
                let edge = open.read + u64::from(segment.header.window);
                assert!(edge >= open.edge, "the window was taken back");
                open.edge = edge;
            }
            let data: Vec<u8> = (0..u64::from(segment.len)).map(|at| answer_byte(start + at)).collect();
            frames.push((segment.header, data));
            count += 1;
            assert!(count < 10_000, "it never stops talking");
        }
        let over = open.tcp.state() == State::Closed;
        let at = open.tcp.wake_at();
        frames.iter().for_each(|(header, data)| self.send(header, data));
        if over {
            return self.forget(number);
        }
        self.wheel.set(number, at);
    }

    fn forget(&mut self, number: u16) {
        let Some(open) = self.open[usize::from(number)].take() else { return };
        if let Some(early) = open.early {
            self.early.give_back(early);
        }
        self.table.remove(open.tcp.remote());
        self.wheel.unset(number);
    }

    fn send(&mut self, header: &Header, data: &[u8]) {
        let mut frame = vec![0; header.len() + data.len()];
        frame[header.len()..].copy_from_slice(data);
        header.emit(&mut frame, &self.local, false);
        self.out.push(frame);
    }
}
