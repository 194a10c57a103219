//! The figures that a row of measurements is summed up by.

use serde::Serialize;

/// What is said about a row of times, all in the row's unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Summary {
    pub(super) min: f64,
    pub(super) median: f64,
    pub(super) p95: f64,
    pub(super) p99: f64,
}

impl Summary {
    /// Sums up a row in any order; `None` if it is empty.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = match sorted.len() {
            0 => return None,
            len if len % 2 == 0 => (sorted[middle - 1] + sorted[middle]) / 2.0,
            _ => sorted[middle],
        };
        Some(Self { min: sorted[0], median, p95: percentile(&sorted, 95), p99: percentile(&sorted, 99) })
    }
}

/// The smallest value that is not exceeded by `percent` % of the row (nearest rank). The row is sorted and not empty.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted[rank.max(1) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_row_lies_between_its_middle_values() {
        let summary = Summary::of([4.0, 1.0, 3.0, 2.0]).expect("not empty");
        assert_eq!(summary, Summary { min: 1.0, median: 2.5, p95: 4.0, p99: 4.0 });
    }

    #[test]
    fn of_twenty_runs_the_nineteenth_is_the_95th_percentile() {
        let summary = Summary::of((1..=20).rev().map(f64::from)).expect("not empty");
        assert_eq!(summary, Summary { min: 1.0, median: 10.5, p95: 19.0, p99: 20.0 });
    }

    #[test]
    fn one_run_is_all_of_them_and_no_run_is_nothing() {
        assert_eq!(Summary::of([7.0]), Some(Summary { min: 7.0, median: 7.0, p95: 7.0, p99: 7.0 }));
        assert_eq!(Summary::of([]), None);
    }
}
