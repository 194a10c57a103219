//! The other end of a machine's wire, for tests that speak Ethernet themselves.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use mayfly_qemu::Launch;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, IpProtocol,
    Ipv4Packet, Ipv4Repr, TcpPacket, TcpRepr,
};

use crate::{Guest, elsewhere};

/// The machine's address, as the launcher sets it.
pub const MACHINE: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);
/// The address that it takes for its gateway's: one of ours.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
/// Our hardware address.
pub const OUR_HARDWARE: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 1]);
/// How long a frame may take.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Our end of a wire to a machine's network card: each frame is a datagram.
#[derive(Debug)]
pub struct Ethernet {
    socket: UdpSocket,
    machine_end: SocketAddr,
    guest: Guest,
}

impl Ethernet {
    /// Boots a machine at the other end.
    pub fn boot(launch: Launch) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        // QEMU needs a port of its own; nobody else asks for one of these between now and then.
        let machine_end = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|other| other.local_addr());
        let machine_end = machine_end.expect("a port is free");
        let ours = socket.local_addr().expect("it is bound").port();
        let theirs = machine_end.port();
        let mut machine = elsewhere::usual().clone();
        machine.arguments.extend([
            "-netdev".to_owned(),
            format!(
                "dgram,id=wire,local.type=inet,local.host=127.0.0.1,local.port={theirs},\
                 remote.type=inet,remote.host=127.0.0.1,remote.port={ours}"
            ),
            "-device".to_owned(),
            format!("{},netdev=wire", machine.nic),
        ]);
        // Machines are static data; one more for each test is nothing.
        let launch = launch.machine(Box::leak(Box::new(machine))).without_network();
        Self { socket, machine_end, guest: Guest::serving(launch) }
    }

    /// The machine at the other end.
    pub fn guest(&self) -> &Guest {
        &self.guest
    }

    /// The next frame of this kind, if there is one within `time`.
    pub fn receive_within(&self, time: Duration, kind: EthernetProtocol) -> Option<Vec<u8>> {
        self.socket.set_read_timeout(Some(time)).expect("a timeout can be set");
        loop {
            let mut frame = vec![0; 2048];
            let len = self.socket.recv(&mut frame).ok()?;
            frame.truncate(len);
            if EthernetFrame::new_checked(&frame).expect("a whole frame").ethertype() == kind {
                return Some(frame);
            }
        }
    }

    /// The next frame of this kind. There must be one.
    pub fn receive(&self, kind: EthernetProtocol) -> Vec<u8> {
        self.receive_within(PATIENCE, kind).unwrap_or_else(|| panic!("no {kind} frame in {PATIENCE:?}"))
    }

    /// The next ARP packet. There must be one.
    pub fn receive_arp(&self) -> ArpRepr {
        arp(&self.receive(EthernetProtocol::Arp))
    }

    /// Sends a frame whose payload of `len` bytes is written by `write`.
    pub fn send(&self, to: EthernetAddress, kind: EthernetProtocol, len: usize, write: impl FnOnce(&mut [u8])) {
        let ethernet = EthernetRepr { src_addr: OUR_HARDWARE, dst_addr: to, ethertype: kind };
        let mut frame = vec![0; ethernet.buffer_len() + len];
        let mut view = EthernetFrame::new_unchecked(&mut frame);
        ethernet.emit(&mut view);
        write(view.payload_mut());
        self.socket.send_to(&frame, self.machine_end).expect("the machine's end is open");
    }

    fn send_arp(&self, to: EthernetAddress, arp: ArpRepr) {
        self.send(to, EthernetProtocol::Arp, arp.buffer_len(), |payload| {
            arp.emit(&mut ArpPacket::new_unchecked(payload));
        });
    }

    /// Asks for the machine's hardware address until it answers: a wire that is busy loses frames.
    pub fn resolve(&self) -> EthernetAddress {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            self.send_arp(EthernetAddress::BROADCAST, ask(OUR_HARDWARE, GATEWAY, MACHINE));
            while let Some(frame) = self.receive_within(Duration::from_millis(200), EthernetProtocol::Arp) {
                let ArpRepr::EthernetIpv4 { operation, source_hardware_addr, .. } = arp(&frame) else { continue };
                if operation == ArpOperation::Reply {
                    return source_hardware_addr;
                }
            }
        }
        panic!("the machine does not tell its hardware address");
    }
}

fn arp(frame: &[u8]) -> ArpRepr {
    let frame = EthernetFrame::new_unchecked(frame);
    ArpRepr::parse(&ArpPacket::new_checked(frame.payload()).expect("a whole packet")).expect("ARP for IPv4")
}

/// The question who has `target`.
pub fn ask(hardware: EthernetAddress, source: Ipv4Addr, target: Ipv4Addr) -> ArpRepr {
    ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Request,
        source_hardware_addr: hardware,
        source_protocol_addr: source,
        target_hardware_addr: EthernetAddress([0; 6]),
        target_protocol_addr: target,
    }
}

/// The IP packet that carries a TCP segment.
pub fn tcp_packet(from: Ipv4Addr, to: Ipv4Addr, tcp: &TcpRepr<'_>) -> Vec<u8> {
    let next_header = IpProtocol::Tcp;
    let ip = Ipv4Repr { src_addr: from, dst_addr: to, next_header, payload_len: tcp.buffer_len(), hop_limit: 64 };
    let mut bytes = vec![0; ip.buffer_len() + tcp.buffer_len()];
    let checksums = ChecksumCapabilities::default();
    let mut packet = Ipv4Packet::new_unchecked(&mut bytes);
    ip.emit(&mut packet, &checksums);
    let mut segment = TcpPacket::new_unchecked(packet.payload_mut());
    tcp.emit(&mut segment, &from.into(), &to.into(), &checksums);
    bytes
}
