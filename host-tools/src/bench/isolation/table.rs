//! The rows as a table for people, and what the default costs beyond nothing.

use std::fmt;

use mayfly_abi::image::Isolation;

use super::Row;
use super::measure::{Subject, Work};
use crate::results::Summary;

/// `Display` writes the table.
pub(super) struct Table<'a> {
    pub(super) subject: &'a Subject,
    pub(super) rows: &'a [Row],
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, others) = (self.subject.path(), self.subject.others().join(", "));
        writeln!(out, "{:<15}{:>44}{:>44}", "", format!("{path} alone"), format!("{path} in turn with {others}"))?;
        let units = format!("{:>19}{:>25}", "instructions", "µs");
        writeln!(out, "{:<15}{units}{units}", "")?;
        let columns = format!("{:>9}{:>10}{:>9}{:>8}{:>8}", "domain", "request", "min", "median", "p99");
        writeln!(out, "{:<15}{columns}{columns}", "isolation")?;
        for row in self.rows {
            write!(out, "{:<15}", row.isolation)?;
            match (&row.refused, row.counted, &row.timed) {
                (Some(why), None, None) => write!(out, "  refused: {why}")?,
                (_, counted, timed) => {
                    let timed = timed.as_ref().map(|timed| (timed.alone.summary, timed.in_turn.summary));
                    half(out, counted.map(|counted| counted.alone), timed.map(|timed| timed.0))?;
                    half(out, counted.map(|counted| counted.in_turn), timed.map(|timed| timed.1))?;
                }
            }
            writeln!(out)?;
        }
        self.difference(out)
    }
}

impl Table<'_> {
    /// What the default takes beyond nothing, if both could be measured.
    fn difference(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures = |isolation: Isolation| {
            let row = self.rows.iter().find(|row| row.isolation == isolation.name())?;
            row.counted.zip(row.timed.as_ref())
        };
        let Some(((none, none_timed), (tables, tables_timed))) =
            figures(Isolation::None).zip(figures(Isolation::Tables))
        else {
            return Ok(());
        };
        write!(out, "{:<15}", "none → tables")?;
        half_difference(out, (none.alone, none_timed.alone.summary), (tables.alone, tables_timed.alone.summary))?;
        half_difference(
            out,
            (none.in_turn, none_timed.in_turn.summary),
            (tables.in_turn, tables_timed.in_turn.summary),
        )?;
        writeln!(out)
    }
}

/// Instructions and times of one way to ask.
fn half(out: &mut fmt::Formatter<'_>, work: Option<Work>, time: Option<Summary>) -> fmt::Result {
    match work {
        Some(Work { domain, request }) => write!(out, "{domain:>9}{request:>10}")?,
        None => write!(out, "{:>9}{:>10}", "–", "–")?,
    }
    match time {
        Some(Summary { min, median, p99, .. }) => write!(out, "{min:>9.1}{median:>8.1}{p99:>8.1}"),
        None => write!(out, "{:>9}{:>8}{:>8}", "–", "–", "–"),
    }
}

fn half_difference(
    out: &mut fmt::Formatter<'_>,
    (work, time): (Work, Summary),
    (more_work, more_time): (Work, Summary),
) -> fmt::Result {
    let [domain, request] = [(work.domain, more_work.domain), (work.request, more_work.request)]
        .map(|(less, more)| more.cast_signed() - less.cast_signed());
    let [min, median, p99] = [(time.min, more_time.min), (time.median, more_time.median), (time.p99, more_time.p99)]
        .map(|(less, more)| more - less);
    write!(out, "{domain:>+9}{request:>+10}{min:>+9.1}{median:>+8.1}{p99:>+8.1}")
}

#[cfg(test)]
mod tests {
    use super::super::measure::{Counted, Timed, tests::subject};
    use super::*;
    use crate::results::{Series, Unit};

    fn row(isolation: &'static str, domain: u64, min: f64) -> Row {
        let work = |more| Work { domain: domain + more, request: 7000 + more };
        let time = |more| {
            let values = [min + more].into_iter().chain([150.0; 97]).chain([200.0; 2]).collect();
            Series::new("request", Unit::Microseconds, values).expect("there are values")
        };
        Row {
            isolation,
            refused: None,
            counted: Some(Counted { alone: work(0), in_turn: work(8) }),
            timed: Some(Timed { alone: time(0.0), in_turn: time(20.5) }),
        }
    }

    fn refused() -> Row {
        let refused = Some("this CPU has no PCID".to_owned());
        Row { isolation: "tables-pcid", refused, counted: None, timed: None }
    }

    #[test]
    fn the_table_has_a_line_for_each_backend_and_one_for_the_difference() {
        let rows = [row("tables", 2000, 100.0), refused(), row("none", 1900, 101.5)];
        let text = Table { subject: &subject(), rows: &rows }.to_string();
        assert_eq!(
            text,
            "                                               /hello alone                   /hello in turn with /echo
                      instructions                       µs       instructions                       µs
isolation         domain   request      min  median     p99   domain   request      min  median     p99
tables              2000      7000    100.0   150.0   200.0     2008      7008    120.5   150.0   200.0
tables-pcid      refused: this CPU has no PCID
none                1900      7000    101.5   150.0   200.0     1908      7008    122.0   150.0   200.0
none → tables       +100        +0     -1.5    +0.0    +0.0     +100        +0     -1.5    +0.0    +0.0
"
        );
    }

    #[test]
    fn a_backend_that_only_one_machine_refuses_has_the_other_figures() {
        let partly = Row { refused: refused().refused, counted: None, ..row("tables-pcid", 2000, 100.0) };
        let text = Table { subject: &subject(), rows: &[partly] }.to_string();
        assert!(text.contains("\ntables-pcid            –         –    100.0   150.0   200.0        –"), "{text}");
        assert!(!text.contains("none"), "there is no difference to tell: {text}");
    }
}
