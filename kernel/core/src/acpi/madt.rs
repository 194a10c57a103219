//! The interrupt controllers (ACPI 6.4, 5.2.12).

use super::{HEADER, u16_at, u32_at};

/// I/O APICs that are kept; more than any board has.
const APICS_MAX: usize = 8;
/// Old interrupts that can be redirected.
const OLD: usize = 16;
/// Types of entries.
const IO_APIC: u8 = 1;
const OVERRIDE: u8 = 2;

/// Interrupt controllers, and where the sixteen old interrupts go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interrupts {
    apics: [IoApic; APICS_MAX],
    count: usize,
    overrides: [Option<Override>; OLD],
}

/// An I/O APIC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IoApic {
    /// Physical address of its registers.
    pub address: u32,
    /// Number of its first input among all inputs of the machine.
    pub first: u32,
}

/// Where an old interrupt goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Override {
    /// Number of the input.
    pub input: u32,
    /// 1: active high, 3: active low, else as the bus has it.
    polarity: u8,
    /// 1: edge, 3: level, else as the bus has it.
    trigger: u8,
}

/// An input of an I/O APIC, and how it is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The controller.
    pub apic: IoApic,
    /// Which of its inputs.
    pub input: u32,
    /// A low voltage is the interrupt.
    pub active_low: bool,
    /// It lasts until the device takes it back; otherwise its beginning counts.
    pub level: bool,
}

#[inline(never)]
pub(super) fn read(table: &[u8]) -> Option<Interrupts> {
    let mut interrupts = Interrupts::default();
    // Behind the header: the local APIC's address and flags.
    let mut rest = table.get(HEADER + 8..)?;
    while let [kind, len, ..] = *rest {
        // An entry without a length would be read for ever.
        let entry = rest.get(..len.into()).filter(|entry| entry.len() >= 2)?;
        rest = &rest[entry.len()..];
        match kind {
            IO_APIC if entry.len() >= 12 => {
                let apic = IoApic { address: u32_at(entry, 4), first: u32_at(entry, 8) };
                if let Some(slot) = interrupts.apics.get_mut(interrupts.count) {
                    *slot = apic;
                    interrupts.count += 1;
                }
            }
            OVERRIDE if entry.len() >= 10 => {
                let flags = u16_at(entry, 8);
                let (polarity, trigger) = ((flags & 3) as u8, (flags >> 2 & 3) as u8);
                if let Some(slot) = interrupts.overrides.get_mut(usize::from(entry[3])) {
                    *slot = Some(Override { input: u32_at(entry, 4), polarity, trigger });
                }
            }
            _ => {}
        }
    }
    (interrupts.count > 0).then_some(interrupts)
}

impl Interrupts {
    /// The I/O APICs.
    pub fn apics(&self) -> &[IoApic] {
        &self.apics[..self.count]
    }

    /// Where old interrupt number `irq` goes. `by_pci`: to be read as PCI's, low and level, if the tables do not say otherwise.
    pub fn line(&self, irq: u8, by_pci: bool) -> Option<Line> {
        let redirected = self.overrides.get(usize::from(irq))?;
        let input = redirected.map_or(u32::from(irq), |redirected| redirected.input);
        let (polarity, trigger) = redirected.map_or((0, 0), |redirected| (redirected.polarity, redirected.trigger));
        // The controller with the highest first input that is not above this one.
        let apic = *self.apics().iter().filter(|apic| apic.first <= input).max_by_key(|apic| apic.first)?;
        let read = |flag, otherwise| match flag {
            1 => false,
            3 => true,
            _ => otherwise,
        };
        let (active_low, level) = (read(polarity, by_pci), read(trigger, by_pci));
        Some(Line { apic, input: input - apic.first, active_low, level })
    }
}
