//! A report as a table for people.

use std::fmt;

use super::report::{Floor, Report, Share, TOLERANCE};
use super::translation::Translation;
use crate::results::Summary;

/// `Display` writes the table.
pub(super) struct Table<'a>(pub(super) &'a Report);

impl fmt::Display for Table<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.0;
        writeln!(out, "{:<30}{:>8}{:>8}{:>8}{:>9}", "ms since spawn", "min", "median", "p95", "step")?;
        if let Some(floor) = &report.floor {
            row(out, "floor", "empty guest", &floor.summary, "")?;
        }
        for line in &report.rows {
            let side = if line.guest { "guest" } else { "host" };
            row(out, line.name, side, &line.since_spawn, &format!("{:+.2}", line.step))?;
        }
        let Report { first_byte, unaccounted, uncertainty, translation, adding_up, rate_spread, .. } = report;
        writeln!(out, "\n{:<30}{:>8}{:>8}{:>8}{:>9}", "who has the time, ms", "min", "median", "p95", "share")?;
        for Share { name, took, share } in &report.parts {
            row(out, name, "", &took.summary, &format!("{:.1} %", share.summary.median * 100.0))?;
        }
        match &report.floor {
            Some(Floor { summary: floor, ratio, difference }) => writeln!(
                out,
                "\nfirst byte {:.2} ms = floor {:.2} ms × {ratio:.2}; the median run is {difference:.2} ms above its floor",
                first_byte.median, floor.median
            )?,
            None => writeln!(out, "\nfirst byte {:.2} ms", first_byte.median)?,
        }
        writeln!(
            out,
            "the phases add up to the wall time within {:.2} % (limit {:.0} %): {}; in {adding_up} of {} runs, the worst {:.2} %",
            unaccounted.median * 100.0,
            TOLERANCE * 100.0,
            if report.adds_up() { "ok" } else { "NOT OK" },
            unaccounted.count,
            unaccounted.max * 100.0,
        )?;
        writeln!(
            out,
            "guest times are exact to ±{:.0} µs; the guest's clock runs at the host's rate, known to {:.2} %",
            uncertainty * 1e3,
            rate_spread * 100.0
        )?;
        if let Some(Translation { firmware, kernel }) = translation {
            writeln!(
                out,
                "QEMU translated {kernel} blocks of code until the first response, beside the firmware's {firmware}"
            )?;
        }
        Ok(())
    }
}

fn row(out: &mut fmt::Formatter<'_>, name: &str, side: &str, summary: &Summary, step: &str) -> fmt::Result {
    let Summary { min, median, p95, .. } = summary;
    let [min, median, p95] = [min, median, p95].map(|time| cell(*time));
    let line = format!("{:<30}{min:>8}{median:>8}{p95:>8}{step:>9}", format!("{name:<18}{side}"));
    writeln!(out, "{}", line.trim_end())
}

/// Milliseconds that leave a blank before them.
fn cell(time: f64) -> String {
    if time < 1e4 { format!("{time:.2}") } else { format!("{time:.0}") }
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::run;
    use super::*;

    #[test]
    fn the_table_has_a_line_for_each_event_and_the_verdict() {
        let points = [("power-on", 10.0), ("entry", 20.5), ("paging", 21.0), ("listening", 24.0), ("first byte", 26.0)];
        let report = Report::of(&[run(&points)]).expect("there is a run");
        let text = Table(&report).to_string();
        assert_eq!(
            text,
            "\
ms since spawn                     min  median     p95     step
floor             empty guest    20.00   20.00   20.00
power-on          guest          10.00   10.00   10.00   +10.00
entry             guest          20.50   20.50   20.50   +10.50
paging            guest          21.00   21.00   21.00    +0.50
listening         guest          24.00   24.00   24.00    +3.00
first byte        guest          26.00   26.00   26.00    +2.00

who has the time, ms               min  median     p95    share
QEMU's start                     10.00   10.00   10.00   38.5 %
firmware                         10.50   10.50   10.50   40.4 %
loader                            0.50    0.50    0.50    1.9 %
kernel                            3.00    3.00    3.00   11.5 %
first request                     2.00    2.00    2.00    7.7 %

first byte 26.00 ms = floor 20.00 ms × 1.30; the median run is 6.00 ms above its floor
the phases add up to the wall time within 1.00 % (limit 2 %): ok; in 1 of 1 runs, the worst 1.00 %
guest times are exact to ±50 µs; the guest's clock runs at the host's rate, known to 0.20 %
"
        );
    }

    #[test]
    fn times_of_slow_firmware_do_not_run_into_one_another() {
        assert_eq!([9999.99, 10_174.98].map(cell), ["9999.99", "10175"]);
    }

    #[test]
    fn blocks_that_were_counted_are_told() {
        let mut report = Report::of(&[run(&[("first byte", 26.0)])]).expect("there is a run");
        report.translation = Some(Translation { firmware: 154, kernel: 600 });
        let text = Table(&report).to_string();
        let line = "QEMU translated 600 blocks of code until the first response, beside the firmware's 154\n";
        assert!(text.ends_with(line), "{text}");
    }

    #[test]
    fn parts_that_do_not_add_up_are_said_so() {
        let mut odd = run(&[("entry", 20.0), ("first byte", 25.0)]);
        odd.boot.accounted = 26.0;
        let report = Report::of(&[odd]).expect("there is a run");
        assert!(!report.adds_up());
        assert!(
            Table(&report).to_string().contains("within 4.00 % (limit 2 %): NOT OK; in 0 of 1 runs, the worst 4.00 %")
        );
    }
}
