//! The machine at the end of a wire that misbehaves: nothing that a client sends or gets is changed or lost. The `wire`
//! bench has the acceptance run, and the `flood` bench the whole flood.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use mayfly_qemu::Launch;
use mayfly_qemu::wire::Impairments;
use mayfly_tests::{Echoes, Exchange, Flood, Guest, Request, bad_wire, images};
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpPacket, ArpRepr, EthernetFrame, EthernetProtocol, Ipv4Packet, Ipv4Repr, TcpControl, TcpPacket, TcpRepr,
};

/// How long the requests of one wire may take.
const LIMIT: Duration = Duration::from_secs(120);

/// Puts requests on a machine behind a wire, and gives the machine back.
#[track_caller]
fn expect_echoes(impairments: Impairments, echoes: Echoes) -> Guest {
    let guest = Guest::serving(Launch::new(images::all()).wire(impairments)).within(LIMIT);
    let outcome = echoes.ask(&guest, || ());
    let counters = guest.machine().wire().expect("one was asked for").counters();
    println!("{impairments}: {outcome}\n{counters}");
    assert_eq!((outcome.latencies.count(), outcome.failures), (echoes.requests, 0), "{outcome}");
    guest
}

#[test]
fn a_wire_that_loses_doubles_and_reorders_changes_no_answer() {
    for seed in [1, 2] {
        let guest = expect_echoes(bad_wire(seed), Echoes { requests: 400, connections: 64 });
        let counters = guest.machine().wire().expect("one was asked for").counters();
        for lane in [counters.to_machine, counters.to_peer] {
            assert!(lane.lost > 0 && lane.duplicated > 0 && lane.reordered > 0, "{counters}");
        }
    }
}

#[test]
fn a_wire_that_damages_frames_changes_no_answer() {
    let damage = Impairments { corrupt: 0.01, truncate: 0.01, seed: 1, ..Impairments::default() };
    let guest = expect_echoes(damage, Echoes { requests: 400, connections: 64 });
    let counters = guest.machine().wire().expect("one was asked for").counters();
    for lane in [counters.to_machine, counters.to_peer] {
        assert!(lane.corrupted > 0 && lane.truncated > 0, "{counters}");
    }
}

#[test]
fn a_flood_of_syns_keeps_nobody_from_being_served() {
    let guest = Guest::serving(Launch::new(images::all()).wire(Impairments::default()));
    let mut staying = guest.connect();
    staying.ask(&Request::get("/hello"));
    let wire = guest.machine().wire().expect("one was asked for");
    let hello = Exchange::hello("you");
    thread::scope(|scope| {
        let flood = scope.spawn(|| Flood { syns: 5000, rate: 5000 }.pour(wire));
        let mut asked = 0;
        while !flood.is_finished() {
            hello.check(&staying.ask(&hello.request)).unwrap_or_else(|wrong| panic!("{wrong}"));
            guest.expect_hello();
            asked += 1;
        }
        println!("asked {asked} times, {}", wire.counters());
        assert!(asked > 10, "asked {asked} times");
    });
    assert!(wire.counters().to_machine.frames > 5000, "the flood was on the wire");
    guest.expect_hello();
}

#[test]
fn a_slow_wire_takes_its_time_both_ways() {
    let delay = Duration::from_millis(20);
    let guest = Guest::serving(Launch::new(images::all()).wire(Impairments { delay, ..Impairments::default() }));
    let mut connection = guest.connect();
    connection.ask(&Request::get("/hello"));
    let asked = Instant::now();
    connection.ask(&Request::get("/hello"));
    assert!(asked.elapsed() >= 2 * delay, "it took {:?}", asked.elapsed());
}

#[test]
fn a_capture_holds_every_frame_whole() {
    let path = images::place("wire.pcap");
    let body = vec![0x5a; 20_000];
    let guest = Guest::serving(Launch::new(images::all()).capture(&path));
    let exchange = Exchange::echo(body.clone());
    exchange.check(&guest.ask(&exchange.request)).unwrap_or_else(|wrong| panic!("{wrong}"));
    guest.settle(Duration::from_millis(100));
    let counters = guest.machine().wire().expect("one was asked for").counters();
    drop(guest);
    let bytes = fs::read(&path).expect("it was written");
    let frames = frames(&bytes);
    assert_eq!(frames.len() as u64, counters.to_machine.frames + counters.to_peer.frames);
    let mut sent = [0, 0];
    let mut syns = 0;
    for frame in frames {
        let frame = EthernetFrame::new_checked(frame).expect("a whole frame");
        match frame.ethertype() {
            EthernetProtocol::Arp => {
                let packet = ArpPacket::new_checked(frame.payload()).expect("a whole packet");
                ArpRepr::parse(&packet).expect("ARP for IPv4");
            }
            EthernetProtocol::Ipv4 => {
                let checksums = ChecksumCapabilities::default();
                let packet = Ipv4Packet::new_checked(frame.payload()).expect("a whole packet");
                let ip = Ipv4Repr::parse(&packet, &checksums).expect("a valid header");
                let segment = TcpPacket::new_checked(packet.payload()).expect("a whole segment");
                let tcp = TcpRepr::parse(&segment, &ip.src_addr.into(), &ip.dst_addr.into(), &checksums);
                let tcp = tcp.expect("a valid segment");
                sent[usize::from(tcp.src_port == 8080)] += tcp.payload.len();
                syns += u32::from(tcp.control == TcpControl::Syn);
            }
            other => panic!("nobody sends {other}"),
        }
    }
    assert_eq!(syns, 2, "the client's and the machine's");
    assert!(sent.iter().all(|sent| *sent > body.len()), "{sent:?} bytes were sent");
}

/// The frames of a classic pcap file of this host's byte order.
fn frames(mut bytes: &[u8]) -> Vec<&[u8]> {
    /// Bytes of the file's header and of a frame's.
    const FILE: usize = 24;
    const FRAME: usize = 16;
    let word = |bytes: &[u8], at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    assert_eq!((word(bytes, 0), word(bytes, 20)), (0xa1b2_c3d4, 1), "microseconds and Ethernet");
    bytes = &bytes[FILE..];
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let (captured, len) = (word(bytes, 8) as usize, word(bytes, 12) as usize);
        assert_eq!(captured, len, "the whole frame");
        frames.push(&bytes[FRAME..FRAME + len]);
        bytes = &bytes[FRAME + len..];
    }
    frames
}
