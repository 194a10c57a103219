//! What Intel's cards of the 8254x family and their successors have in common: registers, rings of legacy descriptors, link
//! and watchdog. (PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual, "SDM" here: 3.2, 3.3, 13, 14)

use super::{HEADER, Nic, Unusable};
use crate::hw::console::say;
use crate::hw::memory::{self, Memory};
use crate::hw::mmio::Window;
use crate::hw::pci::{self, Config};
use crate::hw::virtio::behind::{self, Behind};
use crate::hw::virtio::{Driver, Interrupt, OFTEN, Queue};
use crate::hw::{cpu, traps};
use alloc::boxed::Box;
use core::ptr::NonNull;
use core::sync::atomic::{Ordering, fence};
use mayfly_abi::PAGE;
use mayfly_core::pci::Function;
use spin::{Mutex, MutexGuard};
use volatile::VolatilePtr;

/// Registers (SDM 13.4).
pub(super) mod register {
    pub(in super::super) const CONTROL: u64 = 0x0000;
    pub(super) const STATUS: u64 = 0x0008;
    pub(super) const CAUSES: u64 = 0x00c0;
    pub(super) const THROTTLE: u64 = 0x00c4;
    pub(super) const MASK_SET: u64 = 0x00d0;
    pub(super) const MASK_CLEAR: u64 = 0x00d8;
    pub(super) const RECEIVE: u64 = 0x0100;
    pub(super) const TRANSMIT: u64 = 0x0400;
    pub(super) const GAP: u64 = 0x0410;
    pub(super) const RECEIVER: u64 = 0x2800;
    pub(super) const SENDER: u64 = 0x3800;
    pub(super) const MULTICAST: u64 = 0x5200;
    pub(in super::super) const ADDRESS_LOW: u64 = 0x5400;
    pub(in super::super) const ADDRESS_HIGH: u64 = 0x5404;
}

/// Bytes of registers that every such card has.
const LEN: u64 = 0x2_0000;

/// In the control register (13.4.1): the link is wanted, at the speed that is found; reset. What keeps the link down.
const WANT_LINK: u32 = 1 << 6 | 1 << 5;
const RESET: u32 = 1 << 26;
const NO_LINK: u32 = 1 << 3 | 1 << 31 | 1 << 7;
/// In the status register (13.4.2): the link is up.
const LINK: u32 = 1 << 1;
/// Interrupts for frames that arrive (13.4.17): the timer's, few descriptors left, none left.
const ARRIVED: u32 = 1 << 7 | 1 << 6 | 1 << 4;
/// The receiver (13.4.22): on, broadcasts too, without the checksum at the end. Buffers have 2,048 bytes, and longer
/// frames than Ethernet's are dropped, so that with room for a header in front nothing is written beyond a buffer.
const RECEIVE: u32 = ENABLE | 1 << 15 | 1 << 26;
/// The sender (13.4.33): on, short frames padded, collisions as recommended.
const TRANSMIT: u32 = ENABLE | 1 << 3 | 0x0f << 4 | 0x40 << 12;
const ENABLE: u32 = 1 << 1;
/// In the high half of the card's address (13.5.3): there is one.
pub(super) const VALID: u32 = 1 << 31;

/// Reads of a register for as long as the card may take to do something.
pub(super) const PATIENCE: u32 = 100_000;
/// Looks at the card are so far apart, in nanoseconds, if its link is up and its interrupt known to arrive.
const SELDOM: u64 = 1_000_000_000;

/// What differs between cards.
pub(super) struct Model {
    /// The name in messages.
    pub(super) name: &'static str,
    /// What has to be done before a reset and after one.
    pub(super) before_reset: fn(Window),
    pub(super) after_reset: fn(Window) -> Result<(), Unusable>,
    /// Gaps between frames (13.4.34).
    pub(super) gap: u32,
}

/// A card.
struct Intel {
    registers: Window,
    model: &'static Model,
    receiver: Ring,
    sender: Ring,
    /// Its interrupt is known to arrive.
    proven: bool,
    link: bool,
    /// When the sender was last looked at, in nanoseconds, where it was, and whether it had something to send.
    last: (u64, u16, bool),
}

