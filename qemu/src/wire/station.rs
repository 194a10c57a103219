//! The peer at the wire's other end: the machine's gateway. Host programs connect to a port of 127.0.0.1, and it carries
//! each connection to the machine's server.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::time::Duration;

use mio::event::Event;
use mio::net::TcpListener;
use mio::{Interest, Registry, Token};
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, IpProtocol,
    Ipv4Packet,
};

use super::flow::{Flow, Next};
use super::stray;
use crate::launch::{GATEWAY, GUEST_ADDRESS, GUEST_PORT};

/// Our hardware address, the one that QEMU's own gateway has.
const HARDWARE: EthernetAddress = EthernetAddress([0x52, 0x55, 10, 0, 2, 2]);
/// The first port that connections to the machine come from.
const FIRST_PORT: u16 = 1024;
/// How often the machine is asked for its hardware address.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// The peer.
pub(super) struct Station {
    listener: TcpListener,
    /// The machine's hardware address, once it has told.
    machine: Option<EthernetAddress>,
    /// When to ask for it again.
    ask_at: Duration,
    /// By the port that it comes from, which is its token too.
    flows: BTreeMap<u16, (Flow, Option<Duration>)>,
    /// Flows to which something has happened, or that want to send.
    busy: BTreeSet<u16>,
    /// When flows have to go on by themselves.
    timers: BTreeSet<(Duration, u16)>,
    next_port: u16,
    /// Where its sequence numbers start.
    seed: u64,
}

impl Station {
    pub(super) fn new(listener: TcpListener, seed: u64) -> Self {
        Self {
            listener,
            machine: None,
            ask_at: Duration::ZERO,
            flows: BTreeMap::new(),
            busy: BTreeSet::new(),
            timers: BTreeSet::new(),
            next_port: FIRST_PORT,
            seed,
        }
    }

    /// Host connections that are carried now.
    pub(super) fn connections(&self) -> usize {
        self.flows.len()
    }

    /// The machine's hardware address, once it has told.
    pub(super) fn machine(&self) -> Option<EthernetAddress> {
        self.machine
    }

    /// What host programs connect to, to be told when one does.
    pub(super) fn listener(&mut self) -> &mut TcpListener {
        &mut self.listener
    }

    /// Takes all host connections that were opened.
    pub(super) fn accept(&mut self, registry: &Registry, now: Duration) -> io::Result<()> {
        loop {
            let mut host = match self.listener.accept() {
                Ok((host, _)) => host,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                // The client has left already.
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => continue,
                Err(error) => return Err(error),
            };
            // When every port is taken, the client is turned away.
            let Some(port) = self.free_port() else { continue };
            host.set_nodelay(true)?;
            registry.register(&mut host, Token(port.into()), Interest::READABLE | Interest::WRITABLE)?;
            let (from, to) = ((GATEWAY, port), (GUEST_ADDRESS, GUEST_PORT));
            let seed = self.seed.wrapping_add(now.as_nanos() as u64);
            self.flows.insert(port, (Flow::connect(host, from, to, seed, now), None));
            self.busy.insert(port);
        }
    }

    /// Something happened to a flow's host socket.
    pub(super) fn wake(&mut self, event: &Event) {
        let Ok(port) = u16::try_from(event.token().0) else { return };
        if let Some((flow, _)) = self.flows.get_mut(&port) {
            let broken = event.is_error();
            flow.wake(event.is_readable() || event.is_read_closed() || broken, event.is_writable() || broken);
            self.busy.insert(port);
        }
    }

    /// Takes a frame from the machine. What it answers by itself goes to `send`.
    pub(super) fn receive(&mut self, bytes: &[u8], send: &mut impl FnMut(Vec<u8>)) {
        let Ok(frame) = EthernetFrame::new_checked(bytes) else { return };
        match frame.ethertype() {
            EthernetProtocol::Arp => {
                // From the header, which the wire leaves alone.
                self.machine = Some(frame.src_addr());
                if let Some(reply) = answer(frame.payload()) {
                    send(arp_frame(frame.src_addr(), reply));
                }
            }
            EthernetProtocol::Ipv4 => {
                let Ok(packet) = Ipv4Packet::new_checked(frame.payload()) else { return };
                let to_us = packet.dst_addr() == GATEWAY && packet.src_addr() == GUEST_ADDRESS;
                if !to_us || packet.next_header() != IpProtocol::Tcp {
                    return;
                }
                let Some([_, _, high, low]) = packet.payload().first_chunk() else { return };
                let port = u16::from_be_bytes([*high, *low]);
                if let Some((flow, _)) = self.flows.get_mut(&port) {
                    flow.arrive(frame.payload());
                    self.busy.insert(port);
                } else if let Some(reply) = stray::answer(&packet) {
                    send(ethernet(frame.src_addr(), EthernetProtocol::Ipv4, &reply));
                }
            }
            _ => {}
        }
    }

