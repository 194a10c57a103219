//! The machine as its network sees it: the test is the other end of the wire and speaks Ethernet itself.

use mayfly_qemu::Launch;
use mayfly_tests::ethernet::{Ethernet, GATEWAY, MACHINE, OUR_HARDWARE, ask};
use mayfly_tests::images;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpRepr, EthernetFrame, EthernetProtocol, Icmpv4Packet, Icmpv4Repr, IpProtocol, Ipv4Packet, Ipv4Repr,
};

#[test]
fn the_machine_announces_itself_and_asks_for_its_gateway_at_boot() {
    let wire = Ethernet::boot(Launch::new(images::hello()));
    let announcement = wire.receive_arp();
    let ArpRepr::EthernetIpv4 { source_hardware_addr: hardware, .. } = announcement else { panic!("not for IPv4") };
    assert_eq!(announcement, ask(hardware, MACHINE, MACHINE));
    assert_eq!(wire.receive_arp(), ask(hardware, MACHINE, GATEWAY));
    assert_eq!(wire.resolve(), hardware);
}

#[test]
fn an_echo_request_gets_its_reply() {
    let wire = Ethernet::boot(Launch::new(images::hello()));
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
    assert_eq!(wire.guest().machine().console().text(), "");
}

#[test]
fn frames_of_random_bytes_are_survived() {
    let wire = Ethernet::boot(Launch::new(images::hello()));
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
    assert_eq!(wire.guest().machine().console().text(), "");
}
