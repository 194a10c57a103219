//! The machine as its network sees it: the test is the other end of the wire and speaks Ethernet itself.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use mayfly_qemu::{Launch, MachineType};
use mayfly_tests::{Guest, images};
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, Icmpv4Packet,
    Icmpv4Repr, IpProtocol, Ipv4Packet, Ipv4Repr,
};

/// The machine's address, as the launcher sets it.
const MACHINE: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);
/// Our address: the machine's gateway.
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
const OUR_HARDWARE: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 1]);
/// How long a frame may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Our end of a wire to a machine's network card: each frame is a datagram.
struct Wire {
    socket: UdpSocket,
    machine_end: SocketAddr,
    guest: Guest,
}

impl Wire {
    fn boot() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        // QEMU needs a port of its own; nobody else asks for one of these between now and then.
        let machine_end = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|other| other.local_addr());
        let machine_end = machine_end.expect("a port is free");
        let ours = socket.local_addr().expect("it is bound").port();
        let theirs = machine_end.port();
        let mut machine = MachineType::all()[0].clone();
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
        let launch = Launch::new(images::hello()).machine(Box::leak(Box::new(machine))).without_network();
        Self { socket, machine_end, guest: Guest::serving(launch) }
    }

    /// The next frame of this kind, if there is one within `time`.
    fn receive_within(&self, time: Duration, kind: EthernetProtocol) -> Option<Vec<u8>> {
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

    fn receive(&self, kind: EthernetProtocol) -> Vec<u8> {
        self.receive_within(PATIENCE, kind).unwrap_or_else(|| panic!("no {kind} frame in {PATIENCE:?}"))
    }

    fn receive_arp(&self) -> ArpRepr {
        arp(&self.receive(EthernetProtocol::Arp))
    }

    /// Sends a frame whose payload of `len` bytes is written by `write`.
    fn send(&self, to: EthernetAddress, kind: EthernetProtocol, len: usize, write: impl FnOnce(&mut [u8])) {
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
    fn resolve(&self) -> EthernetAddress {
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
fn ask(hardware: EthernetAddress, source: Ipv4Addr, target: Ipv4Addr) -> ArpRepr {
    ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Request,
        source_hardware_addr: hardware,
        source_protocol_addr: source,
        target_hardware_addr: EthernetAddress([0; 6]),
        target_protocol_addr: target,
    }
}

#[test]
fn the_machine_announces_itself_and_asks_for_its_gateway_at_boot() {
    let wire = Wire::boot();
    let announcement = wire.receive_arp();
    let ArpRepr::EthernetIpv4 { source_hardware_addr: hardware, .. } = announcement else { panic!("not for IPv4") };
    assert_eq!(announcement, ask(hardware, MACHINE, MACHINE));
    assert_eq!(wire.receive_arp(), ask(hardware, MACHINE, GATEWAY));
    assert_eq!(wire.resolve(), hardware);
}

#[test]
fn an_echo_request_gets_its_reply() {
    let wire = Wire::boot();
    let machine = wire.resolve();
    for (sequence, data) in [(1, &b""[..]), (2, b"ping"), (3, &[0xa5; 1400])] {
        let echo = Icmpv4Repr::EchoRequest { ident: 0x1234, seq_no: sequence, data };
        let ip = Ipv4Repr {
            src_addr: GATEWAY,
            dst_addr: MACHINE,
            next_header: IpProtocol::Icmp,
            payload_len: echo.buffer_len(),
            hop_limit: 64,
        };
        let checksums = ChecksumCapabilities::default();
        wire.send(machine, EthernetProtocol::Ipv4, ip.buffer_len() + echo.buffer_len(), |payload| {
            let mut packet = Ipv4Packet::new_unchecked(payload);
            ip.emit(&mut packet, &checksums);
            echo.emit(&mut Icmpv4Packet::new_unchecked(packet.payload_mut()), &checksums);
        });
        let frame = wire.receive(EthernetProtocol::Ipv4);
        let frame = EthernetFrame::new_unchecked(&frame);
        assert_eq!((frame.src_addr(), frame.dst_addr()), (machine, OUR_HARDWARE));
        let packet = Ipv4Packet::new_checked(frame.payload()).expect("a whole packet");
        let reply = Ipv4Repr::parse(&packet, &checksums).expect("a valid header");
        assert_eq!((reply.src_addr, reply.dst_addr), (MACHINE, GATEWAY));
        let message = Icmpv4Packet::new_checked(packet.payload()).expect("a whole message");
        let reply = Icmpv4Repr::parse(&message, &checksums).expect("a valid message");
        assert_eq!(reply, Icmpv4Repr::EchoReply { ident: 0x1234, seq_no: sequence, data });
    }
    assert_eq!(wire.guest.machine().console().text(), "");
}

#[test]
fn frames_of_random_bytes_are_survived() {
    let wire = Wire::boot();
    let machine = wire.resolve();
    let mut rng = fastrand::Rng::with_seed(1);
    for _ in 0..2000 {
        let mut bytes = vec![0; rng.usize(..1500)];
        rng.fill(&mut bytes);
        let kind = rng.choice([EthernetProtocol::Arp, EthernetProtocol::Ipv4, EthernetProtocol::Unknown(0x1234)]);
        let kind = kind.expect("there are three");
        wire.send(machine, kind, bytes.len(), |payload| payload.copy_from_slice(&bytes));
    }
    assert_eq!(wire.resolve(), machine);
    assert_eq!(wire.guest.machine().console().text(), "");
}