    /// Lets flows go on, of which at most about `room` bytes are given to `send`.
    pub(super) fn serve(
        &mut self,
        registry: &Registry,
        now: Duration,
        mut room: usize,
        send: &mut impl FnMut(Vec<u8>),
    ) -> io::Result<()> {
        while let Some((at, port)) = self.timers.first().copied()
            && at <= now
        {
            self.timers.remove(&(at, port));
            self.busy.insert(port);
        }
        if self.busy.is_empty() {
            return Ok(());
        }
        let Some(machine) = self.machine else {
            if now >= self.ask_at {
                self.ask_at = now + ASK_AGAIN;
                send(arp_frame(EthernetAddress::BROADCAST, arp(ArpOperation::Request, EthernetAddress([0; 6]))));
            }
            return Ok(());
        };
        let mut packets = Vec::new();
        for port in std::mem::take(&mut self.busy) {
            let Some((flow, timer)) = self.flows.get_mut(&port) else { continue };
            if let Some(at) = timer.take() {
                self.timers.remove(&(at, port));
            }
            let next = if room > 0 { flow.step(now, room, &mut packets) } else { Next::Room };
            for packet in packets.drain(..) {
                room = room.saturating_sub(packet.len());
                send(ethernet(machine, EthernetProtocol::Ipv4, &packet));
            }
            match next {
                Next::At(Some(at)) => {
                    *timer = Some(at);
                    self.timers.insert((at, port));
                }
                Next::At(None) => {}
                Next::Room => drop(self.busy.insert(port)),
                Next::End => {
                    registry.deregister(flow.stream())?;
                    self.flows.remove(&port);
                }
            }
        }
        Ok(())
    }

    /// Whether flows could go on at once if there were room.
    pub(super) fn is_busy(&self) -> bool {
        self.machine.is_some() && !self.busy.is_empty()
    }

    /// When it has to go on by itself.
    pub(super) fn next(&self) -> Option<Duration> {
        let ask = (self.machine.is_none() && !self.busy.is_empty()).then_some(self.ask_at);
        ask.into_iter().chain(self.timers.first().map(|(at, _)| *at)).min()
    }

    /// A port that no flow comes from, and that none has come from for as long as possible.
    fn free_port(&mut self) -> Option<u16> {
        (FIRST_PORT..=u16::MAX).find_map(|_| {
            let port = self.next_port;
            self.next_port = port.checked_add(1).unwrap_or(FIRST_PORT);
            (!self.flows.contains_key(&port)).then_some(port)
        })
    }
}

/// The answer to an ARP packet, if it asks for us.
fn answer(payload: &[u8]) -> Option<ArpRepr> {
    let ArpRepr::EthernetIpv4 { operation, source_hardware_addr, target_protocol_addr, .. } =
        ArpRepr::parse(&ArpPacket::new_checked(payload).ok()?).ok()?
    else {
        return None;
    };
    (operation == ArpOperation::Request && target_protocol_addr == GATEWAY)
        .then(|| arp(ArpOperation::Reply, source_hardware_addr))
}

/// An ARP packet from us about the machine's address and ours.
fn arp(operation: ArpOperation, machine: EthernetAddress) -> ArpRepr {
    ArpRepr::EthernetIpv4 {
        operation,
        source_hardware_addr: HARDWARE,
        source_protocol_addr: GATEWAY,
        target_hardware_addr: machine,
        target_protocol_addr: GUEST_ADDRESS,
    }
}

fn arp_frame(to: EthernetAddress, arp: ArpRepr) -> Vec<u8> {
    let mut payload = vec![0; arp.buffer_len()];
    arp.emit(&mut ArpPacket::new_unchecked(&mut payload));
    ethernet(to, EthernetProtocol::Arp, &payload)
}

/// A frame from us.
fn ethernet(to: EthernetAddress, ethertype: EthernetProtocol, payload: &[u8]) -> Vec<u8> {
    let header = EthernetRepr { src_addr: HARDWARE, dst_addr: to, ethertype };
    let mut frame = vec![0; header.buffer_len() + payload.len()];
    let mut view = EthernetFrame::new_unchecked(&mut frame);
    header.emit(&mut view);
    view.payload_mut().copy_from_slice(payload);
    frame
}
