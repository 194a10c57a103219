//! The section of load: requests a second and latencies, by the number of connections.

use super::generic::{self, Item};
use super::input::Entry;
use super::number::{brief, number, quantity};
use super::picture::Picture;
use super::vary::Vary;
use super::words::{MAYFLY, list, proper};
use crate::results::Parameter;

/// Pictures of load.
pub(super) fn pictures<'a>(entries: &[&'a Entry]) -> Vec<Picture<'a>> {
    let vary = Vary::of(entries);
    let mut pictures = Vec::new();
    let requests = generic::named(entries, &["requests"]);
    pictures.extend(generic::bars(&requests_title(entries), &requests, &vary));
    for connections in connections(entries) {
        let alike: Vec<_> = entries.iter().filter(|entry| of(entry) == Some(connections)).copied().collect();
        let latencies = generic::named(&alike, &["latency"]);
        let title = latency_title(&latencies, connections);
        let picture = generic::distribution("latency", &latencies, &Vary::of(&alike));
        pictures.extend(picture.map(|picture| Picture { title, ..picture }));
    }
    pictures
}

/// How many times as many requests Mayfly answers, if there is one system to compare it with.
fn requests_title(entries: &[&Entry]) -> String {
    let others = entries.iter().filter(|entry| entry.record.system != MAYFLY);
    let (others, ratios): (Vec<_>, Vec<_>) = others
        .filter_map(|entry| Some((&entry.record.system, entry.record.series("mayfly over this")?.summary.median)))
        .unzip();
    let (least, most) = ratios.iter().fold((f64::MAX, 0.0_f64), |(low, high), ratio| (ratio.min(low), ratio.max(high)));
    let times = if brief(least) == brief(most) { brief(most) } else { format!("{} to {}", brief(least), brief(most)) };
    match others.first() {
        Some(other) if others.iter().all(|system| system == other) => {
            format!("Requests answered a second: {times} times as many as {}", proper(other))
        }
        _ => "Requests answered a second".to_owned(),
    }
}

/// Each system's median latency.
fn latency_title(latencies: &[Item<'_>], connections: f64) -> String {
    let medians = latencies
        .iter()
        .map(|(entry, series)| format!("{} ({})", quantity(series.summary.median, series.unit), entry.who()));
    format!("Latency on {}: half of the answers within {}", say(connections), list(&medians.collect::<Vec<_>>()))
}

/// How many connections, each number once, in ascending order.
pub(super) fn connections(entries: &[&Entry]) -> Vec<f64> {
    let mut all: Vec<_> = entries.iter().filter_map(|entry| of(entry)).collect();
    all.sort_by(f64::total_cmp);
    all.dedup();
    all
}

/// How many connections a result is of.
pub(super) fn of(entry: &Entry) -> Option<f64> {
    match entry.record.parameters.get("connections")? {
        Parameter::Number(connections) => Some(*connections),
        Parameter::Word(_) => None,
    }
}

/// So many connections, in words.
pub(super) fn say(connections: f64) -> String {
    format!("{} connection{}", number(connections), if connections == 1.0 { "" } else { "s" })
}
