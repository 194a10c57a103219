//! The rows as a table for people, and what the default costs beyond nothing.

use std::fmt;

use mayfly_abi::image::Isolation;

use super::Row;
use super::measure::Subject;
use crate::bench::server::Work;
use crate::results::Summary;

/// `Display` writes the table.
pub(super) struct Table<'a> {
    pub(super) subject: &'a Subject,
    pub(super) rows: &'a [Row],
}

/// What is known of one way to ask.
struct Half {
    work: Option<Work>,
    time: Option<Summary>,
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, others) = (self.subject.path(), self.subject.others().join(", "));
        let timed = self.rows.iter().any(|row| row.timed.is_some());
        let width = if timed { 44 } else { 33 };
        let titles = [format!("{path} alone"), format!("{path} in turn with {others}")];
        writeln!(out, "{:<15}{:>width$}{:>width$}", "", titles[0], titles[1])?;
        let (units, columns) = if timed {
            (
                format!("{:>19}{:>25}", "instructions", "µs"),
                format!("{:>9}{:>10}{:>9}{:>8}{:>8}", "domain", "request", "min", "median", "p99"),
            )
        } else {
            (format!("{:>width$}", "instructions"), format!("{:>23}{:>10}", "domain", "request"))
        };
        writeln!(out, "{:<15}{units}{units}", "")?;
        writeln!(out, "{:<15}{columns}{columns}", "isolation")?;
        for row in self.rows {
            write!(out, "{:<15}", row.isolation)?;
            match (&row.refused, row.counted, &row.timed) {
                (Some(why), None, None) => write!(out, "  refused: {why}")?,
                _ => row.halves().into_iter().try_for_each(|half| half.write(out, timed))?,
            }
            writeln!(out)?;
        }
        self.difference(out, timed)
    }
}

impl Table<'_> {
    /// What the default takes beyond nothing, if both could be measured.
    fn difference(&self, out: &mut fmt::Formatter<'_>, timed: bool) -> fmt::Result {
        let halves = |isolation: Isolation| {
            let row = self.rows.iter().find(|row| row.isolation == isolation.name())?;
            (row.counted.is_some() && row.timed.is_some() == timed).then(|| row.halves())
        };
        let Some((none, tables)) = halves(Isolation::None).zip(halves(Isolation::Tables)) else { return Ok(()) };
        write!(out, "{:<15}", "none → tables")?;
        none.iter().zip(&tables).try_for_each(|(none, tables)| none.write_difference(tables, out))?;
        writeln!(out)
    }
}

impl Row {
    /// Its two ways of asking, as they stand beside each other.
    fn halves(&self) -> [Half; 2] {
        let (counted, timed) = (self.counted, self.timed.as_ref());
        [
            Half { work: counted.map(|counted| counted.alone), time: timed.map(|timed| timed.alone.summary) },
            Half { work: counted.map(|counted| counted.in_turn), time: timed.map(|timed| timed.in_turn.summary) },
        ]
    }
}

impl Half {
    /// Instructions and, if any row is `timed`, times.
    fn write(&self, out: &mut fmt::Formatter<'_>, timed: bool) -> fmt::Result {
        let width = if timed { 9 } else { 23 };
        match self.work {
            Some(Work { domain, request }) => write!(out, "{domain:>width$}{request:>10}")?,
            None => write!(out, "{:>width$}{:>10}", "–", "–")?,
        }
        match self.time {
            Some(Summary { min, median, p99, .. }) => write!(out, "{min:>9.1}{median:>8.1}{p99:>8.1}"),
            None if timed => write!(out, "{:>9}{:>8}{:>8}", "–", "–", "–"),
            None => Ok(()),
        }
    }

    /// How much more `other` is. Both are counted, and either both are timed or neither is.
    fn write_difference(&self, other: &Self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = if self.time.is_some() { 9 } else { 23 };
        if let Some((less, more)) = self.work.zip(other.work) {
            let [domain, request] = [(less.domain, more.domain), (less.request, more.request)]
                .map(|(less, more)| more.cast_signed() - less.cast_signed());
            write!(out, "{domain:>+width$}{request:>+10}")?;
        }
        if let Some((less, more)) = self.time.zip(other.time) {
            let [min, median, p99] = [(less.min, more.min), (less.median, more.median), (less.p99, more.p99)]
                .map(|(less, more)| more - less);
            write!(out, "{min:>+9.1}{median:>+8.1}{p99:>+8.1}")?;
        }
        Ok(())
    }
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
    fn without_times_there_are_no_columns_for_them() {
        let rows = [row("tables", 2000, 0.0), refused(), row("none", 1900, 0.0)];
        let rows = rows.map(|row| Row { timed: None, ..row });
        let text = Table { subject: &subject(), rows: &rows }.to_string();
        assert_eq!(
            text,
            "                                    /hello alone        /hello in turn with /echo
                                    instructions                     instructions
isolation                       domain   request                 domain   request
tables                            2000      7000                   2008      7008
tables-pcid      refused: this CPU has no PCID
none                              1900      7000                   1908      7008
none → tables                     +100        +0                   +100        +0
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
