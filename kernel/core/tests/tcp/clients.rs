//! smoltcp's clients and our server, on a wire that loses, repeats, delays, damages and cuts: every byte arrives, in both
//! directions, and everything comes to an end.

use std::collections::VecDeque;

use mayfly_core::tcp::Local;
use mayfly_core::tcp::connection::NEVER;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet, SocketStorage};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, IpCidr, Ipv4Address,
};

use crate::server::{HEAD, LAST, Server, answer_byte, body_byte};
use crate::talk::{MS, SECOND};
use crate::wire::{Random, Wire};

/// Conversations with seeds from 0 on. `MAYFLY_TCP_SEEDS` asks for more of them.
const SEEDS: u64 = 600;
/// No conversation takes longer. smoltcp waits a minute for each loss once it has met many.
const LONGEST: u64 = 100_000 * SECOND;

const US: Local =
    Local { hardware: EthernetAddress([2, 0, 0, 0, 0, 2]), address: Ipv4Address::new(10, 0, 0, 2), port: 8080 };
const PEER: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 1]);
const PEER_ADDRESS: Ipv4Address = Ipv4Address::new(10, 0, 0, 1);

/// A card: frames that came and frames to go.
#[derive(Default)]
struct Card {
    came: VecDeque<Vec<u8>>,
    out: Vec<Vec<u8>>,
}

struct Came(Vec<u8>);
struct Out<'a>(&'a mut Vec<Vec<u8>>);

impl RxToken for Came {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

impl TxToken for Out<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, fill: F) -> R {
        let mut frame = vec![0; len];
        let result = fill(&mut frame);
        self.0.push(frame);
        result
    }
}

impl Device for Card {
    type RxToken<'a> = Came;
    type TxToken<'a> = Out<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Came, Out<'_>)> {
        Some((Came(self.came.pop_front()?), Out(&mut self.out)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Out<'_>> {
        Some(Out(&mut self.out))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        capabilities
    }
}

/// One client: all that it sends, and how much of both streams is done.
struct Client {
    socket: SocketHandle,
    stream: Vec<u8>,
    sent: usize,
    received: u64,
    expected: u64,
    /// The server is asked to end the connection.
    server_ends: bool,
    /// Our end is closed before the answers are there.
    half_closes: bool,
}

impl Client {
    fn new<'a>(
        random: &mut Random,
        [input, output]: &'a mut [Vec<u8>; 2],
        sockets: &mut SocketSet<'a>,
        interface: &mut Interface,
        port: u16,
    ) -> Self {
        let mut socket = Socket::new(SocketBuffer::new(&mut input[..]), SocketBuffer::new(&mut output[..]));
        socket.set_nagle_enabled(random.percent(50));
        if random.percent(50) {
            socket.set_ack_delay(None);
        }
        if random.percent(20) {
            socket.set_keep_alive(Some(Duration::from_millis(700)));
        }
        socket.connect(interface.context(), (US.address, US.port), port).expect("a free port");
        let server_ends = random.percent(40);
        let (mut stream, mut expected) = (Vec::new(), 0);
        let count = 1 + random.below(4);
        for at in 1..=count {
            let mut len = || {
                let most = [1, 300, 5000, 300 << 10][random.below(40).min(31) as usize / 10];
                random.below(most) as u32
            };
            let (body, answer) = (len(), len());
            expected += u64::from(answer);
            let last = if server_ends && at == count { LAST } else { 0 };
            stream.extend(body.to_le_bytes());
            stream.extend((answer | last).to_le_bytes());
            let start = stream.len() as u64;
            stream.extend((0..u64::from(body)).map(|more| body_byte(start + more)));
        }
        assert!(stream.len() >= HEAD);
        let half_closes = !server_ends && random.percent(40);
        let socket = sockets.add(socket);
        Self { socket, stream, sent: 0, received: 0, expected, server_ends, half_closes }
    }

    /// Does what can be done now; whether anything was.
    fn go_on(&mut self, socket: &mut Socket<'_>, patient: bool) -> bool {
        let before = (self.sent, self.received, socket.state());
        if socket.can_send() && self.sent < self.stream.len() {
            self.sent += socket.send_slice(&self.stream[self.sent..]).expect("it can send");
        }
        while socket.can_recv() {
            let bytes = socket.recv(|bytes| (bytes.len(), bytes.to_vec())).expect("it can receive");
            for byte in bytes {
                assert_eq!(byte, answer_byte(self.received), "at {} of the answers", self.received);
                self.received += 1;
            }
        }
        assert!(self.received <= self.expected);
        let all_sent = self.sent == self.stream.len();
        let done = self.received == self.expected && (!self.server_ends || !socket.may_recv());
        if all_sent && (self.half_closes || done) && socket.may_send() && socket.state() != State::SynSent {
            socket.close();
        }
        if !patient && all_sent && done {
            socket.abort();
        }
        before != (self.sent, self.received, socket.state())
    }
}

