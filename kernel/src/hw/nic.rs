//! The network card. Frames lie in buffers that change owner, and are not copied.
//!
//! The kernel knows one kind of card: two split queues of virtio's. What else a card may be is between its driver and it.

mod e1000;
mod e1000e;
mod intel;
mod pci;

use super::memory::{self, Memory};
use super::traps::{self, Traps};
use super::virtio::mmio::Mmio;
use super::virtio::{Interrupt, Queue, net};
use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;
use mayfly_abi::PAGE;
use mayfly_core::command_line::Device;

/// Room before each frame in its buffer. Virtio's header is there (5.1.6); other cards leave it alone.
const HEADER: usize = 12;
/// In the header's flags: the checksum is to be completed, or was found right.
const NEEDS_CHECKSUM: u8 = 1;
const CHECKED: u8 = 2;
/// Bytes of a buffer; a frame of the usual MTU with header fits.
const BUFFER: usize = 2048;
/// Most bytes of a frame.
pub(crate) const FRAME_MAX: usize = 1514;

/// Why a card cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// There is no card.
    Absent,
    /// It has virtio's layout of before version 1.0.
    Legacy,
    /// It does not accept the features it offered, or its queues are too short.
    Refused,
    /// Its registers lie where they cannot be reached, or nowhere.
    Unreachable,
    /// It has no interrupt that would reach the core.
    Silent,
    /// It does not come out of its reset.
    Dead,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "there is no network card that is driven: virtio-net, Intel 82540EM or 82574L",
            Self::Legacy => {
                "the network card is of the kind before virtio 1.0; add `-global virtio-mmio.force-legacy=false`, or for PCI \
                 `disable-modern=off`"
            }
            Self::Refused => "the network card does not work with this driver: too few queue entries or features",
            Self::Unreachable => "the network card's registers are not where they can be reached",
            Self::Silent => "the network card's interrupt leads nowhere",
            Self::Dead => "the network card does not come out of its reset",
        })
    }
}

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
    fn new(queue: Queue, _: &Memory) -> Result<Self, Unusable> {
        let pages = u64::from(Queue::LEN) * BUFFER as u64 / PAGE;
        let buffers = memory::forever_as_it_is(pages).ok_or(Unusable::Refused)?.as_chunks_mut().0;
        Ok(Self { queue, lent: Vec::with_capacity(Queue::LEN.into()), fresh: buffers.iter_mut() })
    }

    /// A buffer that the card never had, with a number and a descriptor.
    fn introduce(&mut self, device_writes: bool) -> Option<(u16, &'static mut Buffer)> {
        let buffer = self.fresh.next()?;
        let number = self.lent.len() as u16;
        self.queue.describe(number, memory::physical(buffer), BUFFER as u32, device_writes);
        if !device_writes {
            // Of the header, only what a frame needs is written to.
            buffer[..HEADER].fill(0);
        }
        self.lent.push(None);
        Some((number, buffer))
    }

    fn lend_all(&mut self) {
        while let Some((number, buffer)) = self.introduce(true) {
            self.lend(number, buffer);
        }
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
    interrupt: Interrupt,
    address: [u8; 6],
    /// It completes the checksums of what is sent.
    offload: bool,
    receiver: Direction,
    sender: Direction,
    /// The buffer for the next frame.
    spare: Option<(u16, &'static mut Buffer)>,
}

/// Finds the card and starts it: among the devices that the command line names, or, if it names none, on the PCI buses.
pub(crate) fn init(devices: &[Device], memory: &Memory, _: &Traps) -> Result<Nic, Unusable> {
    if devices.is_empty() {
        return pci::find(memory);
    }
    let mut why = Unusable::Absent;
    for device in devices {
        match Mmio::find(device, net::DEVICE) {
            Ok(transport) => return net::start(&transport, memory),
            // A card that cannot be used says more than an empty slot.
            Err(Unusable::Absent) => {}
            Err(reason) => why = reason,
        }
    }
    Err(why)
}

impl Nic {
    /// A card with these two queues, receiving and sending, which is not at work yet. `offload`: it completes the checksums
    /// of what is sent.
    pub(crate) fn new(
        interrupt: Interrupt,
        address: [u8; 6],
        offload: bool,
        [receiver, sender]: [Queue; 2],
        memory: &Memory,
    ) -> Result<Self, Unusable> {
        let (mut receiver, mut sender) = (Direction::new(receiver, memory)?, Direction::new(sender, memory)?);
        receiver.lend_all();
        sender.queue.be_quiet();
        receiver.queue.be_quiet();
        Ok(Self { interrupt, address, offload, receiver, sender, spare: None })
    }

    /// Sees that the card is well. Says when to do so again, in nanoseconds (never, if it says `u64::MAX`), and whether the
    /// network was out of reach before and is so no longer.
    pub(crate) fn watch(&mut self, now: u64) -> (u64, bool) {
        self.interrupt.watch(now)
    }

    /// The card's address.
    pub(crate) fn address(&self) -> [u8; 6] {
        self.address
    }

    /// Takes the card's interrupt back if it sent one. Before each round of receiving.
    pub(crate) fn acknowledge(&mut self) {
        let note = traps::take_nic_note();
        if note != 0 {
            self.interrupt.acknowledge(note);
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
        if self.spare.is_none() {
            self.find_spare();
        }
        let Some((number, buffer)) = self.spare.take() else { return };
        let checksum = checksum.filter(|_| self.offload);
        let (flags, (start, offset)) = (u8::from(checksum.is_some()) * NEEDS_CHECKSUM, checksum.unwrap_or_default());
        buffer[0] = flags;
        buffer[6..10].copy_from_slice(&(u32::from(start) | u32::from(offset) << 16).to_le_bytes());
        fill(&mut buffer[HEADER..HEADER + len], checksum.is_some());
        self.sender.queue.set_len(number, (HEADER + len) as u32);
        self.sender.lend(number, buffer);
    }
}
