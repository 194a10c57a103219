//! Headers: what is written is read back, by us and by smoltcp; what is damaged is noticed; resets are exact.

use mayfly_core::tcp::segment::{HEADERS, parse};
use mayfly_core::tcp::{Flags, Frame, Header, Local, Remote, Segment, Seq};
use proptest::prelude::*;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    EthernetAddress, EthernetFrame, IpAddress, Ipv4Address, Ipv4Packet, Ipv4Repr, TcpControl, TcpPacket, TcpRepr,
};

const US: Local =
    Local { hardware: EthernetAddress([2, 0, 0, 0, 0, 2]), address: Ipv4Address::new(10, 0, 0, 2), port: 8080 };
const PEER: Local =
    Local { hardware: EthernetAddress([2, 0, 0, 0, 0, 1]), address: Ipv4Address::new(10, 0, 0, 1), port: 4000 };

/// A frame from the peer to us. Only a header that we write ourselves has our options.
fn frame(seq: u32, ack: u32, flags: u8, data: &[u8]) -> Vec<u8> {
    let header = Header {
        hardware: US.hardware,
        remote: Remote { address: US.address, port: US.port },
        port: PEER.port,
        seq: Seq(seq),
        ack: Seq(ack),
        flags: Flags(flags),
        window: 0x1234,
        scale: true,
    };
    let mut frame = vec![0; header.len() + data.len()];
    frame[header.len()..].copy_from_slice(data);
    header.emit(&mut frame, &PEER, false);
    frame
}

fn segment(frame: &[u8]) -> Segment<'_> {
    match parse(frame, US.address, false) {
        Frame::Tcp(segment) => segment,
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        seq in any::<u32>(), ack in any::<u32>(), flags in 0_u8..32, data in prop::collection::vec(any::<u8>(), 0..1460),
        padding in 0_usize..20,
    ) {
        // No SYN of ours has data.
        let data = if flags & Flags::SYN.0 == 0 { data } else { Vec::new() };
        let mut frame = frame(seq, ack, flags, &data);
        {
            let ethernet = EthernetFrame::new_checked(&frame).expect("a frame");
            let ip = Ipv4Packet::new_checked(ethernet.payload()).expect("a packet");
            let repr = Ipv4Repr::parse(&ip, &ChecksumCapabilities::default()).expect("a sound header");
            let tcp = TcpPacket::new_checked(ip.payload()).expect("a segment");
            let ends = (IpAddress::Ipv4(repr.src_addr), IpAddress::Ipv4(repr.dst_addr));
            prop_assert!(tcp.verify_checksum(&ends.0, &ends.1));
            if flags == Flags::SYN.0 {
                let repr = TcpRepr::parse(&tcp, &ends.0, &ends.1, &ChecksumCapabilities::default()).expect("a SYN");
                prop_assert_eq!((repr.control, repr.max_seg_size), (TcpControl::Syn, Some(1460)));
                prop_assert_eq!(repr.window_scale, Some(0));
            }
        }
        // Short frames come with padding.
        frame.extend(vec![0xaa; padding]);
        let segment = segment(&frame);
        prop_assert_eq!((segment.seq, segment.ack, segment.flags), (Seq(seq), Seq(ack), Flags(flags)));
        prop_assert_eq!((segment.hardware, segment.port, segment.window), (PEER.hardware, US.port, 0x1234));
        prop_assert_eq!(segment.remote, Remote { address: PEER.address, port: PEER.port });
        prop_assert_eq!(segment.payload, &data[..]);
    }

    #[test]
    fn a_flipped_bit_is_noticed_and_a_frame_cut_short_too(
        data in prop::collection::vec(any::<u8>(), 0..100), at in 14_usize..154, bit in 0_u8..8, cut in 0_usize..154,
    ) {
        let mut frame = frame(1, 2, Flags::ACK.0, &data);
        let at = at.min(frame.len() - 1);
        let cut = cut.min(frame.len() - 1);
        prop_assert!(!matches!(parse(&frame[..cut], US.address, false), Frame::Tcp(_)));
        frame[at] ^= 1 << bit;
        prop_assert!(!matches!(parse(&frame, US.address, false), Frame::Tcp(_)));
    }

    #[test]
    fn no_bytes_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), checked in any::<bool>()) {
        // Close enough to a segment that its header is looked at.
        for (at, byte) in [(12, 8), (13, 0), (23, 6), (30, 10), (31, 0), (32, 0), (33, 2)] {
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        if let Frame::Tcp(segment) = parse(&bytes, US.address, checked) {
            segment.offers();
        }
    }
}

/// Makes the header's checksum right again.
fn repair(frame: &mut [u8]) {
    let len = usize::from(frame[14] & 15) * 4;
    frame[24..26].fill(0);
    let sum: u32 = frame[14..14 + len].chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    frame[24..26].copy_from_slice(&(!(folded + (folded >> 16)) as u16).to_be_bytes());
}

#[test]
fn an_address_header_that_is_too_short_to_be_one_is_broken() {
    // Twelve bytes, whose sum holds, and behind them something that could be a segment.
    let mut frame = frame(1, 2, Flags::ACK.0, &[0x50; 60]);
    frame[14] = 0x43;
    frame[24..26].fill(0);
    let sum: u32 = frame[14..26].chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let identification = !((sum & 0xffff) + (sum >> 16)) as u16;
    frame[18..20].copy_from_slice(&identification.to_be_bytes());
    frame[38] = 0x50;
    assert!(!matches!(parse(&frame, US.address, true), Frame::Tcp(_)));
}

#[test]
fn nobody_can_speak_for_a_group() {
    for address in [[224, 0, 0, 1], [255, 255, 255, 255]] {
        let mut frame = frame(1, 0, Flags::SYN.0, &[]);
        frame[26..30].copy_from_slice(&address);
        repair(&mut frame);
        assert!(!matches!(parse(&frame, US.address, true), Frame::Tcp(_)), "{address:?} (RFC 9293, 3.9.2.3)");
    }
}

#[test]
fn a_reset_is_at_the_place_that_its_receiver_expects() {
    let (one, two) = (frame(100, 7, Flags::SYN.0, b"ab"), frame(100, 7, Flags::ACK.0 | Flags::FIN.0, b"ab"));
    let to_syn = Header::reset(&segment(&one));
    assert_eq!((to_syn.seq, to_syn.ack), (Seq(0), Seq(103)));
    assert_eq!(to_syn.flags, Flags(Flags::RST.0 | Flags::ACK.0));
    let to_ack = Header::reset(&segment(&two));
    assert_eq!((to_ack.seq, to_ack.ack, to_ack.flags), (Seq(7), Seq(0), Flags::RST));
    assert_eq!(to_ack.len(), HEADERS);
}

#[test]
fn options_that_are_cut_short_are_not_there() {
    let bytes = frame(1, 0, Flags::SYN.0, &[]);
    let mut syn = segment(&bytes);
    assert_eq!(syn.offers(), (Some(1460), Some(0)));
    for (options, offers) in [
        (&[2, 4, 5, 180, 3][..], (Some(1460), None)),
        (&[1, 1, 3, 3, 7], (None, Some(7))),
        (&[0, 2, 4, 5, 180], (None, None)),
        (&[9, 0, 2, 4, 5, 180], (None, None)),
        (&[2, 4, 5], (None, None)),
        (&[2, 0], (None, None)),
    ] {
        syn.options = options;
        assert_eq!(syn.offers(), offers, "{options:?}");
    }
}
