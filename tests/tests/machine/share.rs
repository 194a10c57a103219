//! The share of one address: who holds it makes room among its own connections, and others still get in. QEMU's own network
//! shows the machine one address only, so the test plays all clients itself.

use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use mayfly_qemu::Launch;
use mayfly_tests::ethernet::{Ethernet, MACHINE, PATIENCE, tcp_packet};
use mayfly_tests::images;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, Ipv4Packet, Ipv4Repr, TcpControl, TcpPacket, TcpRepr,
    TcpSeqNumber,
};

/// The machine's port.
const SERVER: u16 = 8080;
const REQUEST: &[u8] = b"GET /hello HTTP/1.1\r\nHost: mayfly\r\n\r\n";
/// A client that hears nothing says it again after so long.
const AGAIN: Duration = Duration::from_millis(200);

/// One end of a connection.
pub(super) type Client = (Ipv4Addr, u16);

/// Clients of a machine that are all played by the test.
pub(super) struct Clients {
    pub(super) wire: Ethernet,
    machine: EthernetAddress,
    /// Those whose connection the machine has ended.
    pub(super) ended: Vec<Client>,
}

impl Clients {
    pub(super) fn boot(launch: Launch) -> Self {
        let wire = Ethernet::boot(launch);
        Self { machine: wire.resolve(), wire, ended: Vec::new() }
    }

    /// Opens a connection, asks for hello, and takes the answer.
    pub(super) fn connect_and_ask(&mut self, client: Client) {
        let first = self.connect(client);
        let request = segment(TcpControl::Psh, 1, Some(first), REQUEST);
        let (answer, len) = self.expect(client, &request, |heard| heard.payload.starts_with(b"HTTP/1.1 200 "));
        self.say(client, &segment(TcpControl::None, 1 + REQUEST.len() as i32, Some(answer + len), b""));
    }

    /// Opens a connection, as far as the machine's SYN: where its stream begins.
    pub(super) fn connect(&mut self, client: Client) -> TcpSeqNumber {
        let syn = segment(TcpControl::Syn, 0, None, b"");
        self.expect(client, &syn, |heard| heard.control == TcpControl::Syn).0 + 1
    }

    pub(super) fn say(&self, (address, port): Client, segment: &TcpRepr<'_>) {
        let packet = tcp_packet(address, MACHINE, &TcpRepr { src_port: port, ..*segment });
        self.wire.send(self.machine, EthernetProtocol::Ipv4, packet.len(), |frame| frame.copy_from_slice(&packet));
    }

    /// Says something until a segment comes that answers it: where that begins and how long it is.
    fn expect(
        &mut self,
        client: Client,
        say: &TcpRepr<'_>,
        answers: impl Fn(&TcpRepr<'_>) -> bool,
    ) -> (TcpSeqNumber, usize) {
        let checksums = ChecksumCapabilities::default();
        let asked = Instant::now();
        while asked.elapsed() < PATIENCE {
            self.say(client, say);
            while let Some(frame) = self.wire.receive_within(AGAIN, EthernetProtocol::Ipv4) {
                let frame = EthernetFrame::new_unchecked(&frame);
                let packet = Ipv4Packet::new_checked(frame.payload()).expect("a whole packet");
                let ip = Ipv4Repr::parse(&packet, &checksums).expect("a valid header");
                let tcp = TcpPacket::new_checked(packet.payload()).expect("a whole segment");
                let heard = TcpRepr::parse(&tcp, &ip.src_addr.into(), &ip.dst_addr.into(), &checksums);
                let heard = heard.expect("a valid segment");
                let to = (ip.dst_addr, heard.dst_port);
                if matches!(heard.control, TcpControl::Fin | TcpControl::Rst) {
                    self.ended.push(to);
                } else if to == client && answers(&heard) {
                    return (heard.seq_number, heard.payload.len());
                }
            }
        }
        panic!("{client:?} gets no answer to {say}");
    }
}

/// A client's segment. Its stream begins at 0.
pub(super) fn segment(control: TcpControl, seq: i32, ack_number: Option<TcpSeqNumber>, payload: &[u8]) -> TcpRepr<'_> {
    TcpRepr {
        src_port: 0,
        dst_port: SERVER,
        control,
        seq_number: TcpSeqNumber(seq),
        ack_number,
        window_len: u16::MAX,
        window_scale: None,
        max_seg_size: None,
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload,
    }
}

#[test]
fn who_holds_its_share_of_connections_makes_room_itself_and_others_get_in() {
    /// More than a machine of 16 MiB takes from one address.
    const GREEDY: u16 = 1000;
    const OTHERS: u8 = 8;
    /// Addresses are counted in 256 groups, and nobody knows which: so many of the others may be in the greedy one's.
    const UNLUCKY: usize = 2;
    /// A connection may go for another when it was idle for a second.
    const IDLE: Duration = Duration::from_millis(1200);
    /// The first port of each.
    const PORT: u16 = 1024;
    let greedy = Ipv4Addr::new(198, 18, 0, 1);
    let others = (1..=OTHERS).map(|at| Ipv4Addr::new(198, 18, 1, at));
    let mut clients = Clients::boot(Launch::new(images::hello()).memory_mib(16));
    // The first to come would be the first to go, if it did not matter whose they are.
    others.clone().for_each(|other| clients.connect_and_ask((other, PORT)));
    thread::sleep(IDLE);
    (0..GREEDY).for_each(|at| clients.connect_and_ask((greedy, PORT + at)));
    let open = clients.wire.guest().settle(Duration::from_millis(20)).connections;
    println!("{open} connections are open, {} were ended", clients.ended.len());
    assert!(!clients.ended.is_empty() && open < u64::from(GREEDY), "there was room for {open}");
    assert!(clients.ended.iter().all(|(address, _)| *address == greedy), "{:?} made room", clients.ended);
    // Nobody has to make room for them.
    let before = clients.ended.len();
    others.for_each(|other| clients.connect_and_ask((other, PORT + 1)));
    let ended = &clients.ended[before..];
    assert!(ended.len() <= UNLUCKY, "{ended:?} made room");
}
