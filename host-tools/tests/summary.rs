//! The figures that results are summed up by, compared with those of numpy and scipy: summary/reference.py wrote them down.

use mayfly::results::Summary;

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
        for (own, theirs) in summary.interval.into_iter().zip(case.interval) {
            let below = sorted.partition_point(|value| *value < own).saturating_sub(1);
            let above = sorted.partition_point(|value| *value <= own).min(sorted.len() - 1);
            let around = sorted[below]..=sorted[above];
            assert!(around.contains(&theirs), "{}: {own} is not beside {theirs}, but in {around:?}", case.name);
        }
    }
}
