//! The fixed hardware: power, reset, timer (ACPI 6.4, 5.2.9 and 4.8).

use super::{u16_at, u32_at, u64_at};

/// Where the registers are that the kernel uses. Ports of 0 are not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Power {
    /// Physical address of the DSDT, which says how to switch off.
    pub dsdt: u64,
    /// The system control interrupt, as one of the old sixteen.
    pub interrupt: u16,
    /// Port that takes `enable`, to have the firmware leave the rest to us.
    pub command: u16,
    /// What is written there.
    pub enable: u8,
    /// Status register of the power button; its enable register is `events_len` / 2 further.
    pub events: u16,
    /// Bytes of both.
    pub events_len: u8,
    /// Control registers, which switch off.
    pub control: [u16; 2],
    /// The power management timer.
    pub timer: u16,
    /// It has 32 bits, not 24.
    pub timer_is_wide: bool,
    /// How to reset the machine.
    pub reset: Option<Reset>,
}

/// The reset register: `value` is written to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reset {
    /// Its port.
    pub port: u16,
    /// What resets.
    pub value: u8,
}

/// Bytes of the first version of the table.
const OLDEST: usize = 116;
/// In the flags: the timer is wide; there is a reset register.
const WIDE_TIMER: u32 = 1 << 8;
const RESET: u32 = 1 << 10;
/// A generic address in port space.
const PORTS: u8 = 1;

#[inline(never)]
pub(super) fn read(table: &[u8]) -> Option<Power> {
    if table.len() < OLDEST {
        return None;
    }
    let wide = u64_at(table, 140);
    let flags = u32_at(table, 112);
    let reset = Reset { port: in_ports(table, 116), value: table.get(128).copied().unwrap_or_default() };
    Some(Power {
        dsdt: if wide != 0 { wide } else { u32_at(table, 40).into() },
        interrupt: u16_at(table, 46),
        command: u16::try_from(u32_at(table, 48)).unwrap_or_default(),
        enable: table[52],
        events: port(table, 56, 148),
        events_len: table[88],
        control: [port(table, 64, 172), port(table, 68, 184)],
        timer: if table[91] == 4 { port(table, 76, 208) } else { 0 },
        timer_is_wide: flags & WIDE_TIMER != 0,
        reset: (flags & RESET != 0 && reset.port != 0).then_some(reset),
    })
}

/// The port in the old place of a register, or, if that is empty, in the new one.
fn port(table: &[u8], old: usize, new: usize) -> u16 {
    match u32_at(table, old) {
        0 => in_ports(table, new),
        port => u16::try_from(port).unwrap_or_default(),
    }
}

/// The address in a generic address structure, if it is a port's (5.2.3.2).
#[inline(never)]
fn in_ports(table: &[u8], at: usize) -> u16 {
    let address = if table.get(at) == Some(&PORTS) { u64_at(table, at + 4) } else { 0 };
    u16::try_from(address).unwrap_or_default()
}
