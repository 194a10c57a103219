//! Time: the TSC, and how fast it and the local APIC's timer run.
//!
//! The rate is told by the command line or by the CPU. Failing that, it is taken from the APIC timer, which has been
//! counting since boot by the time somebody asks: nobody ever waits for a calibration.

use super::{apic, cpu, ledger};
use core::sync::atomic::{AtomicU64, Ordering};
use mayfly_core::clock::Rate;
use mayfly_core::command_line::CommandLine;
use spin::Once;

/// What a hypervisor's local APIC runs at, and what is assumed of any other until the command line says better.
const APIC_HZ: u64 = 1_000_000_000;
/// Assumed of a counter with an impossible rate.
const FALLBACK_HZ: u64 = 1_000_000_000;

/// How fast the counters run.
pub(crate) struct Rates {
    pub(crate) tsc: Rate,
    pub(crate) lapic: Rate,
}

static RATES: Once<Rates> = Once::new();
/// TSC when the APIC timer started to count.
static START: AtomicU64 = AtomicU64::new(0);
static LAPIC_HZ: AtomicU64 = AtomicU64::new(APIC_HZ);

/// Starts the clocks. Called once, with what the command line says about them.
pub(crate) fn init(line: &CommandLine, traps: &super::traps::Traps) {
    apic::init(traps);
    START.store(cpu::ticks(), Ordering::Relaxed);
    if let Some(hz) = line.lapic_hz {
        LAPIC_HZ.store(hz, Ordering::Relaxed);
    }
    if let Some(hz) = line.tsc_hz.or_else(cpu::announced_tsc_hz) {
        settle(hz);
    }
}

/// The rates. If nobody told them, the first call takes them from what the clocks have counted.
pub(crate) fn rates() -> &'static Rates {
    match RATES.get() {
        Some(rates) => rates,
        None => {
            let (lapic, tsc) = (apic::counted(), cpu::ticks() - START.load(Ordering::Relaxed));
            let hz = u128::from(tsc) * u128::from(LAPIC_HZ.load(Ordering::Relaxed)) / u128::from(lapic.max(1));
            settle(hz as u64)
        }
    }
}

fn settle(tsc_hz: u64) -> &'static Rates {
    ledger::set_rate(tsc_hz);
    RATES.call_once(|| Rates { tsc: rate(tsc_hz), lapic: rate(LAPIC_HZ.load(Ordering::Relaxed)) })
}

/// A rate; one that no counter can have is replaced.
fn rate(hz: u64) -> Rate {
    Rate::new(hz).or(Rate::new(FALLBACK_HZ)).unwrap_or_else(|| panic!("the fallback rate is a rate"))
}

/// TSC ticks in so many nanoseconds.
pub(crate) fn ticks_in(nanos: u64) -> u64 {
    rates().tsc.ticks(nanos)
}

/// Nanoseconds since the machine started to count.
pub(crate) fn nanos() -> u64 {
    rates().tsc.nanos(cpu::ticks())
}
