//! The network: smoltcp on the card, an address, and a socket that always listens.

use crate::hw::clock::{self, Settled};
use crate::hw::console::say;
use crate::hw::exit;
use crate::hw::memory;
use crate::hw::nic::Nic;
use crate::hw::random;
use alloc::vec;
use alloc::vec::Vec;
use core::slice::ChunksExactMut;
use mayfly_abi::PAGE;
use mayfly_core::command_line::CommandLine;
use smoltcp::iface::{Config, Interface, PollIngressSingleResult, SocketHandle, SocketSet};
use smoltcp::socket::{dhcpv4, tcp};
use smoltcp::time::Instant;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, IpCidr,
    Ipv4Address, Ipv4Cidr,
};

/// The port that functions are served on.
const PORT: u16 = 8080;
/// Pages of a socket's buffers. What a client may send ahead, and what may be on its way to it.
const RECEIVE_PAGES: u64 = 4;
const SEND_PAGES: u64 = 8;
/// A socket's buffers may take this part of memory, all together.
const SHARE: u64 = 4;
/// Most connections at once, however much memory there is.
const CONNECTIONS_MAX: u64 = 1024;
/// Frames taken from the card in one round, so that others get their turn.
const ROUND: usize = 64;

/// The network and its sockets.
pub(crate) struct Net {
    nic: Nic,
    interface: Interface,
    sockets: SocketSet<'static>,
    dhcp: Option<SocketHandle>,
    /// The socket that takes the next connection; none while all are in use.
    listener: Option<SocketHandle>,
    /// Sockets whose connection has ended.
    spare: Vec<tcp::Socket<'static>>,
    /// Memory for the sockets that were never needed yet: no other use of memory can keep a client out.
    buffers: ChunksExactMut<'static, u8>,
    accepted: Vec<SocketHandle>,
}

impl Net {
    /// Takes an address (from the command line, else by DHCP), tells the network about it, and listens.
    pub(crate) fn listen(mut nic: Nic, line: &CommandLine, _: &Settled) -> Self {
        let hardware = EthernetAddress(nic.address());
        let mut config = Config::new(hardware.into());
        config.random_seed = random::word();
        let interface = Interface::new(config, &mut nic, now());
        let mut net = Self {
            nic,
            interface,
            sockets: SocketSet::new(vec![]),
            dhcp: None,
            listener: None,
            spare: vec![],
            buffers: buffers(),
            accepted: vec![],
        };
        match line.address {
            Some(address) => net.set_address(Ipv4Cidr::new(address.ip, address.prefix), line.gateway),
            None => net.dhcp = Some(net.sockets.add(dhcpv4::Socket::new())),
        }
        net.keep_listening();
        net.nic.flush();
        net
    }

    /// Uses an address and announces it: a peer that waits for our ARP sends its first SYN at once. The gateway's own
    /// address is asked for ahead of need, so that the first SYN can be answered at once too.
    fn set_address(&mut self, address: Ipv4Cidr, gateway: Option<Ipv4Address>) {
        self.interface.update_ip_addrs(|addresses| {
            addresses.clear();
            // One address always fits.
            let _ = addresses.push(IpCidr::Ipv4(address));
        });
        self.interface.routes_mut().remove_default_ipv4_route();
        if let Some(gateway) = gateway
            && self.interface.routes_mut().add_default_ipv4_route(gateway).is_err()
        {
            say!("mayfly: the routing table has no room for the gateway");
        }
        let own = address.address();
        ask(&mut self.nic, own, own);
        if let Some(gateway) = gateway {
            ask(&mut self.nic, own, gateway);
        }
    }

    /// Takes what the card received: at most a round, so false means that there may be more.
    pub(crate) fn receive(&mut self) -> bool {
        self.nic.acknowledge();
        let now = now();
        for _ in 0..ROUND {
            if let PollIngressSingleResult::None =
                self.interface.poll_ingress_single(now, &mut self.nic, &mut self.sockets)
            {
                self.follow_dhcp();
                return true;
            }
            self.keep_listening();
        }
        false
    }

    /// Sends at most one segment of each socket; [`Net::wake_at`] tells if there is more.
    pub(crate) fn transmit(&mut self) {
        self.interface.poll_egress(now(), &mut self.nic, &mut self.sockets);
        self.nic.flush();
    }

    /// Takes an address that has come by DHCP, or gives up one whose lease has ended.
    fn follow_dhcp(&mut self) {
        let Some(handle) = self.dhcp else { return };
        match self.sockets.get_mut::<dhcpv4::Socket>(handle).poll() {
            Some(dhcpv4::Event::Configured(lease)) => {
                let (address, router) = (lease.address, lease.router);
                say!("mayfly: address {address} by DHCP");
                self.set_address(address, router);
            }
            Some(dhcpv4::Event::Deconfigured) => self.interface.update_ip_addrs(|addresses| addresses.clear()),
            None => {}
        }
    }

