//! The rate of the host's time stamp counter, measured against the operating system's clock.

use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use quanta::Clock;

/// How long the counter is watched.
const WINDOW: Duration = Duration::from_millis(20);
/// Readings at each end of the window, of which the least disturbed one counts.
const READINGS: u32 = 20;

/// How far [`tsc_hz`] may be off, relative to itself: half a microsecond at each end of the window.
pub(crate) const RATE_ERROR: f64 = 50e-6;

/// Ticks a second of the host's TSC, measured once per process (20 ms), or `None` where it has no steady rate.
///
/// The guest's TSC has the same rate, under TCG as well as under KVM.
pub fn tsc_hz() -> Option<u64> {
    static RATE: LazyLock<Option<u64>> = LazyLock::new(measure);
    *RATE
}

fn measure() -> Option<u64> {
    let counter = Clock::new();
    let (start, start_ticks) = read_both(&counter);
    thread::sleep(WINDOW);
    let (end, end_ticks) = read_both(&counter);
    let hz = (end_ticks - start_ticks) / (end - start).as_secs_f64();
    // Without an invariant TSC the counter that quanta gives is the operating system's, in nanoseconds.
    let is_nanoseconds = (hz / 1e9 - 1.0).abs() < 1e-3;
    (!is_nanoseconds).then_some(hz as u64)
}

/// The same moment on both clocks. A reading during which the thread lost its core has the counter's readings far
/// apart; the one with the closest wins.
fn read_both(counter: &Clock) -> (Instant, f64) {
    let read = || {
        let before = counter.raw();
        let now = Instant::now();
        let apart = counter.raw() - before;
        (apart, now, before as f64 + apart as f64 / 2.0)
    };
    let first = read();
    let (_, now, ticks) =
        (1..READINGS).map(|_| read()).fold(first, |best, other| if other.0 < best.0 { other } else { best });
    (now, ticks)
}