/// The card that is driven; there is one.
static CARD: Mutex<Option<Intel>> = Mutex::new(None);

/// What the queues' other side is.
static DRIVER: Driver = Driver {
    ring: || with(|card| card.feed()),
    interrupt: |wanted| with(|card| card.interrupt(wanted)),
    work: |came| with(|card| card.work(came)),
    watch: |now| with(|card| card.watch(now)),
};

fn with<R: Default>(work: impl FnOnce(&mut Intel) -> R) -> R {
    lock().as_mut().map(work).unwrap_or_default()
}

// Kept apart, for there are several ways to the card.
#[inline(never)]
fn lock() -> MutexGuard<'static, Option<Intel>> {
    CARD.lock()
}

/// Starts the card behind a function, which answers. Its interrupt is a message if it can be, else it comes by a line.
pub(super) fn start(
    config: &Config,
    function: &Function,
    model: &'static Model,
    memory: &Memory,
) -> Result<Nic, Unusable> {
    let registers = pci::registers(config, function, 0).and_then(|registers| registers.part(0, LEN));
    let registers = registers.ok_or(Unusable::Unreachable)?;
    let proven = pci::send(config, function).is_some();
    if !proven && !pci::route_line(config, function) {
        return Err(Unusable::Silent);
    }
    let (to_fill, receiver) = behind::pair(&DRIVER, memory)?;
    let (to_send, sender) = behind::pair(&DRIVER, memory)?;
    let (receiver, sender) = (Ring::new(registers, &RECEIVER, receiver)?, Ring::new(registers, &SENDER, sender)?);
    let mut card = Intel { registers, model, receiver, sender, proven, link: false, last: (0, 0, false) };
    card.reset()?;
    let (low, high) = (card.read(register::ADDRESS_LOW), card.read(register::ADDRESS_HIGH));
    if high & VALID == 0 {
        return Err(Unusable::Dead);
    }
    let ([a, b, c, d], [e, f, ..]) = (low.to_le_bytes(), high.to_le_bytes());
    let nic = Nic::new(Interrupt::Driver(&DRIVER), [a, b, c, d, e, f], false, [to_fill, to_send], memory)?;
    card.go();
    card.feed();
    *lock() = Some(card);
    traps::look_at_nic();
    Ok(nic)
}

impl Intel {
    fn read(&self, register: u64) -> u32 {
        self.registers.at(register).read()
    }

    fn write(&self, register: u64, value: u32) {
        self.registers.at(register).write(value);
    }

    /// Silence, and everything as after power-on (14.3). The address comes back from the card's own memory.
    fn reset(&self) -> Result<(), Unusable> {
        self.write(register::MASK_CLEAR, u32::MAX);
        self.write(register::RECEIVE, 0);
        self.write(register::TRANSMIT, 0);
        (self.model.before_reset)(self.registers);
        self.write(register::CONTROL, self.read(register::CONTROL) | RESET);
        // It must not be read for a microsecond.
        cpu::pause_micros(10);
        let is_over = || self.read(register::CONTROL) & RESET == 0;
        if !(0..PATIENCE).any(|_| is_over()) {
            return Err(Unusable::Dead);
        }
        self.write(register::MASK_CLEAR, u32::MAX);
        (self.model.after_reset)(self.registers)?;
        self.write(register::CONTROL, self.read(register::CONTROL) & !NO_LINK | WANT_LINK);
        self.read(register::CAUSES);
        Ok(())
    }

    /// Lets the card work with its rings (14.4, 14.5).
    fn go(&mut self) {
        (0..128).for_each(|word| self.write(register::MULTICAST + 4 * word, 0));
        self.write(register::THROTTLE, 0);
        self.write(register::GAP, self.model.gap);
        self.receiver.install();
        self.sender.install();
        self.write(register::TRANSMIT, TRANSMIT);
        self.write(register::RECEIVE, RECEIVE);
        self.link = self.read(register::STATUS) & LINK != 0;
    }

