//! The figures that a series of values is summed up by.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use statrs::distribution::{Beta, ContinuousCDF};

/// How sure an interval is.
const CONFIDENCE: f64 = 0.95;
/// Values so many times the distance between the quartiles beyond them count as outliers (Tukey's fences).
const FENCE: f64 = 1.5;

/// What is said about a series, all but the counts in its unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// How many values there are.
    pub count: usize,
    /// The least.
    pub min: f64,
    /// The middle one, or the mean of the two in the middle.
    pub median: f64,
    /// The least value that 95 % of them do not exceed.
    pub p95: f64,
    /// The least value that 99 % of them do not exceed.
    pub p99: f64,
    /// The least value that 99.9 % of them do not exceed.
    pub p99_9: f64,
    /// The greatest.
    pub max: f64,
    /// The bootstrap's 95 % confidence interval of the median: where the middle 95 % of the medians of resamples lie.
    pub interval: [f64; 2],
    /// Values more than 1.5 times the distance between the quartiles outside of them. They are in all other figures.
    pub outliers: usize,
}

impl Summary {
    /// Sums up values in any order; `None` if there are none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let at = |per_mille| percentile(&sorted, per_mille);
        let (low, high) = (at(250), at(750));
        let reach = FENCE * (high - low);
        Some(Self {
            count: sorted.len(),
            min,
            median: median(&sorted),
            p95: at(950),
            p99: at(990),
            p99_9: at(999),
            max,
            interval: interval(&sorted),
            outliers: sorted.iter().filter(|value| **value < low - reach || **value > high + reach).count(),
        })
    }
}

/// How values, in any order, are distributed: each value that there is, ascending, with the share of all that are at most it.
pub fn distribution(values: &[f64]) -> Vec<(f64, f64)> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mut count = 0;
    let steps = sorted.chunk_by(|one, other| one == other).map(|same| {
        count += same.len();
        (same[0], count as f64 / sorted.len() as f64)
    });
    steps.collect()
}

/// Of sorted values, of which there are some.
fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) { f64::midpoint(sorted[middle - 1], sorted[middle]) } else { sorted[middle] }
}

/// The least value that so many of a thousand do not exceed (nearest rank). The values are sorted, and there are some.
fn percentile(sorted: &[f64], per_mille: usize) -> f64 {
    let rank = (sorted.len() * per_mille).div_ceil(1000);
    sorted[rank.max(1) - 1]
}

/// Where the middle 95 % of the medians lie of all resamples that could be drawn, in closed form rather than by drawing some.
///
/// A resample's values are those at `n` places drawn uniformly from the sorted ones; its median is the value at the middle one
/// of these places, which is Beta distributed (Efron, *The Jackknife, the Bootstrap and Other Resampling Plans*, 10.3).
fn interval(sorted: &[f64]) -> [f64; 2] {
    let shape = f64::midpoint(sorted.len() as f64, 1.0);
    // It exists for every shape of at least 1.
    let Ok(place) = Beta::new(shape, shape) else { return [sorted[0], sorted[sorted.len() - 1]] };
    let tail = (1.0 - CONFIDENCE) / 2.0;
    [tail, 1.0 - tail].map(|share| {
        let at = (place.inverse_cdf(share) * sorted.len() as f64) as usize;
        sorted[at.min(sorted.len() - 1)]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_row_lies_between_its_middle_values() {
        let summary = Summary::of([4.0, 1.0, 3.0, 2.0]).expect("not empty");
        assert_eq!((summary.min, summary.median, summary.p95, summary.max), (1.0, 2.5, 4.0, 4.0));
    }

    #[test]
    fn of_twenty_runs_the_nineteenth_is_the_95th_percentile() {
        let summary = Summary::of((1..=20).rev().map(f64::from)).expect("not empty");
        assert_eq!((summary.count, summary.median, summary.p95, summary.p99), (20, 10.5, 19.0, 20.0));
    }

    #[test]
    fn one_run_is_all_of_them_and_no_run_is_nothing() {
        let one = Summary::of([7.0]).expect("not empty");
        assert_eq!((one.min, one.median, one.p99_9, one.interval, one.outliers), (7.0, 7.0, 7.0, [7.0, 7.0], 0));
        assert_eq!(Summary::of([]), None);
    }

    #[test]
    fn outliers_are_counted_and_stay_in_the_figures() {
        let summary = Summary::of((1..=20).map(f64::from).chain([100.0, -50.0])).expect("not empty");
        assert_eq!((summary.count, summary.outliers, summary.min, summary.max), (22, 2, -50.0, 100.0));
        let same = Summary::of([5.0; 30]).expect("not empty");
        assert_eq!((same.outliers, same.interval), (0, [5.0, 5.0]));
    }
}
