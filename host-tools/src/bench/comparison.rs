//! Boots of several systems by one clock, side by side for people.

use std::fmt;

use crate::results::Summary;

/// From the spawn of each system's process to the last byte of its first response, in milliseconds; Mayfly is the first.
/// `Display` writes the table.
pub(super) struct Comparison(pub(super) Vec<(String, Summary)>);

impl fmt::Display for Comparison {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((_, own)) = self.0.first() else { return Ok(()) };
        writeln!(out, "{:<30}{:>8}{:>8}{:>8}{:>18}", "whole first response, ms", "min", "median", "p95", "interval")?;
        for (name, Summary { min, median, p95, interval: [low, high], .. }) in &self.0 {
            write!(out, "{name:<30}{min:>8.2}{median:>8.2}{p95:>8.2}{:>18}", format!("{low:.2}…{high:.2}"))?;
            match median / own.median {
                1.0 => writeln!(out)?,
                times => writeln!(out, "  {times:.2} times as long")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_system_has_a_line_and_how_many_times_as_long_it_takes() {
        let summary = |values: [f64; 3]| Summary::of(values).expect("there are values");
        let systems = vec![
            ("mayfly".to_owned(), summary([60.0, 64.0, 70.0])),
            ("linux".to_owned(), summary([500.0, 512.0, 600.0])),
        ];
        assert_eq!(
            Comparison(systems).to_string(),
            "\
whole first response, ms           min  median     p95          interval
mayfly                           60.00   64.00   70.00       60.00…70.00
linux                           500.00  512.00  600.00     500.00…600.00  8.00 times as long
"
        );
    }
}
