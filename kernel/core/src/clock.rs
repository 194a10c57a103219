//! Counter ticks to nanoseconds and back, by multiplication and shift: one division when the rate becomes known.

const NANOS_PER_SEC: u64 = 1_000_000_000;

/// Bits behind the point in nanoseconds per tick: the most that leave a second's nanoseconds within 64 bits.
const NANOS_SHIFT: u32 = NANOS_PER_SEC.leading_zeros();

/// How fast a counter runs.
///
/// Both ways round down, never run backwards and saturate at `u64::MAX`. Up to 10 GHz the result is less than one part
/// in 2^30 (and one unit) too small; up to [`Rate::MAX_HZ`], one part in 2^23.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Nanoseconds per tick, times 2^[`NANOS_SHIFT`].
    nanos_per_tick: u64,
    /// Ticks per nanosecond, times 2^`ticks_shift`.
    ticks_per_nano: u64,
    ticks_shift: u32,
}

impl Rate {
    /// Slowest counter that is worth reading.
    pub const MIN_HZ: u64 = 1_000;
    /// Fastest counter that is believed.
    pub const MAX_HZ: u64 = 1 << 40;

    /// A counter of `hz` ticks a second. `None` outside [`Rate::MIN_HZ`] to [`Rate::MAX_HZ`].
    pub const fn new(hz: u64) -> Option<Self> {
        if hz < Self::MIN_HZ || hz > Self::MAX_HZ {
            return None;
        }
        // The shift that keeps all of `hz` and as much of the quotient as 64 bits can.
        let ticks_shift = hz.leading_zeros();
        Some(Self {
            nanos_per_tick: (NANOS_PER_SEC << NANOS_SHIFT) / hz,
            ticks_per_nano: (hz << ticks_shift) / NANOS_PER_SEC,
            ticks_shift,
        })
    }

    /// Nanoseconds that `ticks` take.
    pub fn nanos(self, ticks: u64) -> u64 {
        scale(ticks, self.nanos_per_tick, NANOS_SHIFT)
    }

    /// Ticks that pass in `nanos` nanoseconds.
    pub fn ticks(self, nanos: u64) -> u64 {
        scale(nanos, self.ticks_per_nano, self.ticks_shift)
    }
}

fn scale(value: u64, factor: u64, shift: u32) -> u64 {
    let product = u128::from(value) * u128::from(factor);
    if (product >> 64) as u64 >> shift == 0 { (product >> shift) as u64 } else { u64::MAX }
}
