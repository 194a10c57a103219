//! A scale: from values to places between 0 and 1, and where its marks are.

use super::super::number::number;

/// A logarithmic scale is taken if the greatest value is more than so many times the least.
const WIDE: f64 = 8.0;

/// Values lie on the edge if they make the scale so many times as long.
const EDGE: f64 = 3.0;

/// Percent of the values that may lie on each edge, and how that is said: nothing, below, above, both.
const EDGES: [(usize, [&str; 4]); 2] = [
    (
        1,
        [
            "",
            "; 1 % is less, and on the edge",
            "; 1 % is greater, and on the edge",
            "; 1 % is less and 1 % is greater, and on the edges",
        ],
    ),
    (
        5,
        [
            "",
            "; 5 % is less, and on the edge",
            "; 5 % is greater, and on the edge",
            "; 5 % is less and 5 % is greater, and on the edges",
        ],
    ),
];

/// A scale between two values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    logarithmic: bool,
    /// A logarithmic scale has zero at its beginning, and then nothing until this value.
    zero: Option<f64>,
    /// What lies on the edge, in words.
    cut: &'static str,
}

impl Axis {
    /// From zero to a little more than the greatest of these values; from below zero if some of them are.
    pub(super) fn from_zero(values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) =
            values.into_iter().fold((0.0, 0.0), |(low, high): (f64, f64), value| (low.min(value), high.max(value)));
        let high = if high > low { high * 1.04 } else { 1.0 };
        Self { low: low * 1.04, high, logarithmic: false, zero: None, cut: "" }
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
            return Self { low, high, logarithmic: true, zero: None, cut: "" };
        }
        let margin = if high > low { (high - low) * 0.04 } else { (low.abs() * 0.1).max(0.5) };
        // Never below zero only for the margin's sake.
        let below = if low >= 0.0 { (low - margin).max(0.0) } else { low - margin };
        Self { low: below, high: high + margin, logarithmic: false, zero: None, cut: "" }
    }

    /// The same for what grows: if the least of these values is zero and the others are far apart, they are on a logarithmic
    /// scale all the same, with zero at its beginning.
    pub(super) fn along(values: impl IntoIterator<Item = f64>) -> Self {
        let values: Vec<_> = values.into_iter().collect();
        let others = Self::around(values.iter().copied().filter(|value| *value > 0.0));
        if others.logarithmic && values.iter().all(|value| *value >= 0.0) && values.contains(&0.0) {
            // As far from the next value as the others are from each other, were they as many.
            let low = others.low / (others.high / others.low).powf(1.0 / (values.len().max(3) - 2) as f64);
            return Self { low, zero: Some(others.low), ..others };
        }
        Self::around(values)
    }

    /// Around most of these values. If some are not above zero, no scale could be logarithmic, and the least and the greatest
    /// hundredth, or twentieth, may be so far off that the rest could not be seen: then they lie on the edges.
    pub(super) fn around_most(values: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<_> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let mut shown = sorted.as_slice();
        let mut cut = "";
        if sorted.first().is_some_and(|least| *least <= 0.0) {
            for (percent, edges) in EDGES {
                let rest = sorted.len() * percent / 100;
                // The median stays, however few they are.
                let (from, to) = (rest, sorted.len() - rest.max(1).min((sorted.len() - 1) / 2));
                let (low, high) = (sorted[from], sorted[to - 1]);
                let far = |distance: f64| distance > (high - low) * (EDGE - 1.0);
                let [below, above] = [far(low - shown[0]), far(shown[shown.len() - 1] - high)];
                if below || above {
                    shown = &sorted[if below { from } else { 0 }..if above { to } else { sorted.len() }];
                    cut = edges[usize::from(below) + 2 * usize::from(above)];
                }
            }
        }
        Self { cut, ..Self::around(shown.iter().copied()) }
    }

    /// From nothing to the whole.
    pub(super) fn share() -> Self {
        Self { low: 0.0, high: 100.0, logarithmic: false, zero: None, cut: "" }
    }

    /// Whether equal factors are equally far.
    pub(super) fn is_logarithmic(&self) -> bool {
        self.logarithmic
    }

    /// Where a value lies: 0 at the beginning, 1 at the end.
    pub(super) fn place(&self, value: f64) -> f64 {
        let on = |value: f64| if self.logarithmic { value.max(self.low).log10() } else { value };
        ((on(value) - on(self.low)) / (on(self.high) - on(self.low))).clamp(0.0, 1.0)
    }

    /// What has to be said of it beside what it is of.
    pub(super) fn name(&self, of: &str) -> String {
        let logarithmic = match (self.logarithmic, self.zero) {
            (false, _) => "",
            (true, None) => ", logarithmic",
            (true, Some(_)) => ", logarithmic but for 0",
        };
        format!("{of}{logarithmic}{}", self.cut)
    }

    /// Values to be marked: about `most` of them, never many more.
    pub(super) fn ticks(&self, most: usize) -> Vec<f64> {
        if !self.logarithmic {
            return self.linear_ticks(most);
        }
        let first = self.zero.unwrap_or(self.low);
        let others = self.logarithmic_ticks(most).into_iter().filter(|tick| *tick >= first);
        self.zero.map(|_| 0.0).into_iter().chain(others).collect()
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
    fn zero_has_a_place_on_a_logarithmic_scale_of_what_grows() {
        let axis = Axis::along([0.0, 1.0, 10.0, 100.0]);
        assert_eq!((axis.place(0.0), axis.place(100.0), axis.ticks(4)), (0.0, 1.0, vec![0.0, 1.0, 10.0, 100.0]));
        let steps: Vec<_> =
            [0.0, 1.0, 10.0, 100.0].windows(2).map(|pair| axis.place(pair[1]) - axis.place(pair[0])).collect();
        assert!(steps[0] > 0.1 && (steps[1] - steps[2]).abs() < 1e-9, "{steps:?}");
        assert_eq!(axis.name("pages"), "pages, logarithmic but for 0");
        assert_eq!(Axis::along([1.0, 100.0]), Axis::around([1.0, 100.0]));
        assert_eq!(Axis::along([0.0, 3.0]), Axis::around([0.0, 3.0]), "too near to each other");
    }

    #[test]
    fn differences_are_drawn_around_most_of_them() {
        let values = || (-100..=100).map(f64::from).chain([-9000.0, 9000.0]);
        let axis = Axis::around_most(values());
        assert_eq!((axis.place(-9000.0), axis.place(9000.0)), (0.0, 1.0));
        assert!((axis.place(0.0) - 0.5).abs() < 0.02);
        assert_eq!(axis.name("µs"), "µs; 1 % is less and 1 % is greater, and on the edges");
        let busy =
            Axis::around_most((-100..=100).map(f64::from).chain([-9000.0, 9000.0, 9000.0, 9000.0, 9000.0, 9000.0]));
        assert_eq!(busy.name("µs"), "µs; 5 % is less and 5 % is greater, and on the edges");
        assert_eq!(Axis::around_most([-1.0]), Axis::around([-1.0]));
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
