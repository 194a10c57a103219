//! The network: frames to and from the card, and whose they are. TCP is ours (`mayfly_core::tcp`), all else smoltcp's.

mod control;

use crate::hw::clock::{self, Settled};
use crate::hw::ledger;
use crate::hw::nic::{Nic, Received};
use alloc::boxed::Box;
use control::{Control, Lease};
use mayfly_abi::ledger::Phase;
use mayfly_core::command_line::CommandLine;
use mayfly_core::tcp::segment::{self, CHECKSUM};
use mayfly_core::tcp::{Frame, Header, Local};
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, Ipv4Address,
    Ipv4Cidr,
};

/// The port that functions are served on.
pub(crate) const PORT: u16 = 8080;

/// The ethertype of ARP, and its operation that answers.
const ARP: [u8; 2] = [8, 6];
const REPLY: [u8; 2] = [0, 2];

/// The network.
pub(crate) struct Net {
    /// The card, which frames come from and go to.
    pub(crate) nic: Nic,
    /// Our address, once there is one.
    address: Option<Ipv4Cidr>,
    gateway: Option<Ipv4Address>,
    local: Local,
    control: Option<Box<Control>>,
}

impl Net {
    /// Takes an address (from the command line, else by DHCP) and tells the network about it.
    pub(crate) fn listen(nic: Nic, line: &CommandLine, _: &Settled) -> Self {
        let local = Local { hardware: EthernetAddress(nic.address()), address: Ipv4Address::UNSPECIFIED, port: PORT };
        let mut net = Self { nic, address: None, gateway: None, local, control: None };
        match line.address {
            Some(address) => net.set_address(Ipv4Cidr::new(address.ip, address.prefix), line.gateway),
            None => net.control(None),
        }
        // A card that the command line does not name may have to be looked after from the start.
        if line.devices().is_empty() {
            net.control(None);
        }
        net.nic.flush();
        net
    }

    /// Uses an address and announces it: a peer that waits for our ARP sends its first SYN at once. The gateway hears
    /// of it too, for those that only listen to questions that they are asked.
    fn set_address(&mut self, address: Ipv4Cidr, gateway: Option<Ipv4Address>) {
        self.address = Some(address);
        self.gateway = gateway;
        self.local.address = address.address();
        self.ask(address.address());
        if let Some(gateway) = gateway {
            self.ask(gateway);
        }
    }

    /// Our end of every connection.
    pub(crate) fn local(&self) -> &Local {
        &self.local
    }

    /// What a frame is. Without an address, nothing is for us.
    pub(crate) fn parse<'a>(&self, frame: &'a Received) -> Frame<'a> {
        segment::parse(frame, self.local.address, frame.is_checked())
    }

    /// Takes a frame that is not TCP's, if there is one, and does what is due beside TCP.
    pub(crate) fn control(&mut self, frame: Option<&Received>) {
        if let Some(frame) = frame.filter(|frame| frame.get(12..14) == Some(&ARP)) {
            ledger::stamp(Phase::Arp);
            // We asked for the gateway to hear of us. Its answer is of no use to anybody yet: the stack beside ours asks
            // itself when it has something to send.
            if self.control.is_none() && frame.get(20..22) == Some(&REPLY) {
                return;
            }
        }
        let now = clock::nanos();
        let control = match &mut self.control {
            Some(control) => control,
            none => none.insert(Box::new(Control::new(&mut self.nic, self.address, now))),
        };
        match control.poll(&mut self.nic, frame.map(|frame| (&**frame, frame.is_checked())), now) {
            Some(Lease::Taken(address, gateway)) => self.set_address(address, gateway),
            Some(Lease::Lost) => {
                self.address = None;
                self.local.address = Ipv4Address::UNSPECIFIED;
            }
            Some(Lease::Unheard) => {
                if let Some(address) = self.address {
                    self.set_address(address, self.gateway);
                    self.nic.flush();
                }
            }
            None => {}
        }
    }

    /// When [`Net::control`] is due though no frame came, in nanoseconds.
    pub(crate) fn wake_at(&mut self, now: u64) -> u64 {
        self.control.as_mut().map_or(u64::MAX, |control| control.wake_at(now))
    }

    /// Sends a segment whose `len` bytes of data are written by `fill`. Lost if the card is busy.
    // For any `fill`, so that the CPU sees it only once.
    pub(crate) fn send(&mut self, header: &Header, len: usize, fill: &dyn Fn(&mut [u8])) {
        let local = &self.local;
        self.nic.send(header.len() + len, Some(CHECKSUM), |frame, offload| {
            fill(&mut frame[header.len()..]);
            header.emit(frame, local, offload);
        });
    }

    /// Does `work` with the card's interrupt on. If frames are waiting already, no interrupt would come for them, and it
    /// is not done unless `anyway`.
    pub(crate) fn interruptible(&mut self, anyway: bool, work: impl FnOnce()) {
        if self.nic.be_loud() {
            work();
        } else if anyway {
            // With the interrupt on, the next frame would end the work before it began.
            self.nic.be_quiet();
            work();
        }
        self.nic.be_quiet();
    }

    /// Asks for the hardware address of `target` and tells ours with it. Asked for our own address, nobody answers and
    /// everybody listens: that is a gratuitous ARP (RFC 5227 calls it an announcement).
    fn ask(&mut self, target: Ipv4Address) {
        let Local { hardware, address, .. } = self.local;
        let ethernet =
            EthernetRepr { src_addr: hardware, dst_addr: EthernetAddress::BROADCAST, ethertype: EthernetProtocol::Arp };
        let arp = ArpRepr::EthernetIpv4 {
            operation: ArpOperation::Request,
            source_hardware_addr: hardware,
            source_protocol_addr: address,
            target_hardware_addr: EthernetAddress([0; 6]),
            target_protocol_addr: target,
        };
        self.nic.send(ethernet.buffer_len() + arp.buffer_len(), None, |frame, _| {
            let mut frame = EthernetFrame::new_unchecked(frame);
            ethernet.emit(&mut frame);
            arp.emit(&mut ArpPacket::new_unchecked(frame.payload_mut()));
        });
    }
}
