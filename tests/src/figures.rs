//! Latencies and what is said about them.

use std::fmt;
use std::time::Duration;

/// How long each of many requests took.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    sorted: Vec<Duration>,
}

impl Latencies {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.sorted.len()
    }

    /// The latency that `percent` of the requests did not exceed; zero if there was none.
    pub fn percentile(&self, percent: f64) -> Duration {
        let rank = (self.sorted.len() as f64 * percent / 100.0).ceil() as usize;
        self.sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }

    /// The longest; zero if there was none.
    pub fn max(&self) -> Duration {
        self.sorted.last().copied().unwrap_or_default()
    }
}

impl FromIterator<Duration> for Latencies {
    fn from_iter<T: IntoIterator<Item = Duration>>(latencies: T) -> Self {
        let mut sorted: Vec<_> = latencies.into_iter().collect();
        sorted.sort_unstable();
        Self { sorted }
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |latency: Duration| latency.as_secs_f64() * 1e3;
        let (p50, p99) = (self.percentile(50.0), self.percentile(99.0));
        write!(out, "p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms", ms(p50), ms(p99), ms(self.max()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_latencies_that_were_there() {
        let latencies: Latencies = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(latencies.percentile(50.0), Duration::from_millis(100));
        assert_eq!(latencies.percentile(99.0), Duration::from_millis(198));
        assert_eq!(latencies.max(), Duration::from_millis(200));
        assert_eq!(latencies.to_string(), "p50 100.00 ms, p99 198.00 ms, max 200.00 ms");
        assert_eq!(Latencies::default().percentile(50.0), Duration::ZERO);
    }
}
