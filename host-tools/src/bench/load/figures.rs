//! From the turns of a system to its row of figures.

use std::time::Duration;

use super::generator::Outcome;
use crate::results::{Series, Summary, Unit};

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

/// The figures of one system with one number of connections.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) connections: u32,
    pub(super) system: String,
    /// Requests a second, turn by turn. `None` if there were no turns.
    pub(super) rate: Option<Series>,
    /// Median of Mayfly's requests a second over this system's, round by round. `None` if there were none.
    pub(super) mayfly_over_this: Option<f64>,
    /// Microseconds that requests took, of all turns together. `None` if none was answered.
    pub(super) latency: Option<Series>,
    pub(super) errors: u64,
    /// The first of them.
    pub(super) error: Option<String>,
    /// Milliseconds that the system's threads ran for a request. `None` if none was answered.
    pub(super) cpu_per_request: Option<f64>,
    /// Share of the time in which the client's one thread ran. Near 1, the figures are the client's.
    pub(super) client_share: f64,
}

impl Row {
    /// Sums up the turns of `system`. `mayfly`: Mayfly's turns of the same rounds.
    pub(super) fn of(system: &str, connections: u32, turns: &[Turn], mayfly: &[Turn]) -> Self {
        let per_second: Vec<f64> = turns.iter().map(Turn::per_second).collect();
        let ratios = mayfly.iter().zip(&per_second).map(|(mayfly, own)| mayfly.per_second() / own);
        let latencies = turns.iter().flat_map(|turn| &turn.outcome.latencies);
        let latency = Series::new(
            "latency",
            Unit::Microseconds,
            latencies.map(|nanoseconds| *nanoseconds as f64 / 1e3).collect(),
        );
        let sum = |what: fn(&Turn) -> Duration| turns.iter().map(what).sum::<Duration>().as_secs_f64();
        Self {
            connections,
            system: system.to_owned(),
            mayfly_over_this: median(ratios.filter(|ratio| ratio.is_finite())),
            rate: Series::new("requests", Unit::PerSecond, per_second),
            errors: turns.iter().map(|turn| turn.outcome.errors).sum(),
            error: turns.iter().find_map(|turn| turn.outcome.error.clone()),
            cpu_per_request: latency.as_ref().map(|all| sum(|turn| turn.cpu) * 1e3 / all.summary.count as f64),
            latency,
            client_share: sum(|turn| turn.client) / sum(|turn| turn.duration),
        }
    }

    /// Requests a second: the median of the turns.
    pub(super) fn per_second(&self) -> f64 {
        self.rate.as_ref().map_or(0.0, |rate| rate.summary.median)
    }

    /// Its figures as a result has them.
    pub(super) fn series(&self) -> Vec<Series> {
        let one = |name, unit, value: f64| Series::new(name, unit, vec![value]);
        let series = [
            self.rate.clone(),
            self.latency.clone(),
            self.mayfly_over_this.and_then(|ratio| one("mayfly over this", Unit::Ratio, ratio)),
            one("errors", Unit::Count, self.errors as f64),
            self.cpu_per_request.and_then(|cpu| one("CPU of the system per request", Unit::Milliseconds, cpu)),
            one("share of a core that the client took", Unit::Ratio, self.client_share),
        ];
        series.into_iter().flatten().collect()
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
        assert_eq!((row.per_second(), row.mayfly_over_this), (500.0, Some(1.0)));
        assert_eq!(row.rate.as_ref().map(|rate| rate.values.clone()), Some(vec![500.0, 500.0, 2000.0]));
        let latency = row.latency.as_ref().expect("there were answers").summary;
        assert_eq!((latency.median, latency.p99, latency.p99_9, latency.max), (100.0, 100.0, 3000.0, 3000.0));
        assert_eq!((latency.count, row.cpu_per_request), (6000, Some(1.5 / 6.0)));
        assert!((row.client_share - 0.1).abs() < 1e-9);
        let names: Vec<_> = row.series().into_iter().map(|series| series.name).collect();
        assert_eq!(names[..4], ["requests", "latency", "mayfly over this", "errors"]);
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
        assert_eq!((row.mayfly_over_this, row.cpu_per_request, row.per_second()), (None, None, 0.0));
        assert_eq!((row.errors, row.error.as_deref()), (7, Some("no answer")));
    }
}
