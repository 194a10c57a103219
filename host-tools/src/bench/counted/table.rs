//! What was counted, as a table for people.

use std::fmt;

use super::{Counted, Part, Step};

/// `Display` writes the table.
pub(in crate::bench) struct Table<'a>(pub(in crate::bench) &'a Counted);

impl fmt::Display for Table<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{:<35}{:>12}{:>8}", "", "instructions", "share")?;
        for (name, part) in self.0.parts() {
            let Part { total, steps } = part;
            for Step { name: phase, instructions } in steps {
                let share = *instructions as f64 / *total as f64 * 100.0;
                writeln!(out, "{name:<15}{phase:<20}{instructions:>12}{share:>6.1} %")?;
            }
            writeln!(out, "{name:<15}{:<20}{total:>12}\n", "total")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_has_a_line_and_each_part_a_total() {
        let part = |steps: &[(&'static str, u64)]| {
            let steps: Vec<_> = steps.iter().map(|&(name, instructions)| Step { name, instructions }).collect();
            Part { total: steps.iter().map(|step| step.instructions).sum(), steps }
        };
        let request = part(&[("first bytes", 600), ("at rest", 200)]);
        let counted =
            Counted { boot: part(&[("traps", 1500), ("listening", 1500)]), first_request: request.clone(), request };
        assert_eq!(
            Table(&counted).to_string(),
            "                                   instructions   share
boot           traps                       1500  50.0 %
boot           listening                   1500  50.0 %
boot           total                       3000

first request  first bytes                  600  75.0 %
first request  at rest                      200  25.0 %
first request  total                        800

request        first bytes                  600  75.0 %
request        at rest                      200  25.0 %
request        total                        800

"
        );
    }
}
