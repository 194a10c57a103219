//! One connection as a server keeps it, with everything that must hold after each step.

use mayfly_core::http::head;
use mayfly_core::tcp::connection::{NEVER, WINDOW};
use mayfly_core::tcp::handshake::{Ending, Handshakes};
use mayfly_core::tcp::reassembly::{Reassemblies, Reassembly};
use mayfly_core::tcp::segment::parse;
use mayfly_core::tcp::{Connection, Flags, Frame, Local, Segment, Seq, State};
use smoltcp::wire::{EthernetAddress, Ipv4Address};

use super::{byte, segment};

const LOCAL: Local =
    Local { hardware: EthernetAddress([2, 0, 0, 0, 0, 2]), address: Ipv4Address::new(10, 0, 0, 2), port: 8080 };

/// A connection that is open, and what is known of both its streams.
struct Open {
    tcp: Connection,
    early: Option<Box<Reassembly>>,
    /// First places of both streams.
    theirs: Seq,
    ours: Seq,
    /// Bytes read, acknowledged, written.
    read: u64,
    acked: u64,
    written: u64,
    /// The furthest place of ours that was sent, and the furthest of the peer's that it may send to.
    sent: u64,
    edge: u64,
    closing: bool,
    head: Vec<u8>,
}

pub(super) struct Server {
    handshakes: Handshakes,
    early: Reassemblies,
    open: Option<Open>,
    room: u32,
    now: u64,
}

impl Server {
    pub(super) fn new() -> Self {
        Self {
            handshakes: Handshakes::new([1, 2]),
            early: Reassemblies::new(1),
            open: None,
            room: WINDOW,
            now: 1_000_000_000,
        }
    }

    /// Opens a connection, if there is none: a SYN and the end of its handshake.
    pub(super) fn open(&mut self, theirs: Seq, bytes: &mut Vec<u8>) {
        if self.open.is_some() {
            return;
        }
        let answer = self.handshakes.answer(&segment(theirs, Seq(0), Flags::SYN.0, 0, 1000, bytes), None, self.now);
        let ack = segment(theirs.plus(1), answer.seq.plus(1), Flags::ACK.0, 0, 1000, bytes);
        let Ending::Open(opening) = self.handshakes.finish(&ack, self.now) else { panic!("a handshake leads nowhere") };
        assert_eq!((opening.receive, opening.send), (theirs.plus(1), answer.seq.plus(1)));
        self.open = Some(Open {
            tcp: Connection::new(&opening, 1000, self.now),
            early: None,
            theirs: opening.receive,
            ours: opening.send,
            read: 0,
            acked: 0,
            written: 0,
            sent: 0,
            // The handshake promised it.
            edge: answer.window.into(),
            closing: false,
            head: Vec::new(),
        });
    }

    /// Where the peer's stream goes on, and up to where it has heard ours.
    pub(super) fn places(&self) -> (Seq, Seq) {
        let place = |open: &Open| (open.theirs.plus(open.read as u32), open.ours.plus(open.sent as u32));
        self.open.as_ref().map_or((Seq(0), Seq(0)), place)
    }

    pub(super) fn frame(&mut self, frame: &[u8]) {
        if let Frame::Tcp(segment) = parse(frame, LOCAL.address, true) {
            segment.offers();
        }
    }

    pub(super) fn receive(&mut self, segment: &Segment<'_>) {
        let Some(open) = &mut self.open else {
            // Nobody has begun this one.
            let ending = self.handshakes.finish(segment, self.now);
            assert!(!matches!(ending, Ending::Open(_)), "a forged acknowledgement opens a connection");
            return;
        };
        let received = open.tcp.receive(segment, self.now);
        open.acked += u64::from(received.acked);
        assert!(open.acked <= open.sent && open.sent <= open.written + u64::from(open.closing), "una ≤ max ≤ end + 1");
        assert_eq!(u64::from(open.tcp.unacknowledged()), open.written - open.acked);
        if let Some((behind, data)) = received.later {
            assert!(behind > 0 && behind + data.len() as u32 <= WINDOW, "beyond the window");
            if open.early.is_none() {
                open.early = self.early.take();
            }
            if let Some(early) = &mut open.early {
                early.keep(behind, data);
            }
        }
        if !received.data.is_empty() {
            let taken = received.data.len().min(self.room as usize);
            open.read(&received.data[..taken]);
            open.tcp.took(taken as u32, self.now);
            if let Some(mut early) = open.early.take() {
                let mut kept = early.advance(taken as u32);
                while kept && !early.next().is_empty() {
                    let len = early.next().len() as u32;
                    open.read(early.next());
                    open.tcp.took(len, self.now);
                    kept = early.advance(len);
                }
                if kept {
                    open.early = Some(early);
                } else {
                    self.early.give_back(early);
                }
            }
        }
        self.settle();
    }

