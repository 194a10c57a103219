//! What cold, warm, density and scale say, in sentences.

use super::super::generic::alike;
use super::super::input::Entry;
use super::super::number::{brief, interval, number, quantity};
use super::super::vary::Vary;
use super::{MAYFLY, list};
use crate::results::{Benchmark, Parameter, Series, Unit};

/// Makes a paragraph of a benchmark's results, if they are enough for one.
type Say = fn(&[&Entry]) -> Option<String>;

/// A paragraph for each of the four that there are results of.
pub(super) fn paragraphs(entries: &[Entry]) -> Vec<String> {
    let sentences: [(Benchmark, Say); 4] =
        [(Benchmark::Cold, cold), (Benchmark::Warm, warm), (Benchmark::Density, density), (Benchmark::Scale, scale)];
    sentences.into_iter().filter_map(|(benchmark, say)| say(&of(entries, benchmark))).collect()
}

/// Mayfly's results of this benchmark: those with times if there are some, for they have what is counted too.
fn of(entries: &[Entry], benchmark: Benchmark) -> Vec<&Entry> {
    let all = entries.iter().filter(|entry| entry.record.benchmark == benchmark && entry.record.system == MAYFLY);
    let (counted, timed): (Vec<_>, Vec<_>) = all.partition(|entry| entry.counted());
    if timed.is_empty() { counted } else { timed }
}

/// Two figures beside each other: the time if it was taken, or else the count.
fn pair<'a>(entry: &'a Entry, timed: [&str; 2], counted: [&str; 2]) -> Option<[&'a Series; 2]> {
    let both = |[one, other]: [&str; 2]| Some([entry.record.series(one)?, entry.record.series(other)?]);
    both(timed).or_else(|| both(counted))
}

fn say(series: &Series) -> String {
    quantity(series.summary.median, series.unit)
}

/// Results that have the same parameters, by what grows.
fn growing<'a>(entries: &[&'a Entry]) -> Vec<(String, Vec<&'a Entry>)> {
    let along = |alike: Vec<&'a Entry>| {
        let vary = Vary::of(&alike);
        let name = vary.along.clone()?;
        let mut alike: Vec<_> = alike.into_iter().filter_map(|entry| Some((vary.place(entry)?, entry))).collect();
        alike.sort_by(|one, other| one.0.total_cmp(&other.0));
        Some((name, alike.into_iter().map(|(_, entry)| entry).collect()))
    };
    alike(entries).into_iter().filter_map(along).collect()
}

/// The number that a result has for what grows.
fn at(entry: &Entry, along: &str) -> String {
    match entry.record.parameters.get(along) {
        Some(Parameter::Number(value)) => number(*value),
        _ => String::new(),
    }
}

fn cold(entries: &[&Entry]) -> Option<String> {
    let timed = ["first request", "second request"];
    let counted = ["instructions of the domain, first request", "instructions of the domain, second request"];
    let (_, by_functions) = growing(entries).into_iter().find(|(along, _)| along == "functions")?;
    let figures = |entry: &&Entry| {
        let [first, second] = pair(entry, timed, counted)?;
        let functions = at(entry, "functions");
        let plural = if functions == "1" { "" } else { "s" };
        Some(format!("{} with {functions} function{plural} in the image ({} the second time)", say(first), say(second)))
    };
    let ends = [by_functions.first()?, by_functions.last()?];
    let figures: Vec<_> = ends.into_iter().filter_map(figures).collect();
    let what = match pair(by_functions.first()?, timed, counted)?[0].unit {
        Unit::Instructions => "The domain of a function that was never used",
        _ => "The first request of a function that was never used",
    };
    Some(format!("{what} takes {}.", list(&figures)))
}

fn warm(entries: &[&Entry]) -> Option<String> {
    let record = &entries.first()?.record;
    const OTHER: &str = "a request that the kernel answers itself";
    const MORE: &str = "more than";
    const LESS: &str = "less than";
    let more = |value: f64| if value < 0.0 { LESS } else { MORE };
    let figure = |name: &str| {
        let series = record.series(name)?;
        let median = series.summary.median;
        Some((quantity(median.abs(), series.unit), more(median), series))
    };
    let (instructions, more_instructions, _) = figure("added instructions")?;
    let text = match figure("added") {
        Some((time, more, series)) => {
            let interval = interval(&series.summary);
            let and = if more == more_instructions { "and" } else { "though" };
            // It empties what QEMU knows of addresses.
            let why = match (more, more_instructions) {
                (MORE, LESS) => ": in QEMU, a change of address space takes time, but hardly an instruction",
                _ => "",
            };
            format!("{time} {more} {OTHER} (interval {interval} µs), {and} {instructions} {more_instructions} it{why}")
        }
        None => format!("{instructions} {more_instructions} {OTHER}"),
    };
    Some(format!("A request to a function that does nothing takes {text}."))
}

