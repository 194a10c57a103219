//! Time: the TSC, and how fast it and the local APIC's timer run.
//!
//! The rate is told by the command line or by the CPU. Failing that, it is taken from the APIC timer, which has been
//! counting through most of the boot by the time it is needed: nobody waits for a calibration, but for a machine that is no
//! hypervisor's, whose APIC timer may run at any rate.

use super::reference::Reference;
use super::traps::Traps;
use super::{apic, cpu, ledger};
use core::ptr::addr_of;
use mayfly_core::clock::Rate;
use mayfly_core::command_line::CommandLine;

/// What a hypervisor's local APIC runs at.
const APIC_HZ: u64 = 1_000_000_000;
/// Assumed of a counter with an impossible rate.
const FALLBACK_HZ: u64 = 1_000_000_000;
const FALLBACK: Rate = match Rate::new(FALLBACK_HZ) {
    Some(rate) => rate,
    None => panic!("the fallback rate is a rate"),
};

/// How fast the counters run.
pub(crate) struct Rates {
    pub(crate) tsc: Rate,
    /// As if the APIC timer counted nanoseconds: what `nanos` gives are its counts.
    timer: Rate,
}

/// Settled before anything asks for more than a rough idea of time, so that asking costs nothing.
static mut RATES: Rates = Rates { tsc: FALLBACK, timer: FALLBACK };

/// Clocks that run, at rates that may yet have to be found.
pub(crate) struct Clocks {
    /// TSC when the APIC timer started to count.
    start: u64,
    tsc_hz: Option<u64>,
    lapic_hz: Option<u64>,
    /// There is more on this machine than its command line says.
    has_more: bool,
}

/// Proof that the rates are settled.
pub(crate) struct Settled(());

/// Starts the clocks, with what the command line says about them.
pub(crate) fn init(line: &CommandLine, traps: &Traps) -> Clocks {
    apic::init(traps);
    Clocks {
        start: cpu::ticks(),
        tsc_hz: line.tsc_hz.or_else(cpu::announced_tsc_hz),
        lapic_hz: line.lapic_hz,
        has_more: line.devices().is_empty(),
    }
}

impl Clocks {
    /// Settles the rates: as told, or by what both clocks have counted since [`init`]. Called as late as possible, on
    /// the one core that runs.
    pub(crate) fn settle(self) -> Settled {
        let is_virtual = || cpu::has_hypervisor();
        let (tsc_hz, lapic_hz) = match (self.tsc_hz, self.lapic_hz) {
            (None, _) if self.has_more => measure(None),
            (tsc_hz, None) if self.has_more && !is_virtual() => measure(tsc_hz),
            (tsc_hz, lapic_hz) => {
                let lapic_hz = lapic_hz.unwrap_or(APIC_HZ);
                let counted = || (cpu::ticks() - self.start, u64::from(apic::counted()));
                (
                    tsc_hz.unwrap_or_else(|| {
                        let (tsc, lapic) = counted();
                        scaled(tsc, lapic_hz, lapic)
                    }),
                    lapic_hz,
                )
            }
        };
        let lapic_hz = self.lapic_hz.unwrap_or(lapic_hz);
        ledger::set_rate(tsc_hz);
        // TSC ticks that pass while the APIC timer makes as many counts as a second has nanoseconds.
        let timer_hz = scaled(tsc_hz, 1_000_000_000, lapic_hz);
        // SAFETY: one core runs, and nobody holds the rates yet.
        unsafe { RATES = Rates { tsc: rate(tsc_hz), timer: rate(timer_hz) } };
        Settled(())
    }
}

/// `count` times `by`, in units of `unit`.
#[inline(never)]
fn scaled(count: u64, by: u64, unit: u64) -> u64 {
    (u128::from(count) * u128::from(by) / u128::from(unit.max(1))) as u64
}

/// TSC, APIC timer and reference, read together.
#[derive(Clone, Copy, Default)]
struct Reading {
    tsc: u64,
    apic: u64,
    reference: u64,
}

/// Reads of all three, of which the one counts that took least: a hypervisor may take the core away in the middle.
const TRIES: u32 = 5;
/// How long the rates are measured: this part of a second.
const PART: u64 = 500;

#[inline(never)]
fn reading(reference: &Reference) -> Reading {
    let (mut best, mut least) = (Reading::default(), u64::MAX);
    for _ in 0..TRIES {
        let tsc = cpu::ticks();
        let reading = Reading { tsc, apic: apic::counted().into(), reference: reference.read() };
        let took = cpu::ticks() - tsc;
        if took < least {
            (best, least) = (reading, took);
        }
    }
    best
}

/// Rates of TSC and APIC timer, found by a counter whose own is known; that of the TSC may be known already.
#[cold]
#[inline(never)]
fn measure(tsc_hz: Option<u64>) -> (u64, u64) {
    let reference = Reference::start();
    let (hz, start) = (reference.hz(), reading(&reference));
    let (mut end, mut counts) = (start, 0);
    // A reference that stands still is not waited for: the TSC of no CPU takes as long.
    while counts < hz / PART && end.tsc - start.tsc < 1 << 32 {
        end = reading(&reference);
        counts = reference.between(start.reference, end.reference);
    }
    let tsc = end.tsc - start.tsc;
    let tsc_hz = tsc_hz.unwrap_or(if counts == 0 { FALLBACK_HZ } else { scaled(tsc, hz, counts) });
    (tsc_hz, scaled(end.apic - start.apic, tsc_hz, tsc))
}

/// The rates.
pub(crate) fn rates() -> &'static Rates {
    // SAFETY: written once, before the executor starts; only read since.
    unsafe { &*addr_of!(RATES) }
}

/// A rate; one that no counter can have is replaced.
fn rate(hz: u64) -> Rate {
    Rate::new(hz).unwrap_or(FALLBACK)
}

/// TSC ticks in so many nanoseconds.
pub(crate) fn ticks_in(nanos: u64) -> u64 {
    rates().tsc.ticks(nanos)
}

/// Counts that the APIC timer makes in so many TSC ticks.
pub(super) fn timer_counts(ticks: u64) -> u64 {
    rates().timer.nanos(ticks)
}

/// Nanoseconds since the machine started to count.
pub(crate) fn nanos() -> u64 {
    rates().tsc.nanos(cpu::ticks())
}
