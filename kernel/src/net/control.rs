//! What is not TCP: ARP, pings and DHCP, by smoltcp. It is made when the first such frame comes, or when there is no
//! address: a boot that finds its peer and is asked at once never gets here.

use crate::hw::console::say;
use crate::hw::nic::{FRAME_MAX, Nic};
use crate::hw::random;
use alloc::vec;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{self, Checksum, DeviceCapabilities, Medium};
use smoltcp::socket::dhcpv4;
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, IpCidr, Ipv4Address, Ipv4Cidr};

/// The stack beside ours.
pub(super) struct Control {
    interface: Interface,
    sockets: SocketSet<'static>,
    dhcp: Option<SocketHandle>,
    /// When the card is to be looked at, in nanoseconds.
    watch_at: u64,
}

/// What there is to say about our address.
pub(super) enum Lease {
    /// It is this one, with this gateway.
    Taken(Ipv4Cidr, Option<Ipv4Address>),
    /// It is nobody's any more.
    Lost,
    /// Whom it was told before has heard nothing of it: the card was cut off.
    Unheard,
}

impl Control {
    /// With a fixed address, or with DHCP to get one.
    pub(super) fn new(nic: &mut Nic, address: Option<Ipv4Cidr>, now: u64) -> Self {
        let mut config = Config::new(EthernetAddress(nic.address()).into());
        config.random_seed = random::word();
        let interface = Interface::new(config, &mut Wire { nic, frame: None }, instant(now));
        let mut control = Self { interface, sockets: SocketSet::new(vec![]), dhcp: None, watch_at: now };
        match address {
            Some(address) => control.set_address(address),
            None => control.dhcp = Some(control.sockets.add(dhcpv4::Socket::new())),
        }
        control
    }

    fn set_address(&mut self, address: Ipv4Cidr) {
        self.interface.update_ip_addrs(|addresses| {
            addresses.clear();
            // One address always fits.
            let _ = addresses.push(IpCidr::Ipv4(address));
        });
    }

    /// Takes a frame, if there is one, and sends what is due.
    pub(super) fn poll(&mut self, nic: &mut Nic, frame: Option<(&[u8], bool)>, now: u64) -> Option<Lease> {
        let mut unheard = None;
        if self.watch_at <= now {
            let came_up;
            (self.watch_at, came_up) = nic.watch(now);
            unheard = came_up.then_some(Lease::Unheard);
        }
        self.interface.poll(instant(now), &mut Wire { nic, frame }, &mut self.sockets);
        let Some(dhcp) = self.dhcp else { return unheard };
        match self.sockets.get_mut::<dhcpv4::Socket>(dhcp).poll() {
            None => unheard,
            Some(dhcpv4::Event::Configured(lease)) => {
                let (address, router) = (lease.address, lease.router);
                say!("mayfly: address {address} by DHCP");
                self.set_address(address);
                self.interface.routes_mut().remove_default_ipv4_route();
                if let Some(router) = router
                    && self.interface.routes_mut().add_default_ipv4_route(router).is_err()
                {
                    say!("mayfly: the routing table has no room for the gateway");
                }
                Some(Lease::Taken(address, router))
            }
            Some(dhcpv4::Event::Deconfigured) => {
                self.interface.update_ip_addrs(|addresses| addresses.clear());
                Some(Lease::Lost)
            }
        }
    }

    /// When [`Control::poll`] is due though no frame came, in nanoseconds.
    pub(super) fn wake_at(&mut self, now: u64) -> u64 {
        // Without DHCP it only ever answers.
        let Some(_) = self.dhcp else { return self.watch_at };
        let at = self.interface.poll_at(instant(now), &self.sockets);
        self.watch_at.min(at.map_or(u64::MAX, |at| at.total_micros().max(0).cast_unsigned() * 1000))
    }
}

fn instant(now: u64) -> Instant {
    Instant::from_micros((now / 1000).cast_signed())
}

/// The card as smoltcp wants to see one, with at most one frame, and whether the card vouches for its checksums.
struct Wire<'a> {
    nic: &'a mut Nic,
    frame: Option<(&'a [u8], bool)>,
}

/// The frame that was received.
struct Frame<'a>(&'a [u8]);

/// Room for a frame to send.
struct Room<'a>(&'a mut Nic);

impl phy::Device for Wire<'_> {
    type RxToken<'a>
        = Frame<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = Room<'a>
    where
        Self: 'a;

    fn receive(&mut self, _: Instant) -> Option<(Frame<'_>, Room<'_>)> {
        let (frame, _) = self.frame.take()?;
        self.nic.is_ready().then_some((Frame(frame), Room(self.nic)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Room<'_>> {
        self.nic.is_ready().then_some(Room(self.nic))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME_MAX;
        if let Some((_, true)) = self.frame {
            capabilities.checksum.udp = Checksum::Tx;
        }
        capabilities
    }
}

impl phy::RxToken for Frame<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, handle: F) -> R {
        handle(self.0)
    }
}

impl phy::TxToken for Room<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, fill: F) -> R {
        let mut result = None;
        self.0.send(len, None, |frame, _| result = Some(fill(frame)));
        result.unwrap_or_else(|| panic!("a frame is sent without a buffer for it"))
    }
}