    fn feed(&mut self) {
        self.sender.feed();
        self.receiver.feed();
    }

    fn work(&mut self, came: bool) {
        self.proven |= came;
        self.receiver.harvest();
        self.sender.harvest();
        self.feed();
    }

    fn interrupt(&mut self, wanted: bool) {
        if wanted {
            // What has come so far is looked at now, so that its causes need not interrupt any more.
            self.read(register::CAUSES);
            self.write(register::MASK_SET, ARRIVED);
            self.work(false);
        } else {
            self.write(register::MASK_CLEAR, ARRIVED);
        }
    }

    /// Whether the card has forgotten what it was told, or does not send what it was given.
    fn is_stuck(&mut self, now: u64) -> bool {
        let (then, index, was_busy) = self.last;
        let mut waits = false;
        if now >= then + SELDOM {
            self.last = (now, self.sender.available, self.sender.is_busy());
            waits = self.link && was_busy && self.last == (now, index, true);
        }
        let is_off = |register| self.read(register) & ENABLE == 0;
        waits || is_off(register::RECEIVE) || is_off(register::TRANSMIT) || self.read(register::STATUS) == u32::MAX
    }

    fn watch(&mut self, now: u64) -> (u64, bool) {
        let name = self.model.name;
        if self.is_stuck(now) {
            match self.reset() {
                Ok(()) => {
                    self.receiver.restart();
                    self.sender.restart();
                    self.go();
                    self.feed();
                    say!("mayfly: {name}: the card had stopped and was reset");
                }
                Err(_) => say!("mayfly: {name}: the card has stopped and does not come out of its reset"),
            }
        }
        let link = self.read(register::STATUS) & LINK != 0;
        let changed = core::mem::replace(&mut self.link, link) != link;
        if changed {
            say!("mayfly: {name}: the link is {}", if link { "up" } else { "down" });
        }
        (now + if link && self.proven { SELDOM } else { OFTEN }, changed && link)
    }
}

/// Where a ring's registers are, and what it is for.
struct Side {
    registers: u64,
    sends: bool,
}

const RECEIVER: Side = Side { registers: register::RECEIVER, sends: false };
const SENDER: Side = Side { registers: register::SENDER, sends: true };

/// A side's registers, from its first one on (13.4.25 to 13.4.28, 13.4.35 to 13.4.38).
mod ring {
    pub(super) const ADDRESS: u64 = 0x00;
    pub(super) const LEN: u64 = 0x08;
    pub(super) const HEAD: u64 = 0x10;
    pub(super) const TAIL: u64 = 0x18;
}

/// Descriptors of a ring: twice as many as buffers, for a full ring looks like an empty one. Each has 16 bytes.
const SLOTS: u16 = 2 * Queue::LEN;
const PAGES: u64 = SLOTS as u64 * 16 / PAGE;

/// In a descriptor's status (3.2.3.1, 3.3.3.2): the card is done with it; the frame ends there.
const DONE: u8 = 1;
const END: u8 = 2;
/// In its command (3.3.3.1): the frame ends there; a checksum at its end; say when it is done.
const SEND: u32 = (1 | 1 << 1 | 1 << 3) << 24;

/// One direction. Buffers go through it in order, and which one is where is our own knowledge, not the card's.
struct Ring {
    registers: Window,
    side: &'static Side,
    behind: Behind,
    descriptors: NonNull<u8>,
    /// By descriptor: whose it is.
    buffers: Box<[Buffer; SLOTS as usize]>,
    /// Buffers ever given to the card, and taken back; both wrap.
    available: u16,
    seen: u16,
}

/// A buffer that the card has: its number, where it is behind its header, and how much of it is to be sent.
#[derive(Clone, Copy, Default)]
struct Buffer {
    number: u16,
    len: u16,
    address: u64,
}

// SAFETY: the descriptors are memory that this value alone uses, together with the card.
unsafe impl Send for Ring {}

