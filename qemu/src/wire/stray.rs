//! Answers to segments that belong to no connection (RFC 9293, 3.10.7.1), and to the last ones of connections that were
//! forgotten when they would have gone to TIME-WAIT.

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{IpAddress, IpProtocol, Ipv4Packet, Ipv4Repr, TcpControl, TcpPacket, TcpRepr};

/// The IP packet that answers a stray one, if it has to be answered.
pub(super) fn answer(packet: &Ipv4Packet<&[u8]>) -> Option<Vec<u8>> {
    let checksums = ChecksumCapabilities::default();
    let ip = Ipv4Repr::parse(packet, &checksums).ok()?;
    let (from, to) = (IpAddress::from(ip.src_addr), IpAddress::from(ip.dst_addr));
    let stray = TcpRepr::parse(&TcpPacket::new_checked(packet.payload()).ok()?, &from, &to, &checksums).ok()?;
    let next = stray.seq_number + stray.segment_len();
    let (control, seq_number, ack_number) = match (stray.control, stray.ack_number) {
        (TcpControl::Rst, _) => return None,
        // The machine's last segment comes again, because our acknowledgement of it was lost.
        (TcpControl::Fin, Some(ack)) => (TcpControl::None, ack, Some(next)),
        (_, Some(ack)) => (TcpControl::Rst, ack, None),
        (_, None) => (TcpControl::Rst, Default::default(), Some(next)),
    };
    let reply = TcpRepr {
        src_port: stray.dst_port,
        dst_port: stray.src_port,
        control,
        seq_number,
        ack_number,
        window_len: 0,
        window_scale: None,
        max_seg_size: None,
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: &[],
    };
    let header = Ipv4Repr {
        src_addr: ip.dst_addr,
        dst_addr: ip.src_addr,
        next_header: IpProtocol::Tcp,
        payload_len: reply.buffer_len(),
        hop_limit: 64,
    };
    let mut bytes = vec![0; header.buffer_len() + reply.buffer_len()];
    let mut packet = Ipv4Packet::new_unchecked(&mut bytes);
    header.emit(&mut packet, &checksums);
    reply.emit(&mut TcpPacket::new_unchecked(packet.payload_mut()), &to, &from, &checksums);
    Some(bytes)
}
