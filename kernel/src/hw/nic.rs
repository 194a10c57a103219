//! The network card, as smoltcp wants to see one: virtio-net over MMIO. (virtio 1.2: 5.1)

use super::memory::{self, Memory};
use super::traps::{self, Traps};
use super::virtio::{Queue, Transport, Unusable, VERSION_1};
use super::{apic, ledger};
use mayfly_abi::PAGE;
use mayfly_abi::ledger::Phase;
use mayfly_core::command_line::Device;
use smoltcp::phy::{self, DeviceCapabilities, Medium};
use smoltcp::time::Instant;

/// Device number of a network card.
const NETWORK_CARD: u32 = 1;
/// VIRTIO_NET_F_MAC: the card has an address (5.1.3).
const MAC: u64 = 1 << 5;
/// The header before each frame (5.1.6); nothing in it is used.
const HEADER: usize = 12;
/// Bytes of a buffer; a frame of the usual MTU with header fits.
const BUFFER: usize = 2048;
const FRAME_MAX: usize = 1514;

/// Buffers of one direction, by number.
struct Buffers(&'static mut [u8]);

impl Buffers {
    fn new(queue: &mut Queue, device_writes: bool) -> Result<Self, Unusable> {
        let pages = u64::from(Queue::LEN) * BUFFER as u64 / PAGE;
        let memory = memory::forever(pages).ok_or(Unusable::Refused)?;
        let start = memory::physical(memory);
        for number in 0..Queue::LEN {
            queue.describe(number, start + u64::from(number) * BUFFER as u64, BUFFER as u32, device_writes);
        }
        Ok(Self(memory))
    }

    fn get(&mut self, number: u16) -> &mut [u8] {
        let start = usize::from(number) * BUFFER;
        &mut self.0[start..start + BUFFER]
    }
}

/// The receiving half.
struct Receiver {
    queue: Queue,
    buffers: Buffers,
    /// ARP and SYN are yet to be stamped in the ledger.
    curious: bool,
    /// Nobody listens: who wants to connect shall try again.
    drop_syns: bool,
}

/// The sending half.
struct Sender {
    queue: Queue,
    buffers: Buffers,
    /// Buffers that were never used, from this number up, are taken before any comes back.
    unused: u16,
    /// The buffer for the next frame.
    spare: Option<u16>,
}

/// The card.
pub(crate) struct Nic {
    transport: Transport,
    address: [u8; 6],
    receiver: Receiver,
    sender: Sender,
}

/// Finds the card among the devices that the command line names, and starts it.
pub(crate) fn init(devices: &[Device], memory: &Memory, _: &Traps) -> Result<Nic, Unusable> {
    let mut why = Unusable::Absent;
    for device in devices {
        match Transport::find(device.address, NETWORK_CARD) {
            Ok(transport) => return start(transport, device.irq, memory),
            // A card that cannot be used says more than an empty slot.
            Err(Unusable::Absent) => {}
            Err(reason) => why = reason,
        }
    }
    Err(why)
}

fn start(transport: Transport, irq: u32, memory: &Memory) -> Result<Nic, Unusable> {
    transport.negotiate(VERSION_1 | MAC)?;
    let mut receive = transport.queue(0, memory)?;
    let mut send = transport.queue(1, memory)?;
    let receive_buffers = Buffers::new(&mut receive, true)?;
    let send_buffers = Buffers::new(&mut send, false)?;
    for number in 0..Queue::LEN {
        receive.offer(number);
    }
    send.be_quiet();
    receive.be_quiet();
    apic::route(irq, traps::NIC);
    transport.start();
    receive.notify();
    Ok(Nic {
        transport,
        address: transport.configuration(),
        receiver: Receiver { queue: receive, buffers: receive_buffers, curious: true, drop_syns: false },
        sender: Sender { queue: send, buffers: send_buffers, unused: 0, spare: None },
    })
}

impl Nic {
    /// The card's address.
    pub(crate) fn address(&self) -> [u8; 6] {
        self.address
    }

    /// Takes the card's interrupt back if it sent one. Before each round of receiving.
    pub(crate) fn acknowledge(&mut self) {
        if traps::take_nic_interrupt() {
            self.transport.acknowledge();
        }
    }

    /// Tells the card about the frames and buffers it was given.
    pub(crate) fn flush(&mut self) {
        self.sender.queue.notify();
        self.receiver.queue.notify();
    }

    /// Asks for an interrupt when a frame arrives, for as long as the kernel does not look itself. False if one is there.
    pub(crate) fn be_loud(&mut self) -> bool {
        self.receiver.queue.be_loud()
    }

    /// The kernel looks itself again.
    pub(crate) fn be_quiet(&mut self) {
        self.receiver.queue.be_quiet();
    }

    /// Whether to lose frames that would open a connection.
    pub(crate) fn drop_syns(&mut self, drop: bool) {
        self.receiver.drop_syns = drop;
    }

    /// Sends a frame that nobody asked for. Dropped if the card is busy.
    pub(crate) fn send(&mut self, len: usize, fill: impl FnOnce(&mut [u8])) {
        if self.sender.ready() {
            self.sender.send(len, fill);
        }
    }
}

impl Sender {
    /// Whether a frame can be sent now: a buffer that was never used, or one that the card is done with.
    fn ready(&mut self) -> bool {
        if self.spare.is_none() {
            self.spare = if self.unused < Queue::LEN {
                self.unused += 1;
                Some(self.unused - 1)
            } else {
                self.queue
                    .take()
                    .and_then(|(number, _)| u16::try_from(number).ok())
                    .filter(|number| *number < Queue::LEN)
            };
        }
        self.spare.is_some()
    }

    fn send<R>(&mut self, len: usize, fill: impl FnOnce(&mut [u8]) -> R) -> R {
        let Some(number) = self.spare.take() else { panic!("a frame is sent without a buffer for it") };
        let buffer = self.buffers.get(number);
        // The header stays as it was made: zeros.
        let result = fill(&mut buffer[HEADER..HEADER + len]);
        self.queue.set_len(number, (HEADER + len) as u32);
        self.queue.offer(number);
        result
    }
}

/// A received frame.
pub(crate) struct RxToken<'a> {
    receiver: &'a mut Receiver,
    number: u16,
    len: usize,
}

