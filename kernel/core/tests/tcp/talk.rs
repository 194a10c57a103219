//! A connection whose peer is played by hand, segment by segment. Places are counted from the first byte of each stream.

use mayfly_core::tcp::connection::{NEVER, Opening, WINDOW};
use mayfly_core::tcp::{Connection, Flags, Local, Remote, Segment, Seq, State};
use smoltcp::wire::{EthernetAddress, Ipv4Address};

/// A millisecond.
pub(crate) const MS: u64 = 1_000_000;
pub(crate) const SECOND: u64 = 1000 * MS;
pub(crate) const ACK: Flags = Flags::ACK;
pub(crate) const FIN: Flags = Flags(Flags::FIN.0 | Flags::ACK.0);
pub(crate) const RST: Flags = Flags::RST;
/// Most bytes of data in a segment.
pub(crate) const MSS: u32 = 1460;

/// First places of both streams: near the end of all places, so that every test goes over it.
const THEIRS: Seq = Seq(u32::MAX - 700);
const OURS: Seq = Seq(u32::MAX - 900);
const PEER: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 1]);
const REMOTE: Remote = Remote { address: Ipv4Address::new(10, 0, 0, 1), port: 40000 };
const LOCAL: Local =
    Local { hardware: EthernetAddress([2, 0, 0, 0, 0, 2]), address: Ipv4Address::new(10, 0, 0, 2), port: 8080 };

/// A segment that the connection has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) seq: i32,
    pub(crate) len: u32,
    pub(crate) flags: Flags,
    pub(crate) ack: u32,
    pub(crate) window: u16,
}

impl Said {
    /// Whether it carries nothing but an acknowledgement.
    pub(crate) fn is_bare_ack(&self) -> bool {
        self.len == 0 && self.flags == ACK
    }

    /// Where its data begins and how long it is.
    pub(crate) fn run(&self) -> (i32, u32) {
        (self.seq, self.len)
    }

    pub(crate) fn has_fin(&self) -> bool {
        self.flags.has(Flags::FIN)
    }
}

/// A connection, and the time.
pub(crate) struct Talk {
    pub(crate) tcp: Connection,
    pub(crate) now: u64,
    /// What the peer says that it takes, in each segment.
    pub(crate) window: u16,
    /// The card that the peer sends from.
    pub(crate) hardware: EthernetAddress,
    /// The card that the last segment went to.
    pub(crate) sent_to: EthernetAddress,
}

impl Talk {
    /// After a handshake that took ten milliseconds.
    pub(crate) fn new() -> Self {
        Self::with_window(u16::MAX)
    }

    /// With a peer that takes so many bytes from the start.
    pub(crate) fn with_window(window: u16) -> Self {
        let opening = Opening {
            hardware: PEER,
            remote: REMOTE,
            receive: THEIRS,
            send: OURS,
            mss: MSS as u16,
            shift: 0,
            rtt: Some(10 * MS),
        };
        let now = 5 * SECOND;
        Self { tcp: Connection::new(&opening, window, now), now, window, hardware: PEER, sent_to: PEER }
    }

    /// The peer says something, and all that comes next is taken: how many bytes that were, and how many came early.
    pub(crate) fn hear(&mut self, flags: Flags, seq: i32, ack: i32, len: usize) -> (usize, usize) {
        self.hear_taking(flags, seq, ack, len, usize::MAX)
    }

    /// The same, but no more than `most` bytes are taken.
    pub(crate) fn hear_taking(&mut self, flags: Flags, seq: i32, ack: i32, len: usize, most: usize) -> (usize, usize) {
        let payload = vec![7; len];
        let segment = self.segment(flags, seq, ack, &payload);
        let received = self.tcp.receive(&segment, self.now);
        let taken = received.data.len().min(most);
        if !received.data.is_empty() {
            self.tcp.took(taken as u32, self.now);
        }
        (taken, received.later.map_or(0, |(_, data)| data.len()))
    }

    fn segment<'a>(&self, flags: Flags, seq: i32, ack: i32, payload: &'a [u8]) -> Segment<'a> {
        Segment {
            hardware: self.hardware,
            remote: REMOTE,
            port: LOCAL.port,
            seq: THEIRS.plus(seq.cast_unsigned()),
            ack: OURS.plus(ack.cast_unsigned()),
            flags,
            window: self.window,
            options: &[],
            payload,
        }
    }

    /// If the connection gives way to a new one whose first segment is at this place: where its own stream has ended.
    pub(crate) fn gives_way_to(&self, flags: Flags, seq: i32) -> Option<u32> {
        self.tcp.gives_way_to(&self.segment(flags, seq, 0, &[])).map(|used| used.since(OURS))
    }

    /// The peer acknowledges.
    pub(crate) fn acks(&mut self, ack: i32) {
        self.hear(ACK, 0, ack, 0);
    }

    /// All that the connection has to say now.
    pub(crate) fn say(&mut self) -> Vec<Said> {
        let mut said = Vec::new();
        while self.tcp.may_transmit()
            && let Some(segment) = self.tcp.transmit(&LOCAL, self.now)
        {
            let header = segment.header;
            self.sent_to = header.hardware;
            let place = |seq: Seq| seq.since(OURS).cast_signed();
            said.push(Said {
                seq: place(header.seq),
                len: segment.len,
                flags: Flags(header.flags.0 & !Flags::PSH.0),
                ack: header.ack.since(THEIRS),
                window: header.window,
            });
            assert!(said.len() < 10_000, "it never stops talking");
        }
        assert!(self.tcp.wake_at() > self.now, "a timer is due though nothing happens");
        said
    }

    /// The connection writes so many bytes.
    pub(crate) fn writes(&mut self, len: u32) -> Vec<Said> {
        self.tcp.write(len);
        self.say()
    }

    /// The connection ends.
    pub(crate) fn closes(&mut self) -> Vec<Said> {
        self.tcp.close();
        self.say()
    }

    /// Waits until the connection has something to do: how long that was, and what it says.
    pub(crate) fn wait(&mut self) -> (u64, Vec<Said>) {
        let until = self.tcp.wake_at();
        assert_ne!(until, NEVER, "it would wait for ever");
        let waited = until - self.now;
        self.now = until;
        self.tcp.tick(self.now);
        (waited, self.say())
    }

    pub(crate) fn state(&self) -> State {
        self.tcp.state()
    }
}

/// All that a peer may send ahead.
pub(crate) const ALL: u16 = WINDOW as u16;
