//! From the turns of a system to its row of figures.

use std::time::Duration;

use serde::Serialize;

use super::generator::Outcome;
use crate::bench::statistics::Summary;

/// One turn of one system.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    pub(super) outcome: Outcome,
    /// How long requests were sent.
    pub(super) duration: Duration,
    /// How long the system's threads ran.
    pub(super) cpu: Duration,
    /// How long the client ran.
    pub(super) client: Duration,
}

impl Turn {
    fn per_second(&self) -> f64 {
        self.outcome.in_time as f64 / self.duration.as_secs_f64()
    }
}

/// Microseconds that a request took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Latency {
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) p99_9: f64,
    pub(super) max: f64,
}

/// The figures of one system with one number of connections.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Row {
    pub(super) connections: u32,
    pub(super) system: String,
    /// Requests a second, turn by turn.
    pub(super) turns: Vec<f64>,
    /// Their median.
    pub(super) per_second: f64,
    /// Median of Mayfly's requests a second over this system's, round by round. `None` if there were none.
    pub(super) mayfly_over_this: Option<f64>,
    /// Of all turns together.
    pub(super) latency: Latency,
    pub(super) errors: u64,
    /// The first of them.
    pub(super) error: Option<String>,
    /// Seconds that the system's threads ran for a thousand requests. `None` if none was answered.
    pub(super) cpu_seconds_per_1000: Option<f64>,
    /// Share of the time in which the client's one thread ran. Near 1, the figures are the client's.
    pub(super) client_share: f64,
}

impl Row {
    /// Sums up the turns of `system`. `mayfly`: Mayfly's turns of the same rounds.
    pub(super) fn of(system: &str, connections: u32, turns: &[Turn], mayfly: &[Turn]) -> Self {
        let per_second: Vec<f64> = turns.iter().map(Turn::per_second).collect();
        let ratios = mayfly.iter().zip(&per_second).map(|(mayfly, own)| mayfly.per_second() / own);
        let mut latencies: Vec<u64> = turns.iter().flat_map(|turn| &turn.outcome.latencies).copied().collect();
        latencies.sort_unstable();
        let sum = |what: fn(&Turn) -> Duration| turns.iter().map(what).sum::<Duration>().as_secs_f64();
        Self {
            connections,
            system: system.to_owned(),
            per_second: median(per_second.iter().copied()).unwrap_or_default(),
            mayfly_over_this: median(ratios.filter(|ratio| ratio.is_finite())),
            turns: per_second,
            latency: Latency::of(&latencies),
            errors: turns.iter().map(|turn| turn.outcome.errors).sum(),
            error: turns.iter().find_map(|turn| turn.outcome.error.clone()),
            cpu_seconds_per_1000: (!latencies.is_empty()).then(|| sum(|turn| turn.cpu) / latencies.len() as f64 * 1e3),
            client_share: sum(|turn| turn.client) / sum(|turn| turn.duration),
        }
    }
}

impl Latency {
    /// Of nanoseconds in ascending order.
    fn of(sorted: &[u64]) -> Self {
        // The smallest value that so many of ten thousand do not exceed.
        let at = |share: usize| {
            let rank = (sorted.len() * share).div_ceil(10_000);
            sorted.get(rank.saturating_sub(1)).map_or(0.0, |&nanoseconds| nanoseconds as f64 / 1e3)
        };
        Self { p50: at(5000), p99: at(9900), p99_9: at(9990), max: at(10_000) }
    }
}

fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    Summary::of(values).map(|summary| summary.median)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A turn of two seconds with these latencies, in microseconds.
    pub(in super::super) fn turn(latencies: impl IntoIterator<Item = u64>) -> Turn {
        let latencies: Vec<_> = latencies.into_iter().map(|latency| latency * 1000).collect();
        let outcome = Outcome { in_time: latencies.len() as u64, latencies, ..Outcome::default() };
        let ms = Duration::from_millis;
        Turn { outcome, duration: ms(2000), cpu: ms(500), client: ms(200) }
    }

    #[test]
    fn rates_are_medians_over_turns_and_latencies_are_of_all_requests() {
        let turns = [turn([100; 1000]), turn([100; 980].into_iter().chain([3000; 20])), turn([100; 4000])];
        let row = Row::of("linux", 16, &turns, &turns);
        assert_eq!((row.per_second, row.mayfly_over_this), (500.0, Some(1.0)));
        assert_eq!(row.turns, [500.0, 500.0, 2000.0]);
        assert_eq!(row.latency, Latency { p50: 100.0, p99: 100.0, p99_9: 3000.0, max: 3000.0 });
        assert_eq!(row.cpu_seconds_per_1000, Some(1.5 / 6.0));
        assert!((row.client_share - 0.1).abs() < 1e-9);
    }

    #[test]
    fn a_latency_is_one_that_so_many_requests_did_not_exceed() {
        let thousand: Vec<u64> = (1..=1000).map(|at| at * 1000).collect();
        assert_eq!(Latency::of(&thousand), Latency { p50: 500.0, p99: 990.0, p99_9: 999.0, max: 1000.0 });
        assert_eq!(Latency::of(&[7000]), Latency { p50: 7.0, p99: 7.0, p99_9: 7.0, max: 7.0 });
        assert_eq!(Latency::of(&[]).max, 0.0);
    }

    #[test]
    fn the_ratio_is_the_median_of_the_rounds() {
        let mayfly = [turn([1; 300]), turn([1; 200]), turn([1; 900])];
        let other = [turn([1; 100]), turn([1; 200]), turn([1; 300])];
        assert_eq!(Row::of("linux", 1, &other, &mayfly).mayfly_over_this, Some(3.0));
    }

    #[test]
    fn a_system_that_answers_nothing_has_no_ratio_and_its_first_error() {
        let mut silent = turn([]);
        (silent.outcome.errors, silent.outcome.error) = (7, Some("no answer".to_owned()));
        let row = Row::of("linux", 1, &[turn([]), silent], &[turn([1; 300]), turn([1; 300])]);
        assert_eq!((row.mayfly_over_this, row.cpu_seconds_per_1000, row.per_second), (None, None, 0.0));
        assert_eq!((row.errors, row.error.as_deref()), (7, Some("no answer")));
    }
}