fn density(entries: &[&Entry]) -> Option<String> {
    let figures = entries.iter().filter_map(|entry| {
        let resident = entry.record.series("resident functions")?.summary.median;
        Some(format!("{} in {} MiB", brief(resident), at(entry, "memory MiB")))
    });
    let figures: Vec<_> = figures.collect();
    let each = entries.iter().find_map(|entry| entry.record.series("a resident function"))?;
    (!figures.is_empty())
        .then(|| format!("So many functions stay resident at once, each with {}: {}.", say(each), list(&figures)))
}

fn scale(entries: &[&Entry]) -> Option<String> {
    let figures = growing(entries).into_iter().filter_map(|(along, entries)| {
        let (first, last) = (entries.first()?, entries.last()?);
        let name = ["request", "instructions", "instructions of the domain"]
            .into_iter()
            .find(|name| first.record.series(name).is_some() && last.record.series(name).is_some())?;
        let [from, to] = [first, last].map(|entry| entry.record.series(name).map(say).unwrap_or_default());
        Some(format!("from {} to {} {along}, {from} to {to}", at(first, &along), at(last, &along)))
    });
    let figures: Vec<_> = figures.collect();
    (!figures.is_empty()).then(|| format!("What a request takes as something grows: {}.", figures.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::super::super::samples::{entry, record};
    use super::*;

    fn with(benchmark: Benchmark, parameters: &[(&str, Parameter)], figures: &[(&str, Unit, f64)]) -> Entry {
        let mut record = record(benchmark, MAYFLY, parameters);
        let series = figures.iter().filter_map(|(name, unit, value)| Series::new(*name, *unit, vec![*value]));
        record.series = series.collect();
        entry(record)
    }

    #[test]
    fn the_ends_of_what_grows_are_said() {
        let cold = |functions: u64, first: f64| {
            let figures = [("first request", Unit::Microseconds, first), ("second request", Unit::Microseconds, 80.0)];
            with(Benchmark::Cold, &[("functions", functions.into())], &figures)
        };
        assert_eq!(
            paragraphs(&[cold(10_000, 220.0), cold(1, 200.0), cold(10, 500.0)]),
            [
                "The first request of a function that was never used takes 200 µs with 1 function in the image (80 µs the \
                 second time) and 220 µs with 10,000 functions in the image (80 µs the second time)."
            ]
        );
        let scale = |name: &str, value: u64, count: f64| {
            with(Benchmark::Scale, &[(name, value.into())], &[("instructions", Unit::Instructions, count)])
        };
        let entries = [scale("functions", 1, 3563.0), scale("functions", 100, 3563.0), scale("dirty pages", 0, 3194.0)];
        assert_eq!(
            paragraphs(&entries),
            [
                "What a request takes as something grows: from 1 to 100 functions, 3,563 instructions to 3,563 instructions."
            ],
            "one point does not grow"
        );
    }

    #[test]
    fn what_a_function_adds_may_be_less_than_nothing() {
        let warm = |figures: &[(&str, Unit, f64)]| paragraphs(&[with(Benchmark::Warm, &[], figures)]).concat();
        let counted = ("added instructions", Unit::Instructions, -422.0);
        assert_eq!(
            warm(&[counted]),
            "A request to a function that does nothing takes 422 instructions less than a request that the kernel answers \
             itself."
        );
        let text = warm(&[counted, ("added", Unit::Microseconds, 5.0)]);
        let said = "takes 5 µs more than a request that the kernel answers itself (interval 5 … 5 µs), though 422 \
                    instructions less than it: in QEMU";
        assert!(text.contains(said), "{text}");
    }

    #[test]
    fn density_says_each_memory_and_results_of_counts_say_nothing_beside_times() {
        let memory = |mib: u64, resident: f64| {
            let figures =
                [("resident functions", Unit::Count, resident), ("a resident function", Unit::Kibibytes, 20.0)];
            with(Benchmark::Density, &[("memory MiB", mib.into())], &figures)
        };
        let mut counted = memory(256, 9000.0);
        counted.record.environment.host = None;
        assert_eq!(
            paragraphs(&[counted, memory(32, 1010.0), memory(64, 2134.0)]),
            ["So many functions stay resident at once, each with 20 KiB: 1,010 in 32 MiB and 2,134 in 64 MiB."]
        );
    }
}
