//! Counters whose rate is known, to find others' by, where neither the command line nor the CPU says.

use super::mmio::Window;
use super::platform;
use x86_64::instructions::port::Port;

/// Counts a second of the power management timer (ACPI 6.4, 4.8.3.3) and of the interval timer (8254).
const POWER_TIMER_HZ: u64 = 3_579_545;
const INTERVAL_TIMER_HZ: u64 = 1_193_182;
/// Registers of the HPET (IA-PC HPET 1.0a, 2.3): what a count takes in femtoseconds, whether it runs, and the counter.
const PERIOD: u64 = 0x04;
const RUNS: u64 = 0x10;
const COUNTER: u64 = 0xf0;
/// Longest period that a counter of this kind may have.
const PERIOD_MAX: u32 = 100_000_000;
/// The interval timer's third counter, its commands, and the port that lets it count.
const COUNT: u16 = 0x42;
const COMMAND: u16 = 0x43;
const GATE: u16 = 0x61;

/// A counter that runs.
pub(super) enum Reference {
    /// The power management timer's port; all its bits.
    PowerTimer(u16, u64),
    /// The HPET.
    Hpet(Window),
    /// The interval timer's third counter, which counts down.
    IntervalTimer,
}

impl Reference {
    /// The best one there is, counting.
    pub(super) fn start() -> Self {
        let platform = platform::get();
        if let Some(power) = platform.power.as_ref().filter(|power| power.timer != 0) {
            return Self::PowerTimer(power.timer, if power.timer_is_wide { 0xffff_ffff } else { 0xff_ffff });
        }
        if let Some(hpet) = platform.hpet.and_then(|address| platform::registers(address, 1 << 10))
            && (1..=PERIOD_MAX).contains(&hpet.at::<u32>(PERIOD).read())
        {
            hpet.at::<u32>(RUNS).update(|value| value | 1);
            return Self::Hpet(hpet);
        }
        // SAFETY: the speaker stays off; counting down from the top changes nothing else.
        unsafe {
            let mut gate = Port::<u8>::new(GATE);
            let value = gate.read() & !0b11;
            gate.write(value | 1);
            Port::<u8>::new(COMMAND).write(0b1011_0000);
            Port::<u8>::new(COUNT).write(0xff);
            Port::<u8>::new(COUNT).write(0xff);
        }
        Self::IntervalTimer
    }

    /// Counts a second.
    pub(super) fn hz(&self) -> u64 {
        match self {
            Self::PowerTimer(..) => POWER_TIMER_HZ,
            Self::Hpet(hpet) => 1_000_000_000_000_000 / u64::from(hpet.at::<u32>(PERIOD).read().max(1)),
            Self::IntervalTimer => INTERVAL_TIMER_HZ,
        }
    }

    /// What it has counted to.
    pub(super) fn read(&self) -> u64 {
        match self {
            // SAFETY: the firmware's tables say that the timer is there.
            Self::PowerTimer(port, _) => u64::from(unsafe { Port::<u32>::new(*port).read() }),
            Self::Hpet(hpet) => hpet.at::<u32>(COUNTER).read().into(),
            // SAFETY: the count is latched and then read in two halves.
            Self::IntervalTimer => unsafe {
                Port::<u8>::new(COMMAND).write(0b1000_0000);
                let mut count = Port::<u8>::new(COUNT);
                let (low, high) = (count.read(), count.read());
                u64::from(!u16::from_le_bytes([low, high]))
            },
        }
    }

    /// What it counted from one reading to another.
    pub(super) fn between(&self, start: u64, end: u64) -> u64 {
        let all = match self {
            Self::PowerTimer(_, all) => *all,
            Self::Hpet(_) => 0xffff_ffff,
            Self::IntervalTimer => 0xffff,
        };
        end.wrapping_sub(start) & all
    }
}
