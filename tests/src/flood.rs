//! A flood of SYNs from addresses that were made up: none of them ever answers.

use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use mayfly_qemu::wire::Wire;
use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, TcpControl, TcpRepr, TcpSeqNumber,
};

use crate::ethernet::tcp_packet;

/// The machine's server, as the launcher sets it up.
const SERVER: (Ipv4Addr, u16) = (Ipv4Addr::new(10, 0, 2, 15), 8080);
/// Whom the frames come from: a gateway forwards them.
const GATEWAY: EthernetAddress = EthernetAddress([0x52, 0x55, 10, 0, 2, 2]);
/// SYNs between two looks at the clock.
const BURST: usize = 50;

/// A flood.
#[derive(Clone, Copy, Debug)]
pub struct Flood {
    /// SYNs, each from another address and port.
    pub syns: usize,
    /// So many a second, if the machine takes them.
    pub rate: usize,
}

impl Flood {
    /// Sends all of them: how long it took.
    pub fn pour(&self, wire: &Wire) -> Duration {
        let machine = EthernetAddress(wire.machine_address().expect("the machine has told its address"));
        let mut rng = Rng::with_seed(0);
        let start = Instant::now();
        for sent in 0..self.syns {
            if sent % BURST == 0 {
                let due = Duration::from_secs_f64(sent as f64 / self.rate as f64);
                thread::sleep(due.saturating_sub(start.elapsed()));
            }
            assert!(wire.inject(syn(&mut rng, machine)), "the wire has ended");
        }
        start.elapsed()
    }
}

/// A SYN from somewhere in the network for benchmarks (RFC 2544), which is nobody's.
fn syn(rng: &mut Rng, machine: EthernetAddress) -> Vec<u8> {
    let from = Ipv4Addr::new(198, rng.u8(18..=19), rng.u8(..), rng.u8(1..255));
    let tcp = TcpRepr {
        src_port: rng.u16(1024..),
        dst_port: SERVER.1,
        control: TcpControl::Syn,
        seq_number: TcpSeqNumber(rng.i32(..)),
        ack_number: None,
        window_len: u16::MAX,
        window_scale: Some(7),
        max_seg_size: Some(1460),
        sack_permitted: true,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: &[],
    };
    let packet = tcp_packet(from, SERVER.0, &tcp);
    let ethernet = EthernetRepr { src_addr: GATEWAY, dst_addr: machine, ethertype: EthernetProtocol::Ipv4 };
    let mut bytes = vec![0; ethernet.buffer_len() + packet.len()];
    let mut frame = EthernetFrame::new_unchecked(&mut bytes);
    ethernet.emit(&mut frame);
    frame.payload_mut().copy_from_slice(&packet);
    bytes
}
