//! What sets results of one benchmark apart: systems, and parameters that are words or numbers.

use super::input::Entry;
use super::number::number;
use crate::results::Parameter;

/// What differs among some results.
pub(super) struct Vary {
    /// More than one system or run.
    who: bool,
    /// The number along which a line can be drawn: that with the most values.
    pub(super) along: Option<String>,
    /// The other parameters.
    others: Vec<String>,
}

impl Vary {
    /// Looks at results that have the same parameters.
    pub(super) fn of(entries: &[&Entry]) -> Self {
        let who = entries.iter().any(|entry| entry.who() != entries[0].who());
        let mut others: Vec<String> = Vec::new();
        let mut along: Option<(usize, String)> = None;
        for name in entries.first().iter().flat_map(|entry| entry.record.parameters.keys()) {
            let mut values: Vec<&Parameter> = Vec::new();
            for value in entries.iter().filter_map(|entry| entry.record.parameters.get(name)) {
                if !values.contains(&value) {
                    values.push(value);
                }
            }
            let numbers = values.iter().all(|value| matches!(value, Parameter::Number(_)));
            match &along {
                _ if values.len() < 2 => {}
                Some((most, _)) if !numbers || values.len() <= *most => others.push(name.clone()),
                None if !numbers => others.push(name.clone()),
                before => {
                    others.extend(before.iter().map(|(_, name)| name.clone()));
                    along = Some((values.len(), name.clone()));
                }
            }
        }
        Self { who, along: along.map(|(_, name)| name), others }
    }

    /// Where on the line a result is.
    pub(super) fn place(&self, entry: &Entry) -> Option<f64> {
        match entry.record.parameters.get(self.along.as_ref()?)? {
            Parameter::Number(number) => Some(*number),
            Parameter::Word(_) => None,
        }
    }

    /// What sets a result apart but for its place on the line: system, then what the benchmark is about, then the rest.
    pub(super) fn words(&self, entry: &Entry) -> Vec<String> {
        let subject = entry.record.benchmark.name();
        let values = self.others.iter().filter_map(|name| entry.record.parameters.get_key_value(name));
        let (own, others): (Vec<_>, Vec<_>) = values.partition(|(name, _)| *name == subject);
        let own = own.into_iter().map(|(_, value)| show(value));
        let others = others.into_iter().map(|(name, value)| named(name, value));
        self.who.then(|| entry.who()).into_iter().chain(own).chain(others).collect()
    }

    /// All that sets a result apart, part by part.
    pub(super) fn parts(&self, entry: &Entry) -> Vec<String> {
        let along = self.along.as_ref().and_then(|name| Some(named(name, entry.record.parameters.get(name)?)));
        self.words(entry).into_iter().chain(along).collect()
    }

    /// All that sets a result apart.
    pub(super) fn label(&self, entry: &Entry) -> String {
        self.parts(entry).join(", ")
    }
}

/// A parameter with its value.
pub(super) fn named(name: &str, value: &Parameter) -> String {
    match value {
        Parameter::Number(number) => format!("{name} = {}", self::number(*number)),
        Parameter::Word(word) => format!("{name} {word}"),
    }
}

fn show(value: &Parameter) -> String {
    match value {
        Parameter::Number(value) => number(*value),
        Parameter::Word(word) => word.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{entry, load};
    use super::*;

    #[test]
    fn a_line_is_drawn_along_the_number_with_the_most_values() {
        let mut entries = [load("mayfly", 1), load("linux", 16), load("linux", 128)].map(entry);
        entries[2].record.parameters.insert("seconds".to_owned(), 5_u64.into());
        let entries: Vec<_> = entries.iter().collect();
        let vary = Vary::of(&entries);
        assert_eq!(vary.along.as_deref(), Some("connections"));
        assert_eq!(vary.place(entries[1]), Some(16.0));
        assert_eq!(vary.label(entries[2]), "Linux, seconds = 5, connections = 128");
    }

    #[test]
    fn what_is_the_same_everywhere_is_not_said() {
        let entries = [load("mayfly", 1), load("mayfly", 16)].map(entry);
        let entries: Vec<_> = entries.iter().collect();
        assert_eq!(Vary::of(&entries).label(entries[0]), "connections = 1");
        assert_eq!(Vary::of(&entries[..1]).label(entries[0]), "");
    }
}