impl Ring {
    // Kept apart, for there are two.
    #[inline(never)]
    fn new(registers: Window, side: &'static Side, behind: Behind) -> Result<Self, Unusable> {
        let descriptors = NonNull::from(memory::forever(PAGES).ok_or(Unusable::Refused)?).cast();
        let buffers = Box::new([Buffer::default(); SLOTS as usize]);
        Ok(Self { registers, side, behind, descriptors, buffers, available: 0, seen: 0 })
    }

    fn register(&self, offset: u64) -> VolatilePtr<'static, u32> {
        self.registers.at(self.side.registers + offset)
    }

    fn place<T: Copy>(&self, index: u16, offset: usize) -> VolatilePtr<'static, T> {
        let at = 16 * usize::from(index % SLOTS) + offset;
        // SAFETY: the ring's pages hold all its descriptors, whose fields are aligned integers (3.2.3, 3.3.3).
        unsafe { VolatilePtr::new(self.descriptors.add(at).cast()) }
    }

    fn is_done(&self, index: u16) -> bool {
        self.place::<u8>(index, 12).read() & DONE != 0
    }

    /// Whether the card has something that it is not done with, as of the last.
    fn is_busy(&self) -> bool {
        self.available != self.seen && !self.is_done(self.available.wrapping_sub(1))
    }

    /// Shows the ring to the card, which starts at its first descriptor.
    fn install(&self) {
        // SAFETY: the descriptors came from `forever`.
        let pages = unsafe { core::slice::from_raw_parts(self.descriptors.as_ptr(), (PAGES * PAGE) as usize) };
        let address = memory::physical(pages);
        self.register(ring::ADDRESS).write(address as u32);
        self.register(ring::ADDRESS + 4).write((address >> 32) as u32);
        self.register(ring::LEN).write(u32::from(SLOTS) * 16);
        self.register(ring::HEAD).write(0);
        self.tell();
    }

    fn tell(&self) {
        // The descriptors before the word about them.
        fence(Ordering::Release);
        self.register(ring::TAIL).write(u32::from(self.available % SLOTS));
    }

    /// Gives the card a buffer.
    fn give(&mut self, buffer: Buffer) {
        let index = self.available;
        self.buffers[usize::from(index % SLOTS)] = buffer;
        self.place::<u64>(index, 0).write(buffer.address);
        self.place::<u32>(index, 8).write(if self.side.sends { SEND | u32::from(buffer.len) } else { 0 });
        self.place::<u32>(index, 12).write(0);
        self.available = index.wrapping_add(1);
    }

    /// Gives the card what the queue offers. It has room: there are fewer buffers than descriptors.
    // Kept apart, as the next one: both are called from several places.
    #[inline(never)]
    fn feed(&mut self) {
        let before = self.available;
        while let Some(offered) = self.behind.take() {
            let (number, len) = (offered.number, (offered.len as usize).saturating_sub(HEADER) as u16);
            self.give(Buffer { number, len, address: offered.address + HEADER as u64 });
        }
        if self.available != before {
            self.tell();
        }
    }

    /// Gives the queue what the card is done with.
    #[inline(never)]
    fn harvest(&mut self) {
        while self.seen != self.available && self.is_done(self.seen) {
            fence(Ordering::Acquire);
            let index = self.seen;
            let (status, errors) = (self.place::<u8>(index, 12).read(), self.place::<u8>(index, 13).read());
            // What is damaged, or goes on in the next buffer, is as long as nothing.
            let is_whole = status & END != 0 && errors == 0;
            self.give_back(if is_whole { self.place::<u16>(index, 8).read() } else { 0 });
        }
    }

    /// Gives the queue the buffer that the card has had longest, with a frame of `len` bytes.
    fn give_back(&mut self, len: u16) {
        let buffer = self.buffers[usize::from(self.seen % SLOTS)];
        self.behind.give(buffer.number, HEADER as u32 + u32::from(len));
        self.seen = self.seen.wrapping_add(1);
    }

    /// After a reset, the card starts at the first descriptor. What it had goes back: frames without a byte, or lost ones.
    fn restart(&mut self) {
        while self.seen != self.available {
            self.give_back(0);
        }
        (self.available, self.seen) = (0, 0);
    }
}