/// Answers the client's question for our hardware address.
fn answer_arp(frame: &[u8]) -> Option<Vec<u8>> {
    let ethernet = EthernetFrame::new_checked(frame).ok()?;
    if ethernet.ethertype() != EthernetProtocol::Arp {
        return None;
    }
    let answer = ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Reply,
        source_hardware_addr: US.hardware,
        source_protocol_addr: US.address,
        target_hardware_addr: PEER,
        target_protocol_addr: PEER_ADDRESS,
    };
    let mut out = vec![0; 14 + answer.buffer_len()];
    let mut ethernet = EthernetFrame::new_unchecked(&mut out);
    ethernet.set_dst_addr(PEER);
    ethernet.set_src_addr(US.hardware);
    ethernet.set_ethertype(EthernetProtocol::Arp);
    answer.emit(&mut ArpPacket::new_unchecked(ethernet.payload_mut()));
    Some(out)
}

fn instant(nanos: u64) -> Instant {
    Instant::from_micros((nanos / 1000).cast_signed())
}

fn converse(seed: u64) {
    let mut random = Random(seed);
    let mut now = random.below(100_000) * MS;
    let (mut there, mut back) = (Wire::new(random.next()), Wire::new(random.next()));
    let mut server = Server::new(US, random.next());
    let mut card = Card::default();
    let mut config = Config::new(PEER.into());
    config.random_seed = random.next();
    let mut interface = Interface::new(config, &mut card, instant(now));
    interface.update_ip_addrs(|addresses| addresses.push(IpCidr::new(PEER_ADDRESS.into(), 24)).expect("room for one"));
    let mut buffer = || vec![0; [600, 5000, 65535, 200_000][random.below(4) as usize]];
    let mut buffers: [[Vec<u8>; 2]; 4] = std::array::from_fn(|_| [buffer(), buffer()]);
    let mut places: [SocketStorage<'_>; 4] = Default::default();
    let mut sockets = SocketSet::new(&mut places[..]);
    let count = 1 + random.below(4) as usize;
    let mut clients: Vec<Client> = buffers[..count]
        .iter_mut()
        .zip(40000..)
        .map(|(buffers, port)| Client::new(&mut random, buffers, &mut sockets, &mut interface, port))
        .collect();
    let start = now;
    let mut rounds = 0;
    loop {
        while let Some(frame) = there.take(now) {
            server.receive(&frame, now);
        }
        server.tick(now);
        server.out.drain(..).for_each(|frame| back.put(&frame, now));
        while let Some(frame) = back.take(now) {
            card.came.push_back(frame);
        }
        // smoltcp 0.14 forgets a FIN that was lost if old acknowledgements repeat themselves then.
        let patient = now - start < LONGEST / 2;
        loop {
            interface.poll(instant(now), &mut card, &mut sockets);
            let mut progress = false;
            for client in &mut clients {
                progress |= client.go_on(sockets.get_mut(client.socket), patient);
            }
            if !progress {
                break;
            }
        }
        for frame in card.out.drain(..) {
            match answer_arp(&frame) {
                Some(answer) => back.put_safely(answer, now),
                None => there.put(&frame, now),
            }
        }
        let over = clients.iter().all(|client| sockets.get::<Socket<'_>>(client.socket).state() == State::Closed);
        if over && server.is_empty() {
            break;
        }
        let client_next = interface.poll_at(instant(now), &sockets);
        let client_next = client_next.map_or(NEVER, |at| at.total_micros().cast_unsigned() * 1000);
        let next = client_next.min(there.next()).min(back.next()).min(server.next());
        assert_ne!(next, NEVER, "everybody waits for ever");
        // The client's clock has microseconds.
        now = next.max(now + 1000);
        rounds += 1;
        assert!(
            rounds < 1_000_000 && now - start < LONGEST,
            "it does not end: {rounds} rounds, {} s",
            (now - start) / SECOND
        );
    }
    for client in &clients {
        assert_eq!((client.sent, client.received), (client.stream.len(), client.expected), "not everything arrived");
    }
    assert_eq!(server.next(), NEVER, "a timer is left");
}

#[test]
fn every_byte_arrives_and_everything_ends_whatever_the_wire_does() {
    let seeds = std::env::var("MAYFLY_TCP_SEEDS").map_or(SEEDS, |seeds| seeds.parse().expect("a number"));
    let from = std::env::var("MAYFLY_TCP_FROM").map_or(0, |seed| seed.parse().expect("a number"));
    for seed in from..from + seeds {
        // What fails says with which seed.
        let result = std::panic::catch_unwind(|| converse(seed));
        assert!(result.is_ok(), "with seed {seed}");
    }
}
