//! A boot in its parts: who has the time, from the start of QEMU to the first byte of an answer. docs/ledger.md

use mayfly_abi::ledger::Phase;

/// The point at which the machine's processor began to work.
pub(crate) const POWER_ON: &str = "power-on";
/// The point at which the answer begins to arrive.
pub(crate) const FIRST_BYTE: &str = "first byte";

/// The parts in their order, and the point of a boot at which each ends.
const PARTS: [(&str, &str); 5] = [
    ("QEMU's start", POWER_ON),
    ("firmware", Phase::Entry.name()),
    ("loader", Phase::Paging.name()),
    ("kernel", Phase::Listening.name()),
    ("first request", FIRST_BYTE),
];

/// A part of a boot.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) took: f64,
}

/// The parts of a boot, as far as it went; `at` says when a point was reached, counted from the start of QEMU. What lies on both
/// sides of a point that nobody saw is one part.
pub(crate) fn parts(at: impl Fn(&str) -> Option<f64>) -> Vec<Part> {
    let (mut start, mut names) = (0.0, Vec::new());
    let part = |(name, until)| {
        names.push(name);
        let end = at(until)?;
        let part = Part { name: names.join(" and "), took: end - start };
        start = end;
        names.clear();
        Some(part)
    };
    PARTS.into_iter().filter_map(part).collect()
}

/// What results call a part's share of the time to the first byte.
pub(crate) fn share_of(part: &str) -> String {
    format!("{SHARE}{part}")
}

/// The part whose share a result has under this name.
pub(crate) fn of_share(name: &str) -> Option<&str> {
    name.strip_prefix(SHARE)
}

const SHARE: &str = "share of ";

#[cfg(test)]
mod tests {
    use super::*;

    fn split(points: &[(&str, f64)]) -> Vec<(String, f64)> {
        let at = |name: &str| points.iter().find(|point| point.0 == name).map(|point| point.1);
        parts(at).into_iter().map(|part| (part.name, part.took)).collect()
    }

    fn named(parts: &[(&str, f64)]) -> Vec<(String, f64)> {
        parts.iter().map(|(name, took)| ((*name).to_owned(), *took)).collect()
    }

    #[test]
    fn the_parts_lie_end_to_end_from_the_start_to_the_first_byte() {
        let points = [
            ("power-on", 10.0),
            ("entry", 1010.0),
            ("paging", 1210.0),
            ("traps", 1211.0),
            ("listening", 1240.0),
            ("first byte", 1250.0),
        ];
        let whole = [
            ("QEMU's start", 10.0),
            ("firmware", 1000.0),
            ("loader", 200.0),
            ("kernel", 30.0),
            ("first request", 10.0),
        ];
        assert_eq!(split(&points), named(&whole));
        let joined = named(&[("QEMU's start and firmware", 1010.0), ("loader", 200.0)]);
        assert_eq!(split(&points[1..])[..2], joined, "nobody knows when the power came");
        assert_eq!(split(&points[..3]), named(&whole[..3]), "a kernel that does not get to serving");
        assert_eq!(split(&[]), []);
    }

    #[test]
    fn a_share_says_of_what_it_is() {
        assert_eq!((of_share(&share_of("firmware")), of_share("firmware")), (Some("firmware"), None));
    }
}
