//! The kernel command line: which address to take, how fast the clocks run, where the devices are.
//!
//! Bootloaders and monitors add words of their own, so nothing here is fatal: a word that is not understood is handed
//! to the caller as a [`Notice`], to be printed once there is time.

use core::fmt;
use core::net::Ipv4Addr;

use crate::digits::Scanner;

/// Most devices that are kept.
pub const DEVICES_MAX: usize = 8;

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
        for word in line.split(|byte| *byte <= b' ') {
            if word.is_empty() {
                continue;
            }
            if let Err(why) = parsed.take(word) {
                report(Notice { word, why });
            }
        }
        parsed
    }

    /// The devices, in the order in which they are named.
    pub fn devices(&self) -> &[Device] {
        &self.devices[..self.device_count]
    }

    fn take(&mut self, word: &[u8]) -> Result<(), Why> {
        let equals = word.iter().position(|byte| *byte == b'=').ok_or(Why::Unknown)?;
        let (key, value) = (&word[..equals], &mut Scanner::new(&word[equals + 1..]));
        match key {
            b"ip" => self.address = Some(whole(address, value)?),
            b"gw" => self.gateway = Some(whole(unicast, value)?),
            b"tsc_hz" => self.tsc_hz = Some(whole(frequency, value)?),
            b"lapic_hz" => self.lapic_hz = Some(whole(frequency, value)?),
            b"virtio_mmio.device" => {
                let device = whole(device, value)?;
                *self.devices.get_mut(self.device_count).ok_or(Why::TooManyDevices)? = device;
                self.device_count += 1;
            }
            _ => return Err(Why::Unknown),
        }
        Ok(())
    }
}

impl fmt::Display for Notice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "command line: `{}` is ignored: ", self.word.escape_ascii())?;
        f.write_str(match self.why {
            Why::Unknown => "there is no such key; known are ip, gw, tsc_hz, lapic_hz and virtio_mmio.device",
            Why::BadValue => {
                "its value is not of the key's form: ip=A.B.C.D/LEN, gw=A.B.C.D, tsc_hz=N, lapic_hz=N, \
                 virtio_mmio.device=SIZE@0xADDRESS:IRQ"
            }
            Why::TooManyDevices => "only the first eight devices are used",
        })
    }
}

/// What `read` makes of the value, if that is all of it.
fn whole<T>(read: fn(&mut Scanner<'_>) -> Option<T>, value: &mut Scanner<'_>) -> Result<T, Why> {
    let result = read(value).ok_or(Why::BadValue)?;
    value.end().ok_or(Why::BadValue)?;
    Ok(result)
}

fn address(value: &mut Scanner<'_>) -> Option<Address> {
    let ip = unicast(value)?;
    value.skip(b'/')?;
    let prefix = value.number(10).filter(|prefix| *prefix <= 32)? as u8;
    Some(Address { ip, prefix })
}

/// Anything but a unicast address would be refused by the network stack later, with less to say about it.
fn unicast(value: &mut Scanner<'_>) -> Option<Ipv4Addr> {
    let mut bits: u32 = 0;
    for at in 0..4 {
        if at > 0 {
            value.skip(b'.')?;
        }
        bits = bits << 8 | value.number(10).filter(|octet| *octet <= 255)? as u32;
    }
    let ip = Ipv4Addr::from(bits);
    (!ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast()).then_some(ip)
}

fn frequency(value: &mut Scanner<'_>) -> Option<u64> {
    value.number(10).filter(|hz| *hz > 0)
}

fn device(value: &mut Scanner<'_>) -> Option<Device> {
    let count = value.number(10)?;
    let unit = if value.skip(b'K').is_some() {
        1 << 10
    } else if value.skip(b'M').is_some() {
        1 << 20
    } else {
        1
    };
    let size = count.checked_mul(unit)?;
    value.skip(b'@')?;
    value.skip(b'0')?;
    value.skip(b'x')?;
    let address = value.number(16)?;
    // A device that wraps around the end of the address space is none.
    address.checked_add(size)?;
    value.skip(b':')?;
    Some(Device { address, size, irq: u32::try_from(value.number(10)?).ok()? })
}
