//! The network card: virtio-net over MMIO. Frames lie in buffers that change owner, and are not copied. (virtio 1.2: 5.1)

use super::apic;
use super::memory::{self, Memory};
use super::traps::{self, Traps};
use super::virtio::{EVENT_IDX, Queue, Transport, Unusable, VERSION_1};
use alloc::vec::Vec;
use core::ops::Deref;
use mayfly_abi::PAGE;
use mayfly_core::command_line::Device;

/// Device number of a network card.
const NETWORK_CARD: u32 = 1;
/// VIRTIO_NET_F_CSUM, F_GUEST_CSUM: the card completes checksums, and may leave them to whoever it got a frame from (5.1.3).
const CHECKSUM: u64 = 1;
const GUEST_CHECKSUM: u64 = 1 << 1;
/// VIRTIO_NET_F_MAC: the card has an address.
const MAC: u64 = 1 << 5;
/// The header before each frame (5.1.6).
const HEADER: usize = 12;
/// In its flags: the checksum is to be completed, or was found right.
const NEEDS_CHECKSUM: u8 = 1;
const CHECKED: u8 = 2;
/// Bytes of a buffer; a frame of the usual MTU with header fits.
const BUFFER: usize = 2048;
/// Most bytes of a frame.
pub(crate) const FRAME_MAX: usize = 1514;

type Buffer = [u8; BUFFER];

/// A queue and its buffers, one for each descriptor.
struct Direction {
    queue: Queue,
    /// Those that the card has.
    lent: Vec<Option<&'static mut Buffer>>,
    /// Those that it never had yet.
    fresh: core::slice::IterMut<'static, Buffer>,
}

impl Direction {
    // Kept apart, for there are two.
    #[inline(never)]
    fn new(transport: Transport, index: u32, agreed: u64, memory: &Memory) -> Result<Self, Unusable> {
        let queue = transport.queue(index, agreed, memory)?;
        let pages = u64::from(Queue::LEN) * BUFFER as u64 / PAGE;
        let buffers = memory::forever(pages).ok_or(Unusable::Refused)?.as_chunks_mut().0;
        Ok(Self { queue, lent: Vec::with_capacity(Queue::LEN.into()), fresh: buffers.iter_mut() })
    }

    /// A buffer that the card never had, with a number and a descriptor.
    fn introduce(&mut self, device_writes: bool) -> Option<(u16, &'static mut Buffer)> {
        let buffer = self.fresh.next()?;
        let number = self.lent.len() as u16;
        self.queue.describe(number, memory::physical(buffer), BUFFER as u32, device_writes);
        self.lent.push(None);
        Some((number, buffer))
    }

    fn lend(&mut self, number: u16, buffer: &'static mut Buffer) {
        self.lent[usize::from(number)] = Some(buffer);
        self.queue.offer(number);
    }

    /// Takes a buffer back that the card is done with. What the card says is checked: a number that it does not have would
    /// be another owner's buffer, a length beyond the buffer somebody else's memory.
    fn take(&mut self) -> Option<(u16, usize, &'static mut Buffer)> {
        let (number, len) = self.queue.take()?;
        let number = u16::try_from(number).ok()?;
        let buffer = self.lent.get_mut(usize::from(number))?.take()?;
        Some((number, (len as usize).clamp(HEADER, BUFFER), buffer))
    }
}

/// A frame that the card has received, and the right to its buffer until [`Nic::give_back`].
#[must_use]
pub(crate) struct Received {
    number: u16,
    len: usize,
    buffer: &'static mut Buffer,
}

impl Received {
    /// Whether the card vouches for the checksum of what the frame holds.
    pub(crate) fn is_checked(&self) -> bool {
        self.buffer[0] & (NEEDS_CHECKSUM | CHECKED) != 0
    }
}

impl Deref for Received {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.buffer[HEADER..self.len]
    }
}

/// The card.
pub(crate) struct Nic {
    transport: Transport,
    address: [u8; 6],
    /// It completes the checksums of what is sent.
    offload: bool,
    receiver: Direction,
    sender: Direction,
    /// The buffer for the next frame.
    spare: Option<(u16, &'static mut Buffer)>,
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
    let agreed = transport.negotiate(VERSION_1 | EVENT_IDX | MAC | CHECKSUM | GUEST_CHECKSUM)?;
    let mut receiver = Direction::new(transport, 0, agreed, memory)?;
    let mut sender = Direction::new(transport, 1, agreed, memory)?;
    while let Some((number, buffer)) = receiver.introduce(true) {
        receiver.lend(number, buffer);
    }
    sender.queue.be_quiet();
    receiver.queue.be_quiet();
    apic::route(irq, traps::NIC);
    transport.start();
    receiver.queue.notify();
    let (address, offload) = (transport.configuration(), agreed & CHECKSUM != 0);
    Ok(Nic { transport, address, offload, receiver, sender, spare: None })
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

    /// Whether a frame has arrived.
    pub(crate) fn has_received(&self) -> bool {
        self.receiver.queue.has_used()
    }

    /// The next frame that has arrived.
    pub(crate) fn receive(&mut self) -> Option<Received> {
        let (number, len, buffer) = self.receiver.take()?;
        Some(Received { number, len, buffer })
    }

    /// Lets the card have a frame's buffer for another one.
    pub(crate) fn give_back(&mut self, received: Received) {
        self.receiver.lend(received.number, received.buffer);
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

    /// Whether a frame can be sent now. Buffers that the card is done with are only asked for when no other is left.
    pub(crate) fn is_ready(&mut self) -> bool {
        self.spare.is_some() || self.find_spare()
    }

    #[inline(never)]
    fn find_spare(&mut self) -> bool {
        self.spare =
            self.sender.introduce(false).or_else(|| self.sender.take().map(|(number, _, buffer)| (number, buffer)));
        self.spare.is_some()
    }

    /// Sends the frame of `len` bytes that `fill` writes, if [`Nic::is_ready`]: else it is lost. `checksum` tells `fill` that
    /// the card completes a checksum, `start` bytes into the frame and `offset` bytes into what it covers.
    pub(crate) fn send(&mut self, len: usize, checksum: Option<(u16, u16)>, fill: impl FnOnce(&mut [u8], bool)) {
        if !self.is_ready() {
            return;
        }
        let Some((number, buffer)) = self.spare.take() else { return };
        let checksum = checksum.filter(|_| self.offload);
        let (flags, (start, offset)) = (u8::from(checksum.is_some()) * NEEDS_CHECKSUM, checksum.unwrap_or_default());
        buffer[0] = flags;
        buffer[6..8].copy_from_slice(&start.to_le_bytes());
        buffer[8..10].copy_from_slice(&offset.to_le_bytes());
        fill(&mut buffer[HEADER..HEADER + len], checksum.is_some());
        self.sender.queue.set_len(number, (HEADER + len) as u32);
        self.sender.lend(number, buffer);
    }
}
