//! The sections of cold, warm, density and scale: what a request or a function costs, by what grows.

use super::generic::{self, Item};
use super::input::Entry;
use super::picture::Picture;
use super::plot::Along;
use super::vary::Vary;
use super::words::list;
use crate::results::{Benchmark, Unit};

/// Lines that belong together.
struct Lines {
    title: &'static str,
    /// Names of their series.
    series: &'static [&'static str],
    from: Along,
}

const FIRST: &str = "first request";
const SECOND: &str = "second request";
const WITH_ROOM: &str = "first request with room";
const WITHOUT_ROOM: &str = "first request for which another is dropped";

const COLD: &[Lines] = &[
    Lines { title: "First and second request", series: &[FIRST, SECOND], from: Along::Itself },
    Lines {
        title: "Instructions of first and second request",
        series: &[
            "instructions of the domain, first request",
            "instructions of the domain, second request",
            "instructions, first request",
            "instructions, second request",
        ],
        from: Along::Itself,
    },
];

const SCALE: &[Lines] = &[
    Lines { title: "Time of a request", series: &["request"], from: Along::Itself },
    Lines {
        title: "Instructions of a request",
        series: &["instructions of the domain", "instructions"],
        from: Along::Itself,
    },
];

const DENSITY: &[Lines] = &[
    Lines { title: "Functions resident at once", series: &["resident functions"], from: Along::Zero },
    Lines {
        title: "Memory for each resident function",
        series: &["a resident function", "all memory over resident functions"],
        from: Along::Zero,
    },
    Lines { title: "A function’s first request", series: &[WITH_ROOM, WITHOUT_ROOM], from: Along::Zero },
    Lines {
        title: "Instructions of the domain of a first request",
        series: &[
            "instructions of the domain, first request with room",
            "instructions of the domain, first request for which another is dropped",
        ],
        from: Along::Zero,
    },
    Lines { title: "Memory in use", series: &["memory in use"], from: Along::Zero },
    Lines {
        title: "Instructions of the domain of a first request",
        series: &["instructions of the domain, first request"],
        from: Along::Zero,
    },
];

/// Pictures of these results of a benchmark, one of the four.
pub(super) fn pictures<'a>(benchmark: Benchmark, entries: &[&'a Entry]) -> Vec<Picture<'a>> {
    match benchmark {
        Benchmark::Warm => warm(entries),
        Benchmark::Cold => grown(entries, COLD, |alike, vary| furthest(alike, vary, &[FIRST, SECOND])),
        Benchmark::Density => grown(entries, DENSITY, |alike, vary| furthest(alike, vary, &[WITH_ROOM, WITHOUT_ROOM])),
        _ => grown(entries, SCALE, |alike, vary| {
            let along = vary.along.as_deref().unwrap_or_default();
            let picture = generic::distribution("request", &generic::named(alike, &["request"]), vary)?;
            Some(Picture { title: format!("How the time of a request is distributed, by {along}"), ..picture })
        }),
    }
}

/// For each thing that grows, these lines, and how times are distributed.
fn grown<'a>(
    entries: &[&'a Entry],
    plan: &[Lines],
    distribution: impl Fn(&[&'a Entry], &Vary) -> Option<Picture<'a>>,
) -> Vec<Picture<'a>> {
    let mut pictures = Vec::new();
    for alike in generic::alike(entries) {
        let vary = Vary::of(&alike);
        let Some(along) = &vary.along else {
            pictures.extend(generic::pictures_of_alike(&alike));
            continue;
        };
        let lines = plan.iter().filter_map(|lines| {
            generic::lines(lines.title, &generic::named(&alike, lines.series), &vary, along, lines.from)
        });
        pictures.extend(lines);
        pictures.extend(distribution(&alike, &vary));
    }
    pictures
}

/// How the values of these series are distributed where what grows is greatest.
fn furthest<'a>(alike: &[&'a Entry], vary: &Vary, series: &[&str]) -> Option<Picture<'a>> {
    let greatest = alike.iter().filter_map(|entry| vary.place(entry)).max_by(f64::total_cmp)?;
    let last: Vec<_> = alike.iter().filter(|entry| vary.place(entry) == Some(greatest)).copied().collect();
    let names: Vec<_> = series.iter().map(|name| (*name).to_owned()).collect();
    let title = format!("How {} are distributed, {}", list(&names), vary.label(last.first()?));
    let picture = generic::distribution("", &generic::named(&last, series), &Vary::of(&last))?;
    Some(Picture { title, ..picture })
}

