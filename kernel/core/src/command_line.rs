//! The kernel command line: which address to take, how fast the clocks run, where the devices are.
//!
//! Bootloaders and monitors add words of their own, so nothing here is fatal: a word that is not understood is handed
//! to the caller as a [`Notice`], to be printed once there is time.

use core::fmt;
use core::hint::black_box;
use core::net::Ipv4Addr;

use crate::at_once::at_once;
use crate::digits::{Numbers, scan};

/// Most devices that are kept.
pub const DEVICES_MAX: usize = 8;

#[derive(Clone, Copy)]
enum Key {
    Address,
    Gateway,
    TscHz,
    LapicHz,
    HoldFaults,
    VerifyReset,
    Device,
    ZeroedRam,
}

/// The form of a word with each key, as [`scan`] reads it.
const KEYS: [(&[u8], Key); 8] = [
    (b"ip=D.D.D.D/D", Key::Address),
    (b"gw=D.D.D.D", Key::Gateway),
    (b"tsc_hz=D", Key::TscHz),
    (b"lapic_hz=D", Key::LapicHz),
    (b"hold_faults=D", Key::HoldFaults),
    (b"verify_reset=D", Key::VerifyReset),
    (b"virtio_mmio.device=U@0xH:D", Key::Device),
    (b"ram=zero", Key::ZeroedRam),
];

/// What the command line says. A key that appears twice counts as its last good value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// `ip=A.B.C.D/LEN`. Without it the address comes from DHCP.
    pub address: Option<Address>,
    /// `gw=A.B.C.D`: the default router.
    pub gateway: Option<Ipv4Addr>,
    /// `tsc_hz=N`: ticks a second of the time stamp counter.
    pub tsc_hz: Option<u64>,
    /// `lapic_hz=N`: ticks a second of the local APIC timer at divisor 1.
    pub lapic_hz: Option<u64>,
    /// `hold_faults=1`: keep a stopped domain until the host has looked at it (mayfly_abi::fault).
    pub hold_faults: bool,
    /// `verify_reset=1`: compare every domain with its template after it was reset, and panic on a difference.
    pub verify_reset: bool,
    /// `ram=zero`: all memory is zero when the machine starts, so that none has to be cleared before its first use.
    pub zeroed_ram: bool,
    devices: [Device; DEVICES_MAX],
    device_count: usize,
}

/// An address and the length of its network prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// A unicast address.
    pub ip: Ipv4Addr,
    /// 0 to 32.
    pub prefix: u8,
}

/// A virtio-mmio device: `virtio_mmio.device=SIZE@ADDRESS:IRQ`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// Physical address of its registers.
    pub address: u64,
    /// Length of its registers, in bytes.
    pub size: u64,
    /// Its interrupt line.
    pub irq: u32,
}

/// A word of the command line that has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice<'a> {
    /// The word as it stands.
    pub word: &'a [u8],
    /// Why it has no effect.
    pub why: Why,
}

/// Why a word of the command line has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// No such key.
    Unknown,
    /// The key's value is not of its form.
    BadValue,
    /// [`DEVICES_MAX`] devices are named before it.
    TooManyDevices,
}

impl CommandLine {
    /// Reads the words of `line`, and tells `report` about each one that has no effect.
    pub fn parse<'a>(line: &'a [u8], mut report: impl FnMut(Notice<'a>)) -> Self {
        let mut parsed = Self::default();
        let mut rest = line;
        while !rest.is_empty() {
            let (word, behind) = rest.split_at(word_len(rest));
            if !word.is_empty()
                && let Err(why) = parsed.take(word)
            {
                report(Notice { word, why });
            }
            rest = behind.get(1..).unwrap_or_default();
        }
        parsed
    }

    /// The devices, in the order in which they are named.
    pub fn devices(&self) -> &[Device] {
        &self.devices[..self.device_count]
    }

