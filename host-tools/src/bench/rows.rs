//! Figures by a number that grows, as a table for people.

use std::fmt;

use crate::few::grouped;
use crate::results::{Series, Unit};

/// What was found where a parameter has this value.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) parameter: &'static str,
    pub(super) value: u64,
    pub(super) series: Vec<Series>,
}

/// A series that is shown, and what stands above it.
pub(super) struct Column {
    pub(super) series: &'static str,
    pub(super) head: &'static str,
}

/// `Display` writes a table for each parameter.
pub(super) struct Rows<'a> {
    pub(super) columns: &'a [Column],
    pub(super) rows: &'a [Row],
}

/// Width of a figure.
const FIGURE: usize = 13;
/// Width of each of the figures that are said of times.
const TIME: usize = 10;
/// Width of the parameter.
const VALUE: usize = 17;

impl fmt::Display for Rows<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, rows) in self.rows.chunk_by(|one, other| one.parameter == other.parameter).enumerate() {
            let shown: Vec<_> = self.columns.iter().filter_map(|column| Some((column, unit(rows, column)?))).collect();
            if at > 0 {
                writeln!(out)?;
            }
            write!(out, "{:VALUE$}", "")?;
            shown.iter().try_for_each(|(column, unit)| write!(out, "{:>1$}", column.head, width(*unit)))?;
            write!(out, "\n{:<VALUE$}", rows[0].parameter)?;
            for (_, unit) in &shown {
                match unit {
                    Unit::Microseconds => write!(out, "{:>TIME$}{:>TIME$}{:>TIME$}", "min µs", "median", "p99")?,
                    Unit::Instructions => write!(out, "{:>FIGURE$}", "instructions")?,
                    Unit::Kibibytes => write!(out, "{:>FIGURE$}", "KiB")?,
                    _ => write!(out, "{:>FIGURE$}", "")?,
                }
            }
            writeln!(out)?;
            for row in rows {
                write!(out, "{:<VALUE$}", grouped(row.value as usize))?;
                shown.iter().try_for_each(|(column, unit)| figure(out, find(row, column), *unit))?;
                writeln!(out)?;
            }
        }
        Ok(())
    }
}

/// The unit of a column, if any of these rows has its figure.
fn unit(rows: &[Row], column: &Column) -> Option<Unit> {
    rows.iter().find_map(|row| find(row, column)).map(|series| series.unit)
}

fn find<'a>(row: &'a Row, column: &Column) -> Option<&'a Series> {
    row.series.iter().find(|series| series.name == column.series)
}

fn width(unit: Unit) -> usize {
    if unit == Unit::Microseconds { 3 * TIME } else { FIGURE }
}

fn figure(out: &mut fmt::Formatter<'_>, series: Option<&Series>, unit: Unit) -> fmt::Result {
    let Some(Series { summary, .. }) = series else { return write!(out, "{:>1$}", "–", width(unit)) };
    match unit {
        Unit::Microseconds => {
            write!(out, "{:>TIME$.1}{:>TIME$.1}{:>TIME$.1}", summary.min, summary.median, summary.p99)
        }
        Unit::Instructions | Unit::Count => write!(out, "{:>FIGURE$}", grouped(summary.median.round() as usize)),
        _ => write!(out, "{:>FIGURE$.1}", summary.median),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(parameter: &'static str, value: u64, counted: f64, timed: Option<f64>) -> Row {
        let counted = Series::new("instructions", Unit::Instructions, vec![counted]);
        let timed =
            timed.and_then(|time| Series::new("request", Unit::Microseconds, vec![time, time + 1.0, time + 2.0]));
        Row { parameter, value, series: counted.into_iter().chain(timed).collect() }
    }

    #[test]
    fn each_parameter_has_a_table_with_what_was_found_of_it() {
        let rows = [row("functions", 1, 4000.0, Some(90.5)), row("functions", 10_000, 4100.0, None)];
        let rows = rows.into_iter().chain([row("dirty pages", 1, 5000.0, None)]).collect::<Vec<_>>();
        let columns = [("instructions", "all"), ("request", "request"), ("none", "none")]
            .map(|(series, head)| Column { series, head });
        assert_eq!(
            Rows { columns: &columns, rows: &rows }.to_string(),
            "                           all                       request
functions         instructions    min µs    median       p99
1                        4,000      90.5      91.5      92.5
10,000                   4,100                             –

                           all
dirty pages       instructions
1                        5,000
"
        );
    }
}
