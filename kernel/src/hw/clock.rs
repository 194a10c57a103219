//! Time: the TSC, and how fast it and the local APIC's timer run.
//!
//! The rate is told by the command line or by the CPU. Failing that, it is taken from the APIC timer, which has been
//! counting through most of the boot by the time it is needed: nobody ever waits for a calibration.

use super::traps::Traps;
use super::{apic, cpu, ledger};
use core::ptr::addr_of;
use mayfly_core::clock::Rate;
use mayfly_core::command_line::CommandLine;

/// What a hypervisor's local APIC runs at, and what is assumed of any other until the command line says better.
const APIC_HZ: u64 = 1_000_000_000;
/// Assumed of a counter with an impossible rate.
const FALLBACK: Rate = match Rate::new(1_000_000_000) {
    Some(rate) => rate,
    None => panic!("the fallback rate is a rate"),
};

/// How fast the counters run.
pub(crate) struct Rates {
    pub(crate) tsc: Rate,
    /// As if the APIC timer counted nanoseconds: what `nanos` gives are its counts.
    timer: Rate,
}

/// Settled before anything asks, so that asking costs nothing.
static mut RATES: Rates = Rates { tsc: FALLBACK, timer: FALLBACK };

/// Clocks that run, at rates that may yet have to be found.
pub(crate) struct Clocks {
    /// TSC when the APIC timer started to count.
    start: u64,
    tsc_hz: Option<u64>,
    lapic_hz: u64,
}

/// Proof that the rates are settled.
pub(crate) struct Settled(());

/// Starts the clocks, with what the command line says about them.
pub(crate) fn init(line: &CommandLine, traps: &Traps) -> Clocks {
    apic::init(traps);
    Clocks {
        start: cpu::ticks(),
        tsc_hz: line.tsc_hz.or_else(cpu::announced_tsc_hz),
        lapic_hz: line.lapic_hz.unwrap_or(APIC_HZ),
    }
}

impl Clocks {
    /// Settles the rates: as told, or by what both clocks have counted since [`init`]. Called as late as possible, on
    /// the one core that runs.
    pub(crate) fn settle(self) -> Settled {
        let tsc_hz = self.tsc_hz.unwrap_or_else(|| {
            let (lapic, tsc) = (apic::counted().max(1), cpu::ticks() - self.start);
            (u128::from(tsc) * u128::from(self.lapic_hz) / u128::from(lapic)) as u64
        });
        ledger::set_rate(tsc_hz);
        // TSC ticks that pass while the APIC timer makes as many counts as a second has nanoseconds.
        let timer_hz = (u128::from(tsc_hz) * 1_000_000_000 / u128::from(self.lapic_hz.max(1))) as u64;
        // SAFETY: one core runs, and nobody holds the rates yet.
        unsafe { RATES = Rates { tsc: rate(tsc_hz), timer: rate(timer_hz) } };
        Settled(())
    }
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