    /// When the network next has something to do by itself, in ticks.
    pub(crate) fn wake_at(&mut self) -> u64 {
        match self.interface.poll_at(now(), &self.sockets) {
            Some(at) => clock::ticks_in(at.total_micros().max(0) as u64 * 1000),
            None => u64::MAX,
        }
    }

    /// Does `work` with the card's interrupt on. If frames are waiting already, no interrupt would come for them, and it
    /// is not done unless `anyway`.
    pub(crate) fn interruptible(&mut self, anyway: bool, work: impl FnOnce()) {
        // What the stack answers by itself, such as ARP and pings, leaves before anybody waits.
        self.nic.flush();
        if self.nic.be_loud() {
            work();
        } else if anyway {
            // With the interrupt on, the next frame would end the work before it began.
            self.nic.be_quiet();
            work();
        }
        self.nic.be_quiet();
    }

    /// A connection that was opened since the last time.
    pub(crate) fn accept(&mut self) -> Option<SocketHandle> {
        self.accepted.pop()
    }

    /// The socket of an open connection.
    pub(crate) fn socket(&mut self, handle: SocketHandle) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(handle)
    }

    /// Takes back the socket of a connection that has ended.
    pub(crate) fn release(&mut self, handle: SocketHandle) {
        if let smoltcp::socket::Socket::Tcp(socket) = self.sockets.remove(handle) {
            self.spare.push(socket);
        }
        self.keep_listening();
    }

    /// Whether connections are held up because every socket is in use.
    pub(crate) fn is_full(&self) -> bool {
        self.listener.is_none()
    }

    /// If the listening socket has got its connection, puts another in its place. Without one, SYNs are dropped and
    /// come again: a client is never refused because nobody listened.
    fn keep_listening(&mut self) {
        if let Some(handle) = self.listener {
            if self.sockets.get::<tcp::Socket>(handle).state() == tcp::State::Listen {
                return;
            }
            self.accepted.push(handle);
        }
        self.listener = self.idle_socket().map(|mut socket| {
            if socket.listen(PORT).is_err() {
                panic!("a closed socket cannot listen");
            }
            self.sockets.add(socket)
        });
        self.nic.drop_syns(self.listener.is_none());
    }

    fn idle_socket(&mut self) -> Option<tcp::Socket<'static>> {
        if let Some(socket) = self.spare.pop() {
            return Some(socket);
        }
        let (receive, send) = self.buffers.next()?.split_at_mut((RECEIVE_PAGES * PAGE) as usize);
        let mut socket = tcp::Socket::new(tcp::SocketBuffer::new(receive), tcp::SocketBuffer::new(send));
        // A response is written in one go; holding back its last part only delays it.
        socket.set_nagle_enabled(false);
        Some(socket)
    }
}

/// Buffers for as many sockets as there may be. Nobody touches them before they are needed.
fn buffers() -> ChunksExactMut<'static, u8> {
    let (_, frames) = memory::count();
    let each = RECEIVE_PAGES + SEND_PAGES;
    let mut sockets = (frames / SHARE / each).clamp(1, CONNECTIONS_MAX);
    loop {
        match memory::forever(sockets * each) {
            Some(memory) => return memory.chunks_exact_mut((each * PAGE) as usize),
            // Memory in pieces.
            None if sockets > 1 => sockets /= 2,
            None => exit::refuse("too little memory for one connection; give the machine more"),
        }
    }
}

fn now() -> Instant {
    Instant::from_micros((clock::nanos() / 1000) as i64)
}

/// Asks for the hardware address of `target` and tells ours with it. Asked for our own address, nobody answers and
/// everybody listens: that is a gratuitous ARP (RFC 5227 calls it an announcement).
fn ask(nic: &mut Nic, address: Ipv4Address, target: Ipv4Address) {
    let hardware = EthernetAddress(nic.address());
    let ethernet =
        EthernetRepr { src_addr: hardware, dst_addr: EthernetAddress::BROADCAST, ethertype: EthernetProtocol::Arp };
    let arp = ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Request,
        source_hardware_addr: hardware,
        source_protocol_addr: address,
        target_hardware_addr: EthernetAddress([0; 6]),
        target_protocol_addr: target,
    };
    nic.send(ethernet.buffer_len() + arp.buffer_len(), |frame| {
        let mut frame = EthernetFrame::new_unchecked(frame);
        ethernet.emit(&mut frame);
        arp.emit(&mut ArpPacket::new_unchecked(frame.payload_mut()));
    });
}
