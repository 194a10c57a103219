//! The rows as a table for people.

use std::fmt;

use super::figures::Row;
use crate::results::{Series, Summary};

/// `Display` writes the table.
pub(super) struct Table<'a>(pub(super) &'a [Row]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{:<40}{:>32}{:>20}", "", "latency in µs", "CPU ms")?;
        writeln!(
            out,
            "{:<13}{:<9}{:>11}{:>8}{:>9}{:>9}{:>9}{:>9}{:>8}{:>10}{:>8}",
            "connections",
            "system",
            "requests/s",
            "ratio",
            "p50",
            "p99",
            "p99.9",
            "max",
            "errors",
            "/request",
            "client"
        )?;
        for row in self.0 {
            write!(out, "{:<13}{:<9}{:>11.0}", row.connections, row.system, row.per_second())?;
            write!(out, "{:>8}", row.mayfly_over_this.map_or("–".to_owned(), |ratio| format!("{ratio:.2}")))?;
            match &row.latency {
                Some(Series { summary: Summary { median, p99, p99_9, max, .. }, .. }) => {
                    write!(out, "{median:>9.0}{p99:>9.0}{p99_9:>9.0}{max:>9.0}")?;
                }
                None => write!(out, "{:>9}{:>9}{:>9}{:>9}", "–", "–", "–", "–")?,
            }
            write!(out, "{:>8}", row.errors)?;
            write!(out, "{:>10}", row.cpu_per_request.map_or("–".to_owned(), |cpu| format!("{cpu:.3}")))?;
            writeln!(out, "{:>6.0} %", row.client_share * 100.0)?;
            if let Some(error) = &row.error {
                writeln!(out, "    the first error: {error}")?;
            }
        }
        writeln!(
            out,
            "\nratio: Mayfly's requests/s over the system's. CPU: of the system's threads. client: share of one core it ran on."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::figures::tests::turn;
    use super::*;

    #[test]
    fn the_table_has_a_line_for_each_row_and_one_for_its_first_error() {
        let mayfly = [turn([100; 60_000])];
        let mut linux = turn([200; 20_000]);
        (linux.outcome.errors, linux.outcome.error) = (2, Some("the connection was closed".to_owned()));
        let rows = [Row::of("mayfly", 16, &mayfly, &mayfly), Row::of("linux", 16, &[linux], &mayfly)];
        let text = Table(&rows).to_string();
        assert_eq!(
            text,
            "                                                           latency in µs              CPU ms
connections  system    requests/s   ratio      p50      p99    p99.9      max  errors  /request  client
16           mayfly         30000    1.00      100      100      100      100       0     0.008    10 %
16           linux          10000    3.00      200      200      200      200       2     0.025    10 %
    the first error: the connection was closed

ratio: Mayfly's requests/s over the system's. CPU: of the system's threads. client: share of one core it ran on.
"
        );
    }
}
