//! Segments on the wire: a received frame as a checked segment, and the headers of one to send.
//!
//! smoltcp's `wire` knows where the fields are; only the checksum is our own, because every byte passes through it.

use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, IpProtocol, Ipv4Address, Ipv4Packet, TcpPacket, TcpSeqNumber,
};

use crate::at_once::at_once;

use super::checksum::Sum;
use super::seq::Seq;

/// Bytes of the Ethernet and IPv4 headers, and of a TCP header without options.
const ETHERNET: usize = 14;
const IPV4: usize = 20;
const TCP: usize = 20;
/// Bytes in front of the data of a segment that we send.
pub const HEADERS: usize = ETHERNET + IPV4 + TCP;
/// Where in a frame that we send the sum of a segment's checksum starts, and where behind that the checksum is.
pub const CHECKSUM: (u16, u16) = ((ETHERNET + IPV4) as u16, 16);
/// Most bytes of data in a segment that we send or ask for: Ethernet's 1500 without the headers.
pub const MSS: u16 = 1500 - (IPV4 + TCP) as u16;

/// The options of a SYN: the largest segment, a scale of nothing for our windows, and their end (RFC 9293, 3.2; RFC 7323, 2.2).
const OPTIONS: [u8; 8] = [2, 4, (MSS >> 8) as u8, MSS as u8, 3, 3, 0, 0];

/// Who we are: our part of every connection's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    /// The card's address.
    pub hardware: EthernetAddress,
    /// Our IPv4 address.
    pub address: Ipv4Address,
    /// The port that is listened on.
    pub port: u16,
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Its IPv4 address.
    pub address: Ipv4Address,
    /// Its port.
    pub port: u16,
}

/// What a segment does beside carrying data: the bits of its header (RFC 9293, 3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    /// No more data follows.
    pub const FIN: Self = Self(0x01);
    /// Opens a connection.
    pub const SYN: Self = Self(0x02);
    /// Breaks a connection off.
    pub const RST: Self = Self(0x04);
    /// The reader should see this data now.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgement counts.
    pub const ACK: Self = Self(0x10);

    /// Whether it has any of these.
    pub fn has(self, any: Self) -> bool {
        self.0 & any.0 != 0
    }

    /// With these too, if `wanted`.
    #[must_use]
    pub fn with(self, more: Self, wanted: bool) -> Self {
        if wanted { Self(self.0 | more.0) } else { self }
    }
}

/// A received segment: its checksums hold, and it was sent to us.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// The card that sent it. Answers go back there, so that no address needs to be resolved.
    pub hardware: EthernetAddress,
    /// Who sent it.
    pub remote: Remote,
    /// To which of our ports.
    pub port: u16,
    /// Where it begins in the peer's stream.
    pub seq: Seq,
    /// Up to where the peer has ours.
    pub ack: Seq,
    /// What it does.
    pub flags: Flags,
    /// Bytes that the peer takes beyond `ack`, not yet scaled.
    pub window: u16,
    /// Its options, not yet parsed: only a SYN's are looked at.
    pub options: &'a [u8],
    /// Its data.
    pub payload: &'a [u8],
}

/// What a received frame is.
#[derive(Clone, Copy, Debug)]
pub enum Frame<'a> {
    /// A segment for us.
    Tcp(Segment<'a>),
    /// Something else: ARP, ICMP, UDP, a fragment, or not for us.
    Other,
    /// A segment that is cut short or damaged.
    Broken,
}

/// Tells segments for us from other frames, and checks them. `checked`: the card has found their checksum right.
pub fn parse(frame: &[u8], local: Ipv4Address, checked: bool) -> Frame<'_> {
    let Some((ethernet, packet)) = frame.split_first_chunk::<ETHERNET>() else { return Frame::Broken };
    let ethernet = EthernetFrame::new_unchecked(ethernet);
    if ethernet.ethertype() != EthernetProtocol::Ipv4 {
        return Frame::Other;
    }
    let Some(ip_header) = packet.first_chunk::<IPV4>() else { return Frame::Broken };
    let ip = Ipv4Packet::new_unchecked(ip_header);
    let fragment = ip.more_frags() | (ip.frag_offset() != 0);
    // Told at once: almost every packet is one of ours.
    if (ip.version() != 4) | (ip.next_header() != IpProtocol::Tcp) | (ip.dst_addr() != local) | fragment {
        return Frame::Other;
    }
    let (ip_len, len) = (usize::from(ip.header_len()), usize::from(ip.total_len()));
    // Groups do not speak (RFC 9293, 3.9.2.3).
    let speaks = ip.src_addr().octets()[0] < 224;
    if !at_once(speaks & (ip_len >= IPV4) & (len >= ip_len + TCP) & (len <= packet.len())) {
        return Frame::Broken;
    }
    let ip_sum = match ip_len {
        IPV4 => Sum::default().with_header(ip_header),
        _ => Sum::default().with(&packet[..ip_len]),
    };
    let segment = &packet[ip_len..len];
    let Some((tcp_header, rest)) = segment.split_first_chunk::<TCP>() else { return Frame::Broken };
    let tcp = TcpPacket::new_unchecked(tcp_header);
    let options_len = usize::from(tcp.header_len()).wrapping_sub(TCP);
    let Some((options, payload)) = rest.split_at_checked(options_len) else { return Frame::Broken };
    let whole = checked || pseudo_header(ip.src_addr(), local, segment.len()).with(segment).holds();
    if !(whole & ip_sum.holds()) {
        return Frame::Broken;
    }
    Frame::Tcp(Segment {
        hardware: ethernet.src_addr(),
        remote: Remote { address: ip.src_addr(), port: tcp.src_port() },
        port: tcp.dst_port(),
        seq: Seq(tcp.seq_number().0.cast_unsigned()),
        ack: Seq(tcp.ack_number().0.cast_unsigned()),
        flags: Flags(tcp_header[13]),
        window: tcp.window_len(),
        options,
        payload,
    })
}

