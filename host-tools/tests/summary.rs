//! The figures that results are summed up by, compared with those of numpy and scipy: summary/reference.py and
//! summary/distributions.py wrote them down.

use mayfly::results::{Summary, distribution};

/// Values, and what the other libraries say of them.
#[derive(serde::Deserialize)]
struct Case {
    name: String,
    values: Vec<f64>,
    min: f64,
    median: f64,
    p95: f64,
    p99: f64,
    p99_9: f64,
    max: f64,
    interval: [f64; 2],
    outliers: usize,
}

fn cases() -> Vec<(Case, Summary)> {
    let cases: Vec<Case> = serde_json::from_str(include_str!("summary/reference.json")).expect("they are cases");
    assert_eq!(cases.len(), 20);
    let summed_up = |case: Case| {
        let summary = Summary::of(case.values.iter().copied()).expect("there are values");
        (case, summary)
    };
    cases.into_iter().map(summed_up).collect()
}

#[test]
fn median_percentiles_and_outliers_are_those_of_numpy() {
    for (case, summary) in cases() {
        let Summary { count, min, median, p95, p99, p99_9, max, outliers, interval: _ } = summary;
        assert_eq!((count, outliers), (case.values.len(), case.outliers), "{}", case.name);
        assert_eq!(
            [min, median, p95, p99, p99_9, max],
            [case.min, case.median, case.p95, case.p99, case.p99_9, case.max],
            "{}",
            case.name
        );
    }
}

/// scipy draws 20,000 resamples, so its ends vary a little; and of an even number of values it takes the mean of the middle two.
#[test]
fn each_end_of_the_interval_is_at_most_one_value_from_that_of_scipy() {
    for (case, summary) in cases() {
        let mut sorted = case.values;
        sorted.sort_by(f64::total_cmp);
        expect_beside(&sorted, summary.interval, case.interval, &case.name);
    }
}

/// Each end of an interval of the median of these values, which are sorted, is at most one of them from the other's.
fn expect_beside(sorted: &[f64], interval: [f64; 2], others: [f64; 2], name: &str) {
    for (own, theirs) in interval.into_iter().zip(others) {
        let below = sorted.partition_point(|value| *value < own).saturating_sub(1);
        let above = sorted.partition_point(|value| *value <= own).min(sorted.len() - 1);
        let around = sorted[below]..=sorted[above];
        assert!(around.contains(&theirs), "{name}: {own} is not beside {theirs}, but in {around:?}");
    }
}

/// Two series of the same runs.
#[derive(serde::Deserialize)]
struct Pair {
    one: Vec<f64>,
    other: Vec<f64>,
    /// The distribution of the other: its values and what share is at most each.
    values: Vec<f64>,
    shares: Vec<f64>,
    /// The median of the differences, run by run, and its interval.
    difference: f64,
    interval: [f64; 2],
}

fn pairs() -> Vec<Pair> {
    let pairs: Vec<Pair> = serde_json::from_str(include_str!("summary/distributions.json")).expect("they are pairs");
    assert_eq!(pairs.len(), 4);
    pairs
}

#[test]
fn a_distribution_is_that_of_scipy() {
    for pair in pairs() {
        let (values, shares): (Vec<_>, Vec<_>) = distribution(&pair.other).into_iter().unzip();
        assert_eq!(values, pair.values);
        assert!(shares.iter().zip(&pair.shares).all(|(own, theirs)| (own - theirs).abs() < 1e-12), "{shares:?}");
    }
    assert!(distribution(&[]).is_empty());
}

#[test]
fn differences_run_by_run_are_summed_up_as_scipy_does_with_pairs() {
    for pair in pairs() {
        let mut differences: Vec<_> = pair.other.iter().zip(&pair.one).map(|(other, one)| other - one).collect();
        let summary = Summary::of(differences.iter().copied()).expect("there are values");
        differences.sort_by(f64::total_cmp);
        assert_eq!(summary.median, pair.difference);
        expect_beside(&differences, summary.interval, pair.interval, &format!("{} pairs", differences.len()));
    }
}
