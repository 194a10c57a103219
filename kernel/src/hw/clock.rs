//! Time: the TSC, and how fast it and the local APIC's timer run.
//!
//! The rate is told by the command line or by the CPU. Failing that, it is taken from the APIC timer, which has been
//! counting since boot by the time somebody asks: nobody ever waits for a calibration.

use super::{apic, cpu, ledger};
use mayfly_core::clock::Rate;
use mayfly_core::command_line::CommandLine;
use spin::Once;

/// What a hypervisor's local APIC runs at, and what is assumed of any other until the command line says better.
const APIC_HZ: u64 = 1_000_000_000;
/// Assumed of a TSC that cannot be measured.
const FALLBACK_HZ: u64 = 1_000_000_000;

/// How fast the counters run.
pub(crate) struct Rates {
    pub(crate) tsc: Rate,
    pub(crate) lapic: Rate,
}

struct Known {
    tsc_hz: Option<u64>,
    lapic_hz: Option<u64>,
    /// TSC when the APIC timer started to count.
    start: u64,
}

static KNOWN: Once<Known> = Once::new();
static RATES: Once<Rates> = Once::new();

/// Starts the clocks. Called once, with what the command line says about them.
pub(crate) fn init(line: &CommandLine, traps: &super::traps::Traps) {
    apic::init(traps);
    KNOWN.call_once(|| Known { tsc_hz: line.tsc_hz, lapic_hz: line.lapic_hz, start: cpu::ticks() });
}

/// The rates. The first call settles them.
pub(crate) fn rates() -> &'static Rates {
    RATES.call_once(|| {
        let known = KNOWN.get();
        let lapic_hz = known.and_then(|known| known.lapic_hz).unwrap_or(APIC_HZ);
        let told = known.and_then(|known| known.tsc_hz).unwrap_or(0);
        let announced = if told == 0 { cpu::announced_tsc_hz() } else { told };
        let hz = if announced != 0 { announced } else { measured(known.map_or(0, |known| known.start), lapic_hz) };
        ledger::set_rate(hz);
        Rates { tsc: rate(hz), lapic: rate(lapic_hz) }
    })
}

/// TSC rate by the ticks that both counters have made since boot.
fn measured(start: u64, lapic_hz: u64) -> u64 {
    let (lapic, tsc) = (u128::from(apic::counted()), u128::from(cpu::ticks() - start));
    if lapic == 0 { FALLBACK_HZ } else { (tsc * u128::from(lapic_hz) / lapic) as u64 }
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
