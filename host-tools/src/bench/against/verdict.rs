//! What changed from one revision to another: instructions exactly, by phase, and time with the interval of the difference.

use std::fmt;

use super::times::{Difference, Times};
use crate::bench::counted::{Counted, PARTS, Part};

/// A way from phase to phase in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Change {
    name: &'static str,
    before: u64,
    now: u64,
}

/// A part of a boot in both, by the phases that both kernels stamp.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Compared {
    part: &'static str,
    total: Change,
    steps: Vec<Change>,
    /// Phases that only one of the kernels stamps.
    missing: Vec<&'static str>,
}

/// `Display` writes the verdict.
pub(super) struct Verdict {
    /// The other revision, as the user named it.
    pub(super) revision: String,
    parts: Vec<Compared>,
    times: Option<Times>,
}

impl Verdict {
    /// `times`: if they were taken.
    pub(super) fn of(revision: &str, before: &Counted, now: &Counted, times: Option<Times>) -> Self {
        let parts = PARTS.into_iter().zip(before.parts()).zip(now.parts());
        let parts = parts.map(|((part, before), now)| compare(part, before, now)).collect();
        Self { revision: revision.to_owned(), parts, times }
    }
}

fn compare(part: &'static str, before: &Part, now: &Part) -> Compared {
    let [old, new] = [before, now].map(|part| part.stops().into_iter().map(|(name, _)| name).collect::<Vec<_>>());
    let common: Vec<_> = new.iter().copied().filter(|name| old.contains(name)).collect();
    let missing = new.iter().chain(&old).copied().filter(|name| !common.contains(name)).collect();
    let [before, now] = [before, now].map(|part| part.among(&common));
    let steps = before.steps.iter().zip(&now.steps).map(|(before, now)| Change {
        name: now.name,
        before: before.instructions,
        now: now.instructions,
    });
    Compared {
        part,
        total: Change { name: part, before: before.total, now: now.total },
        steps: steps.collect(),
        missing,
    }
}

impl Change {
    fn is_one(&self) -> bool {
        self.before != self.now
    }
}

/// From, to, and how much more.
impl fmt::Display for Change {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { before, now, .. } = self;
        let more = now.cast_signed() - before.cast_signed();
        let percent = more as f64 / (*before).max(1) as f64 * 100.0;
        write!(out, "{before:>9}{now:>9}{more:>+9}{percent:>+8.1} %")
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { revision, parts, times } = self;
        writeln!(out, "instructions, exact: {revision}, this tree, change")?;
        for Compared { part, total, steps, .. } in parts {
            if !total.is_one() && !steps.iter().any(Change::is_one) {
                writeln!(out, "{part:<15}{:<18}{:>9}, the same in every phase", "all", total.now)?;
                continue;
            }
            for step in steps.iter().filter(|step| step.is_one()) {
                writeln!(out, "{part:<15}{:<18}{step}", step.name)?;
            }
            writeln!(out, "{part:<15}{:<18}{total}", "all")?;
        }
        let mut missing: Vec<_> = parts.iter().flat_map(|part| part.missing.iter().copied()).collect();
        missing.sort_unstable();
        missing.dedup();
        if !missing.is_empty() {
            writeln!(
                out,
                "compared without these phases, which only one of the kernels stamps: {}",
                missing.join(", ")
            )?;
        }
        let Some(times) = times else { return Ok(()) };
        writeln!(out, "\ntime, in turns, medians: {revision}, this tree, change with its 95 % interval")?;
        time(out, "boot to first byte", "ms", times.boots.difference())?;
        time(out, "request", "µs", times.requests.difference())
    }
}

fn time(out: &mut fmt::Formatter<'_>, what: &str, unit: &str, difference: Option<Difference>) -> fmt::Result {
    let Some(difference) = difference else { return Ok(()) };
    let Difference { before, now, more, interval: [low, high] } = difference;
    write!(out, "{what:<20}{before:>9.2}{now:>9.2} {unit}  ")?;
    if difference.is_resolved() {
        let word = if more > 0.0 { "slower" } else { "faster" };
        writeln!(out, "{word} by {:.2} {unit} ({low:+.2} to {high:+.2})", more.abs())
    } else {
        writeln!(out, "no difference that these runs resolve ({low:+.2} to {high:+.2})")
    }
}

#[cfg(test)]
mod tests {
    use super::super::times::tests::pairs;
    use super::*;
    use crate::bench::counted::tests::part;

    fn counted(memory: u64) -> Counted {
        let request = part("woken", &[("first bytes", 554), ("request parsed", 327), ("at rest", 3100)]);
        Counted {
            boot: part("entry", &[("traps", 1500), ("memory", memory), ("listening", 9000)]),
            first_request: request.clone(),
            request,
        }
    }

    #[test]
    fn the_phase_that_grew_is_named_with_the_count_and_no_other() {
        let verdict = Verdict::of("HEAD~1", &counted(3600), &counted(6600), None);
        assert_eq!(
            verdict.to_string(),
            "instructions, exact: HEAD~1, this tree, change
boot           memory                 3600     6600    +3000   +83.3 %
boot           all                   14100    17100    +3000   +21.3 %
first request  all                    3981, the same in every phase
request        all                    3981, the same in every phase
"
        );
    }

    #[test]
    fn work_that_moved_from_one_phase_to_another_is_not_the_same() {
        let mut moved = counted(3600);
        moved.boot = part("entry", &[("traps", 1400), ("memory", 3700), ("listening", 9000)]);
        let text = Verdict::of("v1", &counted(3600), &moved, None).to_string();
        assert!(text.contains("traps                  1500     1400     -100    -6.7 %"), "{text}");
        assert!(text.contains("memory                 3600     3700     +100    +2.8 %"), "{text}");
        assert!(text.contains("all                   14100    14100       +0    +0.0 %"), "{text}");
    }

    #[test]
    fn phases_that_an_older_kernel_does_not_stamp_are_left_out_and_named() {
        let mut old = counted(3600);
        old.request = part("request parsed", &[("response queued", 2400)]);
        let mut new = counted(3600);
        new.request = part(
            "woken",
            &[("first bytes", 554), ("request parsed", 327), ("response queued", 2500), ("at rest", 600)],
        );
        let text = Verdict::of("v1", &old, &new, None).to_string();
        assert!(text.contains("\nrequest        response queued        2400     2500     +100    +4.2 %\n"), "{text}");
        assert!(text.contains("only one of the kernels stamps: at rest, first bytes, woken\n"), "{text}");
    }

    #[test]
    fn a_time_is_told_with_its_interval_and_only_if_it_is_resolved() {
        let before: Vec<_> = (0..20).map(f64::from).collect();
        let now: Vec<_> = before.iter().map(|time| time + 0.5).collect();
        let times = Times { boots: pairs(&before, &now), requests: pairs(&[1.0, 2.0, 9.0], &[2.0, 1.0, 9.0]) };
        let text = Verdict::of("v1", &counted(1), &counted(1), Some(times)).to_string();
        let (_, times) = text.split_once("\n\n").expect("there are times");
        assert_eq!(
            times,
            "time, in turns, medians: v1, this tree, change with its 95 % interval
boot to first byte       9.50    10.00 ms  slower by 0.50 ms (+0.50 to +0.50)
request                  2.00     2.00 µs  no difference that these runs resolve (-1.00 to +1.00)
"
        );
    }
}
