//! What was counted, as a table for people.

use std::fmt;

use super::{Counted, PARTS, Part, Proxies, Step};

/// `Display` writes the table.
pub(in crate::bench) struct Table<'a>(pub(in crate::bench) &'a Counted, pub(in crate::bench) Option<&'a [Proxies; 3]>);

impl fmt::Display for Table<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(counted, proxies) = self;
        writeln!(out, "{:<15}{:<20}{:>12}{:>8}", "", "until", "instructions", "share")?;
        for (name, part) in PARTS.iter().zip(counted.parts()) {
            let Part { total, steps, .. } = part;
            for Step { name: phase, instructions } in steps {
                let share = *instructions as f64 / *total as f64 * 100.0;
                writeln!(out, "{name:<15}{phase:<20}{instructions:>12}{share:>6.1} %")?;
            }
            writeln!(out, "{name:<15}{:<20}{total:>12}", "total")?;
            if std::ptr::eq(part, &counted.boot) {
                let loader = counted.loader();
                writeln!(out, "{name:<15}{:<20}{loader:>12}", "of it the loader")?;
                writeln!(out, "{name:<15}{:<20}{:>12}", "of it the kernel", total - loader)?;
            }
            writeln!(out)?;
        }
        let Some(proxies) = proxies else {
            return writeln!(
                out,
                "the loader's share holds what the firmware does for it, such as reading the disk, and varies; nothing else is \
                 counted where the firmware boots a disk"
            );
        };
        writeln!(
            out,
            "{:<15}{:>20}{:>12}{:>12}{:>15}",
            "", "blocks translated", "port exits", "MMIO exits", "pages touched"
        )?;
        for (name, Proxies { blocks, ports, mmio, pages }) in PARTS.iter().zip(*proxies) {
            writeln!(out, "{name:<15}{blocks:>20}{ports:>12}{mmio:>12}{pages:>15}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::part;
    use super::*;

    #[test]
    fn each_step_has_a_line_and_each_part_a_total() {
        let request = part("woken", &[("first bytes", 600), ("at rest", 200)]);
        let counted = Counted {
            boot: part("entry", &[("paging", 15), ("traps", 1485), ("listening", 1500)]),
            first_request: request.clone(),
            request,
        };
        let proxies = [Proxies { blocks: 600, ports: 0, mmio: 57, pages: 186 }, Proxies::default(), Proxies::default()];
        assert_eq!(
            Table(&counted, Some(&proxies)).to_string(),
            "               until               instructions   share
boot           paging                        15   0.5 %
boot           traps                       1485  49.5 %
boot           listening                   1500  50.0 %
boot           total                       3000
boot           of it the loader              15
boot           of it the kernel            2985

first request  first bytes                  600  75.0 %
first request  at rest                      200  25.0 %
first request  total                        800

request        first bytes                  600  75.0 %
request        at rest                      200  25.0 %
request        total                        800

                  blocks translated  port exits  MMIO exits  pages touched
boot                            600           0          57            186
first request                     0           0           0              0
request                           0           0           0              0
"
        );
        let short = Table(&counted, None).to_string();
        assert!(short.contains("varies; nothing else is counted") && !short.contains("blocks"), "{short}");
    }
}
