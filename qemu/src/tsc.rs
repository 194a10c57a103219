//! The rate of the host's time stamp counter, measured against the operating system's clock.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// How long the counter is watched. The error of both readings is under a microsecond: 100 ppm at most.
const WINDOW: Duration = Duration::from_millis(10);

/// Ticks a second of the host's TSC, measured once per process (10 ms), or `None` where it has no steady rate.
///
/// The guest's TSC has the same rate, under TCG as well as under KVM.
pub fn tsc_hz() -> Option<u64> {
    static RATE: LazyLock<Option<u64>> = LazyLock::new(measure);
    *RATE
}

fn measure() -> Option<u64> {
    let counter = quanta::Clock::new();
    let (start, start_ticks) = (Instant::now(), counter.raw());
    std::thread::sleep(WINDOW);
    let (end, end_ticks) = (Instant::now(), counter.raw());
    let hz = (end_ticks - start_ticks) as f64 / (end - start).as_secs_f64();
    // Without an invariant TSC the counter that quanta gives is the operating system's, in nanoseconds.
    let is_nanoseconds = (hz / 1e9 - 1.0).abs() < 1e-3;
    (!is_nanoseconds).then_some(hz as u64)
}
