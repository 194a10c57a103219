//! Figures as people read them.

use crate::few::grouped;
use crate::results::{Summary, Unit};

/// A number as tables show it: at least four digits that say something.
pub(super) fn number(value: f64) -> String {
    rounded(value, 4)
}

/// A number as sentences and pictures show it: at least three digits that say something.
pub(super) fn brief(value: f64) -> String {
    rounded(value, 3)
}

/// A number with all of its digits before the point, and so many behind it that there are `digits` of them; none for nothing.
fn rounded(value: f64, digits: usize) -> String {
    let text = format!("{:.*}", decimals(value.abs(), digits), value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), grouped);
    let fraction = fraction.trim_end_matches('0');
    let sign = if value < 0.0 && (whole != "0" || !fraction.is_empty()) { "−" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// Digits behind the point. Numbers below one have as many as those below ten.
fn decimals(size: f64, digits: usize) -> usize {
    let before = (1..digits).take_while(|power| size >= 10_f64.powi(*power as i32)).count() + 1;
    digits - before
}

/// A number with its unit, in a sentence or a picture.
pub(super) fn quantity(value: f64, unit: Unit) -> String {
    let number = brief(value);
    match unit {
        Unit::Milliseconds => format!("{number} ms"),
        Unit::Microseconds => format!("{number} µs"),
        Unit::Instructions => format!("{number} instructions"),
        Unit::PerSecond => format!("{number}/s"),
        Unit::Kibibytes => format!("{number} KiB"),
        Unit::Count => number,
        Unit::Ratio => format!("{number}×"),
    }
}

/// A unit alone.
pub(super) fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Milliseconds => "ms",
        Unit::Microseconds => "µs",
        Unit::Instructions => "instructions",
        Unit::PerSecond => "per second",
        Unit::Kibibytes => "KiB",
        Unit::Count => "count",
        Unit::Ratio => "ratio",
    }
}

/// Where the median lies with what certainty, in a sentence.
pub(super) fn interval(Summary { interval: [low, high], .. }: &Summary) -> String {
    format!("{} … {}", brief(*low), brief(*high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_have_a_few_digits_and_large_ones_all_of_theirs() {
        let shown = [0.0, 0.0254, 1.23456, 12.3456, 123.456, 1234.56, 8_391_000.4, 20.0, -0.5, -0.0001].map(number);
        assert_eq!(shown, ["0", "0.025", "1.235", "12.35", "123.5", "1,235", "8,391,000", "20", "−0.5", "0"]);
        assert_eq!([1.23456, 12.3456, 123.456].map(brief), ["1.23", "12.3", "123"]);
    }

    #[test]
    fn a_quantity_has_its_unit() {
        assert_eq!(quantity(1759.0, Unit::PerSecond), "1,759/s");
        assert_eq!(quantity(0.5, Unit::Milliseconds), "0.5 ms");
    }
}
