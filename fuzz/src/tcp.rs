//! TCP: bytes become segments, time, and what a server does, on a handshake and its connection; what the connection
//! delivers is read as HTTP. However the segments come, the server reads the peer's stream, and its own stays whole.

mod server;

use arbitrary::{Arbitrary, Unstructured};
use mayfly_core::tcp::{Flags, Remote, Segment, Seq};
use smoltcp::wire::{EthernetAddress, Ipv4Address};

use server::Server;

/// The peer's first sequence number: its stream soon passes the end of all numbers.
const THEIRS: Seq = Seq(u32::MAX - 300);
/// What the peer sends again and again, as its stream.
const REQUESTS: &[u8] =
    b"GET /hello HTTP/1.1\r\nhost: a\r\n\r\nPOST /echo?x HTTP/1.1\r\nhost: b\r\ncontent-length: 5\r\n\r\n\
    12345PUT /sha256 HTTP/1.1\r\nhost: c\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";

/// What happens.
#[derive(Arbitrary, Debug)]
enum Step {
    /// A segment near the places that both streams have reached, with the bytes of the peer's stream.
    Segment { flags: u8, seq: i16, ack: i16, len: u16, window: u16 },
    /// One with any numbers. Its data is the stream's too, so that it may be taken if it is in the window.
    Forged { flags: u8, seq: u32, ack: u32, len: u8 },
    /// The peer has heard everything, says the next bytes, and takes so much.
    Good { len: u16, window: u16, fin: bool },
    /// A frame: any bytes.
    Frame(Vec<u8>),
    /// So many milliseconds.
    Wait(u16),
    /// Until the next timer.
    Sleep,
    /// The server writes.
    Write(u16),
    /// It has room for so much, and takes no more at once.
    Room(u16),
    /// It ends its stream.
    Close,
    /// It breaks the connection off.
    Abort,
    /// The peer comes back with a new stream.
    Reopen,
}

/// The byte at a place of the peer's stream.
fn byte(at: u64) -> u8 {
    REQUESTS[(at % REQUESTS.len() as u64) as usize]
}

/// A segment from the peer whose data is what its stream has there.
fn segment(seq: Seq, ack: Seq, flags: u8, len: usize, window: u16, data: &mut Vec<u8>) -> Segment<'_> {
    // As signed: a segment may begin before the stream.
    let start = i64::from(seq.since(THEIRS.plus(1)).cast_signed());
    data.clear();
    data.extend((start..start + len as i64).map(|at| byte(at.rem_euclid(1 << 32).cast_unsigned())));
    Segment {
        hardware: EthernetAddress([2, 0, 0, 0, 0, 1]),
        remote: Remote { address: Ipv4Address::new(10, 0, 0, 1), port: 4000 },
        port: 8080,
        seq,
        ack,
        flags: Flags(flags & 0x1f),
        window,
        options: &[2, 4, 5, 180, 3, 3, 2],
        payload: data,
    }
}

/// Takes a server through the steps.
pub fn run(data: &[u8]) -> bool {
    let Ok(steps) = Vec::<Step>::arbitrary_take_rest(Unstructured::new(data)) else { return false };
    let (mut server, mut bytes) = (Server::new(), Vec::new());
    server.open(THEIRS, &mut bytes);
    let mut exchanged = false;
    for step in steps {
        let (read, heard) = server.places();
        match step {
            Step::Segment { flags, seq, ack, len, window } => {
                let (seq, ack) = (i32::from(seq).cast_unsigned(), i32::from(ack).cast_unsigned());
                let len = usize::from(len % 1461);
                server.receive(&segment(read.plus(seq), heard.plus(ack), flags, len, window, &mut bytes));
            }
            Step::Forged { flags, seq, ack, len } => {
                server.receive(&segment(Seq(seq), Seq(ack), flags, len.into(), 1000, &mut bytes));
            }
            Step::Good { len, window, fin } => {
                let flags = Flags::ACK.with(Flags::FIN, fin).0;
                server.receive(&segment(read, heard, flags, usize::from(len % 1461), window, &mut bytes));
                exchanged = true;
            }
            Step::Frame(frame) => server.frame(&frame),
            Step::Wait(time) => server.wait(u64::from(time) * 1_000_000),
            Step::Sleep => server.sleep(),
            Step::Write(len) => server.write(len.into()),
            Step::Room(room) => server.set_room(room.into()),
            Step::Close => server.close(),
            Step::Abort => server.abort(),
            Step::Reopen => server.open(THEIRS, &mut bytes),
        }
    }
    server.end();
    exchanged
}
