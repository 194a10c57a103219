//! The page's first paragraph: the figures that matter, in sentences.

use super::input::Entry;
use super::load;
use super::meaning::meaning;
use super::number::{interval, number, quantity};
use super::phases::{Phases, first_response};
use crate::results::{Benchmark, Summary};

/// Mayfly's name among systems.
const MAYFLY: &str = "mayfly";
/// Steps of a boot that are named.
const STEPS: usize = 3;

/// What all results together say.
pub(super) fn sentences(entries: &[Entry]) -> Vec<String> {
    let mut sentences = Vec::new();
    for phases in entries.iter().filter_map(Phases::of) {
        sentences.extend(boot(&phases));
        sentences.extend(others(&phases, entries));
    }
    let loads: Vec<_> = entries.iter().filter(|entry| entry.record.benchmark == Benchmark::Load && !entry.counted()).collect();
    sentences.extend(load(&loads));
    sentences.extend(errors(entries));
    sentences
}

/// When the first byte comes, and what takes longest until then.
fn boot(phases: &Phases<'_>) -> Vec<String> {
    let Summary { median, count, .. } = phases.first_byte.summary;
    let who = capital(&phases.entry.who());
    let mut sentences = vec![format!(
        "{who} sends the first byte of its first response {} after QEMU was started (median of {count} boots, 95 % interval {}).",
        quantity(median, phases.first_byte.unit),
        interval(&phases.first_byte.summary),
    )];
    if let (Some(floor), Some(above)) = (phases.floor, phases.above_floor()) {
        sentences.push(format!(
            "An empty guest takes {} to its first instruction: that is the floor, below which no kernel can be, and the first byte comes {} \
             after it ({}).",
            quantity(floor.summary.median, floor.unit),
            quantity(above.median, floor.unit),
            interval(&above),
        ));
    }
    let steps: Vec<_> = phases
        .longest(STEPS)
        .into_iter()
        .map(|step| {
            let share = step.length() / median * 100.0;
            let words = meaning(Benchmark::Boot, &step.name).and_then(|words| words.split(':').next());
            let words = words.map_or_else(String::new, |words| format!(": {words}"));
            format!("{} ms ({share:.0} %) until “{}”{words}", number(step.length()), step.name)
        })
        .collect();
    if !steps.is_empty() {
        sentences.push(format!("Most of the time goes into these steps: {}.", steps.join("; ")));
    }
    sentences
}

/// How long others take to their first response.
fn others(phases: &Phases<'_>, entries: &[Entry]) -> Option<String> {
    let own = first_response(&phases.entry.record)?.summary.median;
    let same = |entry: &&Entry| entry.record.benchmark == Benchmark::Boot && entry.record.system != MAYFLY;
    let others: Vec<_> = entries
        .iter()
        .filter(same)
        .filter_map(|entry| {
            let other = first_response(&entry.record)?;
            let times = number(other.summary.median / own);
            Some(format!("{} takes {}, {times} times as long", entry.who(), quantity(other.summary.median, other.unit)))
        })
        .collect();
    (!others.is_empty()).then(|| format!("To its whole first response, {}.", list(&others)))
}

/// Requests a second on each number of connections, beside each other system.
fn load(entries: &[&Entry]) -> Vec<String> {
    let connections = load::connections(entries);
    let rate = |entry: &Entry| Some(entry.record.series("requests")?.summary.median);
    let on = |who: &str, figure: &dyn Fn(&Entry) -> Option<f64>| -> Vec<(f64, f64)> {
        let of = |connections: &f64| entries.iter().find(|entry| entry.who() == who && load::of(entry) == Some(*connections));
        connections.iter().filter_map(|number| Some((*number, figure(of(number)?)?))).collect()
    };
    let mut systems: Vec<_> = entries.iter().map(|entry| (entry.record.system != MAYFLY, entry.who())).collect();
    systems.sort();
    systems.dedup();
    let sentence = |(other, who): &(bool, String)| {
        let ratio = |entry: &Entry| Some(entry.record.series("mayfly over this")?.summary.median);
        let figures = if *other { on(who, &ratio) } else { on(who, &rate) };
        let said = figures.iter().map(|(connections, figure)| format!("{} on {}", number(*figure), load::say(*connections)));
        let said = list(&said.collect::<Vec<_>>());
        (!said.is_empty()).then(|| if *other {
            format!("That is so many times what {who} answers, turn by turn: {said}.")
        } else {
            format!("{} answers so many requests a second: {said}.", capital(who))
        })
    };
    systems.iter().filter_map(sentence).collect()
}

/// A warning if answers were wrong.
fn errors(entries: &[Entry]) -> Option<String> {
    let of = |entry: &Entry| entry.record.series("errors").map_or(0.0, |errors| errors.summary.max);
    let sum: f64 = entries.iter().map(of).sum();
    (sum > 0.0).then(|| format!("{} requests got a wrong answer or none: the notes say which.", number(sum)))
}

/// A sentence's beginning.
fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// Words as a list.
fn list(words: &[String]) -> String {
    match words {
        [rest @ .., last] if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        words => words.concat(),
    }
}
