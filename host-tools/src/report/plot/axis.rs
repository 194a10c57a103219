//! A scale: from values to places between 0 and 1, and where its marks are.

use super::super::number::number;

/// A logarithmic scale is taken if the greatest value is more than so many times the least.
const WIDE: f64 = 8.0;

/// The greatest hundredth lies on the edge if it makes the scale so many times as long.
const EDGE: f64 = 3.0;

/// A scale between two values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    logarithmic: bool,
    /// Some values are greater, and lie on the edge.
    cut: bool,
}

impl Axis {
    /// From zero to a little more than the greatest of these values; from below zero if some of them are.
    pub(super) fn from_zero(values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) =
            values.into_iter().fold((0.0, 0.0), |(low, high): (f64, f64), value| (low.min(value), high.max(value)));
        let high = if high > low { high * 1.04 } else { 1.0 };
        Self { low: low * 1.04, high, logarithmic: false, cut: false }
    }

    /// From the least of these values to the greatest; logarithmic if they are far apart.
    pub(super) fn around(values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = values
            .into_iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        if low > high {
            return Self::from_zero([]);
        }
        if low > 0.0 && high > low * WIDE {
            return Self { low, high, logarithmic: true, cut: false };
        }
        let margin = if high > low { (high - low) * 0.04 } else { (low.abs() * 0.1).max(0.5) };
        // Never below zero only for the margin's sake.
        let below = if low >= 0.0 { (low - margin).max(0.0) } else { low - margin };
        Self { low: below, high: high + margin, logarithmic: false, cut: false }
    }

    /// Around most of these values. If some are not above zero, no scale could be logarithmic, and the greatest hundredth may be
    /// so far off that the rest could not be seen: then it lies on the edge.
    pub(super) fn around_most(values: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<_> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let most = (sorted.len() * 99).div_ceil(100);
        let far = match (sorted.first(), sorted.last(), most.checked_sub(1)) {
            (Some(low), Some(high), Some(at)) => *low <= 0.0 && high - low > (sorted[at] - low) * EDGE,
            _ => false,
        };
        if far { Self { cut: true, ..Self::around(sorted[..most].iter().copied()) } } else { Self::around(sorted) }
    }

    /// From nothing to the whole.
    pub(super) fn share() -> Self {
        Self { low: 0.0, high: 100.0, logarithmic: false, cut: false }
    }

    /// Where a value lies: 0 at the beginning, 1 at the end.
    pub(super) fn place(&self, value: f64) -> f64 {
        let on = |value: f64| if self.logarithmic { value.max(self.low).log10() } else { value };
        ((on(value) - on(self.low)) / (on(self.high) - on(self.low))).clamp(0.0, 1.0)
    }

    /// What has to be said of it beside what it is of.
    pub(super) fn name(&self, of: &str) -> String {
        let logarithmic = if self.logarithmic { ", logarithmic" } else { "" };
        format!("{of}{logarithmic}{}", if self.cut { "; 1 % is greater, and on the edge" } else { "" })
    }

    /// Values to be marked: about `most` of them, never many more.
    pub(super) fn ticks(&self, most: usize) -> Vec<f64> {
        if self.logarithmic { self.logarithmic_ticks(most) } else { self.linear_ticks(most) }
    }

    fn linear_ticks(&self, most: usize) -> Vec<f64> {
        let rough = (self.high - self.low) / most as f64;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0].map(|factor| factor * power).into_iter().find(|step| *step >= rough);
        let step = step.unwrap_or(10.0 * power);
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step).floor() as i64;
        (first..=last).map(|at| at as f64 * step).collect()
    }

    /// 1, 2 and 5 of each power of ten; 1 alone if that is too many; every second power if that is.
    fn logarithmic_ticks(&self, most: usize) -> Vec<f64> {
        let (first, last) = (self.low.log10().floor() as i32, self.high.log10().ceil() as i32);
        let of = |factors: &[f64], every: usize| -> Vec<f64> {
            let powers = (first..=last).step_by(every);
            let all = powers.flat_map(|power| factors.iter().map(move |factor| factor * 10_f64.powi(power)));
            all.filter(|tick| (self.low..=self.high).contains(tick)).collect()
        };
        let all = of(&[1.0, 2.0, 5.0], 1);
        if all.len() <= most + 1 {
            return all;
        }
        let powers = of(&[1.0], 1);
        if powers.len() <= most + 1 { powers } else { of(&[1.0], 2) }
    }

    /// A mark's text.
    pub(super) fn label(&self, tick: f64) -> String {
        number(tick)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_marks_are_round_numbers() {
        assert_eq!(Axis::from_zero([123.0]).ticks(8), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0, 120.0]);
        assert_eq!(Axis::share().ticks(5), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(Axis::from_zero([-10.0, 10.0]).ticks(5), [-10.0, -5.0, 0.0, 5.0, 10.0]);
        assert_eq!(Axis::from_zero([]).ticks(5), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
    }

    #[test]
    fn values_far_apart_are_on_a_logarithmic_scale() {
        let axis = Axis::around([60.0, 90_000.0, 300.0]);
        assert_eq!(axis.ticks(4), [100.0, 1000.0, 10_000.0]);
        assert_eq!((axis.place(60.0), axis.place(90_000.0)), (0.0, 1.0));
        assert_eq!(axis.name("µs"), "µs, logarithmic");
        assert!((Axis::around([1.0, 100.0]).place(10.0) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_few_values_far_off_do_not_hide_the_rest() {
        let values = || (-5..295).map(f64::from).chain([9000.0]);
        let axis = Axis::around_most(values());
        assert_eq!((axis.place(9000.0), axis.name("µs")), (1.0, "µs; 1 % is greater, and on the edge".to_owned()));
        assert!((axis.place(145.0) - 0.5).abs() < 0.02);
        let near = || values().filter(|value| *value < 300.0);
        assert_eq!(Axis::around_most(near()), Axis::around(near()));
        assert_eq!(Axis::around_most([]), Axis::around([]));
    }

    #[test]
    fn one_value_lies_in_the_middle_and_nothing_goes_below_zero_for_the_margin() {
        assert_eq!(Axis::around([7.0]).place(7.0), 0.5);
        assert_eq!(Axis::around([0.0, 10.0]).place(0.0), 0.0);
        assert_eq!(Axis::around([]), Axis::from_zero([]));
    }
}
