//! A boot as bars, one below the other, so that people can look rather than read.

use std::fmt;

use super::report::Row;

/// Columns of the longest bar.
const WIDTH: f64 = 64.0;
/// An eighth of a column to a whole one.
const EIGHTHS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// `Display` writes a bar for each row: from the median time of the row before to its own.
pub(super) struct Waterfall<'a>(pub(super) &'a [Row]);

impl fmt::Display for Waterfall<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.0.last().map_or(0.0, |row| row.since_spawn.median);
        if end <= 0.0 {
            return Ok(());
        }
        let mut start = 0.0;
        for row in self.0 {
            let now = row.since_spawn.median;
            let bar = bar(start / end * WIDTH, now / end * WIDTH, row.guest);
            writeln!(out, "{:<18}{bar}", row.name)?;
            start = now;
        }
        let scale = format!("{end:.1} ms");
        writeln!(out, "{:<18}0{scale:>width$}   █ guest  ░ host", "", width = WIDTH as usize - 1)
    }
}

/// A bar between two columns: whole columns for the host, eighths for the guest; never nothing.
fn bar(start: f64, end: f64, guest: bool) -> String {
    let first = start.floor();
    let mut text = " ".repeat(first as usize);
    if guest {
        let eighths = (((end - first) * 8.0).round() as usize).max(1);
        text.extend(std::iter::repeat_n(EIGHTHS[7], eighths / 8));
        text.extend((!eighths.is_multiple_of(8)).then(|| EIGHTHS[eighths % 8 - 1]));
    } else {
        text.extend(std::iter::repeat_n('░', ((end - first).round() as usize).max(1)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::report::Report;
    use super::super::report::tests::run;
    use super::*;

    #[test]
    fn bars_follow_one_another_and_the_shortest_can_be_seen() {
        assert_eq!(bar(0.0, 4.0, true), "████");
        assert_eq!(bar(4.0, 5.5, true), "    █▌");
        assert_eq!(bar(5.5, 5.5001, true), "     ▌");
        assert_eq!(bar(6.0, 6.0, true), "      ▏");
        assert_eq!(bar(2.0, 2.1, false), "  ░");
    }

    #[test]
    fn the_last_bar_ends_at_the_right_edge() {
        let report = Report::of(&[run(&[("entry", 16.0), ("first byte", 32.0)])]).expect("there is a run");
        let text = Waterfall(&report.rows).to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], format!("{:<18}{}", "entry", "█".repeat(32)));
        assert_eq!(lines[1], format!("{:<18}{}{}", "first byte", " ".repeat(32), "█".repeat(32)));
        assert!(lines[2].contains("32.0 ms"));
        assert_eq!(Waterfall(&[]).to_string(), "");
    }
}