/// A bar for each figure, and how times and their differences are distributed.
fn warm<'a>(entries: &[&'a Entry]) -> Vec<Picture<'a>> {
    const BOTH: [&str; 2] = ["without a function", "with an empty function"];
    let vary = Vary::of(entries);
    let of = |unit: Unit| -> Vec<Item<'a>> {
        let all = entries.iter().flat_map(|entry| entry.record.series.iter().map(|series| (*entry, series)));
        all.filter(|(_, series)| series.unit == unit).collect()
    };
    [
        generic::bars_by_name("What a function that does nothing adds", &of(Unit::Microseconds), &vary),
        generic::bars_by_name("The same in instructions", &of(Unit::Instructions), &vary),
        generic::distribution("a request", &generic::named(entries, &BOTH), &vary),
        generic::distribution("what is added", &generic::named(entries, &["added"]), &vary),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::super::samples::{entry, record, series};
    use super::*;
    use crate::results::{Parameter, Record};

    fn with(benchmark: Benchmark, parameters: &[(&str, Parameter)], figures: &[(&str, Unit, f64)]) -> Record {
        let mut record = record(benchmark, "mayfly", parameters);
        record.series = figures.iter().map(|(name, unit, first)| series(name, *unit, *first)).collect();
        record
    }

    fn titles(benchmark: Benchmark, records: impl IntoIterator<Item = Record>) -> Vec<String> {
        let entries: Vec<_> = records.into_iter().map(entry).collect();
        let pictures = pictures(benchmark, &entries.iter().collect::<Vec<_>>());
        pictures.into_iter().map(|picture| picture.title).collect()
    }

    #[test]
    fn first_and_second_requests_are_side_by_side_for_each_thing_that_grows() {
        let figures = [
            (FIRST, Unit::Microseconds, 400.0),
            (SECOND, Unit::Microseconds, 100.0),
            ("instructions of the domain, first request", Unit::Instructions, 3400.0),
            ("instructions of the domain, second request", Unit::Instructions, 34.0),
        ];
        let of = |name: &str, value: u64| with(Benchmark::Cold, &[(name, value.into())], &figures);
        assert_eq!(
            titles(
                Benchmark::Cold,
                [of("functions", 1), of("functions", 1000), of("KiB of program", 4), of("KiB of program", 64)]
            ),
            [
                "First and second request by functions",
                "Instructions of first and second request by functions",
                "How first request and second request are distributed, functions = 1,000",
                "First and second request by KiB of program",
                "Instructions of first and second request by KiB of program",
                "How first request and second request are distributed, KiB of program = 64",
            ]
        );
    }

    #[test]
    fn memory_has_lines_by_the_machine_and_by_what_was_asked() {
        let memory = |mib: u64| {
            with(Benchmark::Density, &[("memory MiB", mib.into())], &[("resident functions", Unit::Count, 9.0)])
        };
        let step = |mib: u64, asked: u64| {
            let parameters = [("memory MiB", mib.into()), ("functions asked", asked.into())];
            with(Benchmark::Density, &parameters, &[("memory in use", Unit::Kibibytes, 20.0)])
        };
        assert_eq!(
            titles(
                Benchmark::Density,
                [memory(32), memory(64), step(32, 10), step(32, 20), step(64, 30), step(64, 40)]
            ),
            ["Functions resident at once by memory MiB", "Memory in use by functions asked"]
        );
    }

    #[test]
    fn what_is_added_has_a_picture_of_its_own_and_a_single_point_is_no_line() {
        let figures = [
            ("without a function", Unit::Microseconds, 40.0),
            ("with an empty function", Unit::Microseconds, 50.0),
            ("added", Unit::Microseconds, 10.0),
        ];
        assert_eq!(
            titles(Benchmark::Warm, [with(Benchmark::Warm, &[], &figures)]),
            [
                "What a function that does nothing adds",
                "How a request is distributed",
                "How what is added is distributed"
            ]
        );
        let alone = with(Benchmark::Scale, &[("functions", 1_u64.into())], &[("request", Unit::Microseconds, 40.0)]);
        assert_eq!(titles(Benchmark::Scale, [alone]), ["How request is distributed"]);
    }
}
