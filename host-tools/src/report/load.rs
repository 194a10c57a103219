//! The section of load: requests a second and latencies, by the number of connections.

use super::generic::{self, Item};
use super::input::Entry;
use super::number::number;
use super::picture::Picture;
use super::vary::Vary;
use crate::results::Parameter;

/// Pictures of load.
pub(super) fn pictures<'a>(entries: &[&'a Entry]) -> Vec<Picture<'a>> {
    let vary = Vary::of(entries);
    let of = |entries: &[&'a Entry], name: &str| -> Vec<Item<'a>> {
        entries.iter().filter_map(|entry| Some((*entry, entry.record.series(name)?))).collect()
    };
    let mut pictures = Vec::new();
    let requests = of(entries, "requests");
    pictures.extend(generic::bars("Requests answered a second", &requests, &vary));
    for connections in connections(entries) {
        let alike: Vec<_> = entries.iter().filter(|entry| self::of(entry) == Some(connections)).copied().collect();
        let title = format!("latency on {}", say(connections));
        pictures.extend(generic::distribution(&title, &of(&alike, "latency"), &Vary::of(&alike)));
    }
    pictures
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