/// Room for a frame to send.
pub(crate) struct TxToken<'a>(&'a mut Sender);

impl phy::Device for Nic {
    type RxToken<'a> = RxToken<'a>;
    type TxToken<'a> = TxToken<'a>;

    fn receive(&mut self, _: Instant) -> Option<(RxToken<'_>, TxToken<'_>)> {
        if !self.sender.ready() {
            return None;
        }
        let (number, len) = self.receiver.queue.take()?;
        // What the card says is checked: a wrong number would be another buffer, a wrong length beyond it.
        let number = u16::try_from(number).ok().filter(|number| *number < Queue::LEN)?;
        let len = (len as usize).clamp(HEADER, BUFFER) - HEADER;
        Some((RxToken { receiver: &mut self.receiver, number, len }, TxToken(&mut self.sender)))
    }

    fn transmit(&mut self, _: Instant) -> Option<TxToken<'_>> {
        self.sender.ready().then_some(TxToken(&mut self.sender))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME_MAX;
        capabilities
    }
}

impl phy::RxToken for RxToken<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, handle: F) -> R {
        let buffer = self.receiver.buffers.get(self.number);
        let mut frame = &buffer[HEADER..HEADER + self.len];
        if self.receiver.curious {
            self.receiver.curious = note(frame);
        }
        if self.receiver.drop_syns && opens_connection(frame) {
            frame = &[];
        }
        let result = handle(frame);
        self.receiver.queue.offer(self.number);
        result
    }
}

impl phy::TxToken for TxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, fill: F) -> R {
        self.0.send(len, fill)
    }
}

/// Stamps the first ARP and the first SYN. False once the SYN was seen.
fn note(frame: &[u8]) -> bool {
    // The EtherType of ARP.
    if frame.get(12..14) == Some(&[8, 6]) {
        ledger::stamp(Phase::Arp);
    }
    let opens = opens_connection(frame);
    if opens {
        ledger::stamp(Phase::Syn);
    }
    !opens
}

/// Whether a frame is a TCP segment with SYN and without ACK, in an IPv4 packet without options as SYNs are.
fn opens_connection(frame: &[u8]) -> bool {
    const IPV4: [u8; 2] = [8, 0];
    const TCP: u8 = 6;
    const SYN: u8 = 0x02;
    const ACK: u8 = 0x10;
    frame.get(12..14) == Some(&IPV4)
        && frame.get(23) == Some(&TCP)
        && frame.get(47).is_some_and(|flags| flags & (SYN | ACK) == SYN)
}