    fn take(&mut self, word: &[u8]) -> Result<(), Why> {
        let (numbers, key) = read(word)?;
        match key {
            Key::Address => {
                let [.., prefix] = numbers;
                let (ip, usable) = unicast(&numbers);
                self.address = Some(demand(Address { ip, prefix: prefix as u8 }, usable & (prefix <= 32))?);
            }
            Key::Gateway => {
                let (ip, usable) = unicast(&numbers);
                self.gateway = Some(demand(ip, usable)?);
            }
            Key::TscHz => self.tsc_hz = Some(frequency(&numbers)?),
            Key::LapicHz => self.lapic_hz = Some(frequency(&numbers)?),
            Key::HoldFaults => self.hold_faults = switch(&numbers)?,
            Key::VerifyReset => self.verify_reset = switch(&numbers)?,
            Key::ZeroedRam => self.zeroed_ram = true,
            Key::Device => {
                let [size, address, irq, ..] = numbers;
                // A device that wraps around the end of the address space is none.
                let sound = (irq <= u32::MAX.into()) & address.checked_add(size).is_some();
                let irq = demand(irq as u32, sound)?;
                *self.devices.get_mut(self.device_count).ok_or(Why::TooManyDevices)? = Device { address, size, irq };
                self.device_count += 1;
            }
        }
        Ok(())
    }
}

/// Bytes of the word that `text` starts with.
fn word_len(text: &[u8]) -> usize {
    let mut len = 0;
    while text.get(len).is_some_and(|byte| *byte > b' ') {
        len += 1;
    }
    len
}

/// The numbers in a word, and whose they are.
fn read(word: &[u8]) -> Result<(Numbers, Key), Why> {
    // One loop, of which the compiler must not make as many pieces of code as there are keys.
    for (form, key) in black_box(&KEYS[..]) {
        // Most words are told from most keys by their first letter.
        if form[0] == word[0]
            && let Some(numbers) = scan(form, word)
        {
            return Ok((numbers, *key));
        }
    }
    let name = |text: &[u8]| text.iter().position(|byte| *byte == b'=');
    let named = |form: &[u8]| name(word).is_some_and(|len| name(form) == Some(len) && form[..len] == word[..len]);
    Err(if KEYS.iter().any(|(form, _)| named(form)) { Why::BadValue } else { Why::Unknown })
}

impl fmt::Display for Notice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "command line: `{}` is ignored: ", self.word.escape_ascii())?;
        f.write_str(match self.why {
            Why::Unknown => "there is no such key; known are ip, gw, tsc_hz, lapic_hz, hold_faults, \
                 verify_reset, ram and virtio_mmio.device",
            Why::BadValue => {
                "its value is not of the key's form: ip=A.B.C.D/LEN, gw=A.B.C.D, tsc_hz=N, lapic_hz=N, hold_faults=0|1, \
                 verify_reset=0|1, ram=zero, virtio_mmio.device=SIZE@0xADDRESS:IRQ"
            }
            Why::TooManyDevices => "only the first eight devices are used",
        })
    }
}

/// An address, and whether it is one. Anything but a unicast address would be refused by the network stack later, with less
/// to say about it.
fn unicast(octets: &Numbers) -> (Ipv4Addr, bool) {
    let [a, b, c, d, _] = *octets;
    let most = a | b | c | d;
    let ip = Ipv4Addr::from([a as u8, b as u8, c as u8, d as u8]);
    (ip, (most <= 255) & !ip.is_unspecified() & !ip.is_multicast() & !ip.is_broadcast())
}

fn frequency(numbers: &Numbers) -> Result<u64, Why> {
    demand(numbers[0], numbers[0] > 0)
}

fn switch(numbers: &Numbers) -> Result<bool, Why> {
    demand(numbers[0] == 1, numbers[0] <= 1)
}

/// A value of which everything was asked before.
fn demand<T>(value: T, is_sound: bool) -> Result<T, Why> {
    if at_once(is_sound) { Ok(value) } else { Err(Why::BadValue) }
}