impl Segment<'_> {
    /// Its length in the peer's stream.
    pub fn len(&self) -> u32 {
        let turns = u32::from(self.flags.has(Flags::SYN)) + u32::from(self.flags.has(Flags::FIN));
        self.payload.len() as u32 + turns
    }

    /// Whether it takes no place in the peer's stream.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its largest segment size and window scale, if it is a SYN that names them. What cannot be read is not there.
    pub fn offers(&self) -> (Option<u16>, Option<u8>) {
        let (mut mss, mut scale) = (None, None);
        let mut options = self.options;
        while let [kind, rest @ ..] = options {
            options = match (*kind, rest) {
                (0, _) => break,
                (1, rest) => rest,
                (kind, [len, rest @ ..]) => {
                    let Some((value, next)) = rest.split_at_checked(usize::from(*len).wrapping_sub(2)) else { break };
                    match (kind, value) {
                        (2, [high, low]) => mss = Some(u16::from_be_bytes([*high, *low])),
                        (3, [shift]) => scale = Some(*shift),
                        _ => {}
                    }
                    next
                }
                (_, []) => break,
            };
        }
        (mss, scale)
    }
}

/// The headers of a segment to send.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// The card it goes to.
    pub hardware: EthernetAddress,
    /// Who it is for.
    pub remote: Remote,
    /// From which of our ports.
    pub port: u16,
    /// Where it begins in our stream.
    pub seq: Seq,
    /// Up to where we have the peer's.
    pub ack: Seq,
    /// What it does.
    pub flags: Flags,
    /// Bytes that we take beyond `ack`.
    pub window: u16,
    /// In a SYN: whether to answer the peer's window scale. Ours is never scaled.
    pub scale: bool,
}

impl Header {
    /// The answer to a segment that belongs to no connection (RFC 9293, 3.10.7.1).
    pub fn reset(segment: &Segment<'_>) -> Self {
        let acks = segment.flags.has(Flags::ACK);
        Self {
            hardware: segment.hardware,
            remote: segment.remote,
            port: segment.port,
            seq: if acks { segment.ack } else { Seq(0) },
            ack: if acks { Seq(0) } else { segment.seq.plus(segment.len()) },
            flags: Flags::RST.with(Flags::ACK, !acks),
            window: 0,
            scale: false,
        }
    }

    /// Bytes in front of the data.
    pub fn len(&self) -> usize {
        HEADERS + self.options_len()
    }

    /// Never: there is no segment without headers.
    pub fn is_empty(&self) -> bool {
        false
    }

    fn options_len(&self) -> usize {
        match (self.flags.has(Flags::SYN), self.scale) {
            (false, _) => 0,
            (true, false) => 4,
            (true, true) => 8,
        }
    }

    /// Writes the headers in front of the data, which lies in `frame` from [`Header::len`] on, up to its end. With
    /// `offload` the card completes the checksum.
    pub fn emit(&self, frame: &mut [u8], local: &Local, offload: bool) {
        let len = frame.len();
        let Some((ethernet, rest)) = frame.split_first_chunk_mut::<ETHERNET>() else { return };
        let Some((ip_header, segment)) = rest.split_first_chunk_mut::<IPV4>() else { return };
        let mut ethernet = EthernetFrame::new_unchecked(ethernet);
        ethernet.set_dst_addr(self.hardware);
        ethernet.set_src_addr(local.hardware);
        ethernet.set_ethertype(EthernetProtocol::Ipv4);
        // Never fragmented, so it needs no name (RFC 6864, 4.1).
        *ip_header = [0; IPV4];
        let mut ip = Ipv4Packet::new_unchecked(&mut *ip_header);
        ip.set_version(4);
        ip.set_header_len(IPV4 as u8);
        ip.set_total_len((len - ETHERNET) as u16);
        ip.set_dont_frag(true);
        ip.set_hop_limit(64);
        ip.set_next_header(IpProtocol::Tcp);
        ip.set_src_addr(local.address);
        ip.set_dst_addr(self.remote.address);
        let checksum = Sum::default().with_header(ip_header).complement();
        ip_header[10..12].copy_from_slice(&checksum);

        let Some(header) = segment.first_chunk_mut::<TCP>() else { return };
        *header = [0; TCP];
        let mut tcp = TcpPacket::new_unchecked(&mut header[..]);
        tcp.set_src_port(self.port);
        tcp.set_dst_port(self.remote.port);
        tcp.set_seq_number(TcpSeqNumber(self.seq.0.cast_signed()));
        tcp.set_ack_number(TcpSeqNumber(self.ack.0.cast_signed()));
        tcp.set_window_len(self.window);
        header[12] = ((TCP + self.options_len()) << 2) as u8;
        header[13] = self.flags.0;
        if self.flags.has(Flags::SYN) {
            let len = self.options_len();
            segment[TCP..][..len].copy_from_slice(&OPTIONS[..len]);
        }
        let pseudo = pseudo_header(local.address, self.remote.address, segment.len());
        let checksum = if offload { pseudo.partial() } else { pseudo.with(segment).complement() };
        segment[16..18].copy_from_slice(&checksum);
    }
}

/// The sum of what a segment's checksum covers beside the segment (RFC 9293, 3.1).
fn pseudo_header(from: Ipv4Address, to: Ipv4Address, len: usize) -> Sum {
    let [high, low] = (len as u16).to_be_bytes();
    Sum::default().with_header(&from.octets()).with_header(&to.octets()).with_header(&[
        0,
        u8::from(IpProtocol::Tcp),
        high,
        low,
    ])
}