    pub(super) fn wait(&mut self, time: u64) {
        self.now += time;
        self.tick();
    }

    pub(super) fn sleep(&mut self) {
        if let Some(open) = &self.open {
            self.now = self.now.max(open.tcp.wake_at());
        }
        self.tick();
    }

    fn tick(&mut self) {
        let Some(open) = &mut self.open else { return };
        if open.tcp.wake_at() <= self.now {
            open.tcp.tick(self.now);
        }
        self.settle();
        let due = self.open.as_ref().is_some_and(|open| open.tcp.wake_at() <= self.now);
        assert!(!due, "a timer is due though nothing happens");
    }

    pub(super) fn write(&mut self, len: u32) {
        if let Some(open) = self.open.as_mut().filter(|open| !open.closing) {
            open.tcp.write(len);
            open.written += u64::from(len);
        }
        self.settle();
    }

    pub(super) fn set_room(&mut self, room: u32) {
        self.room = room;
        self.settle();
    }

    pub(super) fn close(&mut self) {
        if let Some(open) = &mut self.open {
            open.tcp.close();
            open.closing = true;
        }
        self.settle();
    }

    pub(super) fn abort(&mut self) {
        if let Some(open) = &mut self.open {
            open.tcp.abort();
        }
        self.settle();
    }

    /// Says what there is to say.
    fn settle(&mut self) {
        let Some(open) = &mut self.open else { return };
        open.tcp.set_room(self.room);
        let mut count = 0;
        while open.tcp.may_transmit()
            && let Some(transmit) = open.tcp.transmit(&LOCAL, self.now)
        {
            let header = transmit.header;
            let fin = u64::from(header.flags.has(Flags::FIN));
            if u64::from(transmit.len) + fin > 0 {
                let start = open.acked + u64::from(transmit.offset);
                assert_eq!(header.seq, open.ours.plus(start as u32));
                let end = start + u64::from(transmit.len);
                assert!(end <= open.written && (fin == 0 || open.closing && end == open.written), "bytes of nobody");
                open.sent = open.sent.max(end + fin);
            }
            let end = u64::from(open.tcp.peer_closed());
            assert_eq!(header.ack, open.theirs.plus((open.read + end) as u32), "acknowledged is what was read");
            if !open.tcp.peer_closed() {
                let edge = open.read + u64::from(header.window);
                assert!(edge >= open.edge && edge <= open.read + u64::from(WINDOW), "the window was taken back");
                open.edge = edge;
            }
            let mut frame = vec![0; header.len() + transmit.len as usize];
            header.emit(&mut frame, &LOCAL, false);
            count += 1;
            assert!(count < 10_000, "it never stops talking");
        }
        let wake_at = open.tcp.wake_at();
        if open.tcp.state() == State::Closed {
            assert_eq!(wake_at, NEVER, "a timer is left");
            if let Some(early) = self.open.take().and_then(|open| open.early) {
                self.early.give_back(early);
            }
        } else {
            assert!(wake_at <= self.now + 76_000_000_000, "it sleeps for too long");
            let outstanding = open.tcp.unacknowledged() > 0;
            assert!(!outstanding || open.tcp.state() != State::Open || wake_at <= self.now + 61_000_000_000, "stuck");
        }
    }

    /// A peer that has gone ends the connection, sooner or later.
    pub(super) fn end(&mut self) {
        for _ in 0..60 {
            self.sleep();
        }
        assert!(self.open.is_none(), "a connection stays for ever");
    }
}

impl Open {
    /// Reads what comes next: the bytes of the peer's stream, in order, each once; and HTTP.
    fn read(&mut self, bytes: &[u8]) {
        for read in bytes {
            assert_eq!(*read, byte(self.read), "wrong bytes at {}", self.read);
            self.read += 1;
        }
        self.head.extend(bytes);
        match head::parse(&self.head, 0) {
            Ok(Some((_, len))) => drop(self.head.drain(..len)),
            // A body, or what is left of one.
            Err(_) => self.head.clear(),
            Ok(None) => {}
        }
    }
}
