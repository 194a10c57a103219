//! The page's first paragraph: the figures that matter, in sentences.

mod costs;

use super::input::Entry;
use super::load;
use super::number::{brief, interval, number, quantity};
use super::phases::{Phases, first_response};
use super::plot::Step;
use super::words::{MAYFLY, list};
use crate::results::{Benchmark, Summary, Unit};

/// Steps of a boot that are named.
const STEPS: usize = 3;

/// A figure that matters, in a few words.
pub(super) struct Figure {
    pub(super) value: String,
    pub(super) of: String,
}

/// The figures that matter most: of the first boot and of the load on the most connections.
pub(super) fn figures_that_matter(entries: &[Entry]) -> Vec<Figure> {
    let mut figures = Vec::new();
    if let Some(phases) = entries.iter().find_map(Phases::of) {
        let who = phases.entry.who();
        let first_byte = quantity(phases.first_byte.summary.median, Unit::Milliseconds);
        figures
            .push(Figure {
                value: first_byte, of: format!("from starting QEMU to the first byte of {who}’s answer")
            });
        let before = phases.before_guest().map(|share| share * phases.first_byte.summary.median);
        let (before, of) = match phases.floor {
            Some(floor) => (
                Some(floor.summary.median),
                "of it until any guest’s first instruction: the floor, QEMU’s share".to_owned(),
            ),
            None => (before, format!("of it before {who}’s first instruction: QEMU’s and the firmware’s share")),
        };
        figures.extend(before.map(|before| Figure { value: quantity(before, Unit::Milliseconds), of }));
        if let Some((other, times)) = slower(&phases, entries).first() {
            figures.push(Figure {
                value: format!("{}×", brief(*times)),
                of: format!("{other}’s time to its first answer, over {who}’s"),
            });
        }
    }
    let loads = entries.iter().filter(|entry| !entry.counted() && entry.record.system == MAYFLY);
    let rates = loads.filter_map(|entry| Some((load::of(entry)?, entry.record.series("requests")?)));
    if let Some((connections, rate)) = rates.max_by(|(one, _), (two, _)| one.total_cmp(two)) {
        let value = number(rate.summary.median.round());
        figures.push(Figure { value, of: format!("requests a second on {}", load::say(connections)) });
    }
    figures
}

/// What all results together say.
pub(super) fn paragraphs(entries: &[Entry]) -> Vec<String> {
    let boots = entries.iter().filter_map(Phases::of).map(|phases| boot(&phases, entries).join(" "));
    let timed = |benchmark| move |entry: &&Entry| entry.record.benchmark == benchmark && !entry.counted();
    let loads: Vec<_> = entries.iter().filter(timed(Benchmark::Load)).collect();
    boots.chain(load(&loads)).chain(costs::paragraphs(entries)).chain(errors(entries)).collect()
}

/// When the first byte comes, what takes longest until then, and how long others take.
fn boot(phases: &Phases<'_>, entries: &[Entry]) -> Vec<String> {
    let Summary { median, count, .. } = phases.first_byte.summary;
    let mut sentences = vec![format!(
        "{} sends the first byte of its first response {} after QEMU was started (median of {count} boots, 95 % \
         interval {} ms).",
        phases.entry.who(),
        quantity(median, Unit::Milliseconds),
        interval(&phases.first_byte.summary),
    )];
    if let (Some(floor), Some(above)) = (phases.floor, phases.above_floor()) {
        sentences.push(format!(
            "An empty guest, booted before each, runs its first instruction after {}: no kernel can be below this floor. Boot by boot, the \
             first byte comes {} above it (interval {} ms).",
            quantity(floor.summary.median, Unit::Milliseconds),
            quantity(above.median, Unit::Milliseconds),
            interval(&above),
        ));
    }
    if let Some(share) = phases.before_guest() {
        sentences.push(format!("{:.0} % of the time passes before Mayfly’s first instruction.", share * 100.0));
    }
    let step = |step: &Step| {
        let Step { words, .. } = step;
        format!("{words}, {} ({:.0} %)", quantity(step.length(), Unit::Milliseconds), step.length() / median * 100.0)
    };
    let steps: Vec<_> = phases.longest(STEPS).into_iter().map(step).collect();
    sentences.push(format!("The longest steps are: {}.", steps.join("; ")));
    sentences.extend(others(phases, entries));
    sentences
}

/// How long others take to their first response.
fn others(phases: &Phases<'_>, entries: &[Entry]) -> Option<String> {
    let own = first_response(&phases.entry.record)?.summary.median;
    let times = slower(phases, entries).into_iter().map(|(who, times)| {
        format!("{who} takes {}, {} times as long", quantity(times * own, Unit::Milliseconds), brief(times))
    });
    let times: Vec<_> = times.collect();
    let own = quantity(own, Unit::Milliseconds);
    (!times.is_empty()).then(|| format!("The whole first response is there after {own}; {}.", list(&times)))
}

/// The other systems, and how many times as long each takes to its first response.
fn slower(phases: &Phases<'_>, entries: &[Entry]) -> Vec<(String, f64)> {
    let Some(own) = first_response(&phases.entry.record) else { return Vec::new() };
    let boots =
        entries.iter().filter(|entry| entry.record.benchmark == Benchmark::Boot && entry.record.system != MAYFLY);
    let times = boots
        .filter_map(|entry| Some((entry.who(), first_response(&entry.record)?.summary.median / own.summary.median)));
    times.collect()
}

/// Requests a second on each number of connections, beside each other system.
fn load(entries: &[&Entry]) -> Vec<String> {
    let (own, others): (Vec<_>, Vec<_>) = whos(entries).into_iter().partition(|(system, _)| *system == MAYFLY);
    let own = own.iter().filter_map(|(_, who)| {
        let (connections, rates) = figures(entries, who, "requests")?;
        Some(format!("On {connections} keep-alive connections, {} answers {rates} requests a second.", who))
    });
    let others = others.iter().filter_map(|(_, who)| {
        let (connections, ratios) = figures(entries, who, "mayfly over this")?;
        Some(format!("That is, on {connections} connections, {ratios} times as many as {} answers.", who))
    });
    let sentences: Vec<_> = own.chain(others).collect();
    (!sentences.is_empty()).then(|| sentences.join(" ")).into_iter().collect()
}

/// Systems, and their runs.
fn whos<'a>(entries: &[&'a Entry]) -> Vec<(&'a str, String)> {
    let mut whos = Vec::new();
    for entry in entries {
        let who = (entry.record.system.as_str(), entry.who());
        if !whos.contains(&who) {
            whos.push(who);
        }
    }
    whos
}

/// Numbers of connections, and for each the median of a run's series of this name; both as lists.
fn figures(entries: &[&Entry], who: &str, name: &str) -> Option<(String, String)> {
    let of = |connections: f64| entries.iter().find(|entry| entry.who() == who && load::of(entry) == Some(connections));
    let figures = load::connections(entries).into_iter().filter_map(|connections| {
        let median = of(connections)?.record.series(name)?.summary.median;
        Some((number(connections), brief(median)))
    });
    let (connections, medians): (Vec<_>, Vec<_>) = figures.unzip();
    (!medians.is_empty()).then(|| (list(&connections), list(&medians)))
}

/// A warning if answers were wrong.
fn errors(entries: &[Entry]) -> Option<String> {
    let of = |entry: &Entry| entry.record.series("errors").map_or(0.0, |errors| errors.summary.max);
    let sum: f64 = entries.iter().map(of).sum();
    (sum > 0.0).then(|| format!("{} requests got a wrong answer or none: the notes say which.", number(sum)))
}
