//! How figures came about: what they include, where they were measured, and the commands that repeat it.

use maud::{Markup, html};

use super::input::{Entry, revision};
use super::meaning::meaning;
use super::vary::named;
use crate::results::{Benchmark, Environment, Host};

/// All of it, of one section.
pub(super) fn render(entries: &[&Entry]) -> Markup {
    let entries: Vec<_> = entries.iter().filter(|entry| !entry.record.series.is_empty()).copied().collect();
    let entries = entries.as_slice();
    html! {
        (meanings(entries))
        (notes(entries))
        (environments(entries))
        (commands(entries))
    }
}

/// What each number includes.
fn meanings(entries: &[&Entry]) -> Markup {
    let series =
        entries.iter().flat_map(|entry| entry.record.series.iter().map(|series| (entry.record.benchmark, series)));
    let named = series
        .filter_map(|(benchmark, series)| Some((series.name.clone(), meaning(benchmark, &series.name)?.to_owned())));
    let named = distinct(named);
    html! {
        @if !named.is_empty() {
            details { summary { "What each number includes" } dl {
                @for (name, words) in named { dt { (name) } dd { (words) "." } }
            } }
        }
    }
}

/// What has to be known of the systems.
fn notes(entries: &[&Entry]) -> Markup {
    let notes = entries.iter().flat_map(|entry| entry.record.notes.iter().map(|note| (entry.who(), note.clone())));
    let notes = distinct(notes);
    html! {
        @if !notes.is_empty() {
            details { summary { "Notes" } ul { @for (who, note) in notes { li { b { (who) } ": " (note) } } } }
        }
    }
}

/// Every field of each environment, once.
fn environments(entries: &[&Entry]) -> Markup {
    let mut environments: Vec<(Vec<String>, &Entry)> = Vec::new();
    for entry in entries {
        match environments.iter_mut().find(|(_, other)| other.record.environment == entry.record.environment) {
            Some((who, _)) if who.contains(&entry.who()) => {}
            Some((who, _)) => who.push(entry.who()),
            None => environments.push((vec![entry.who()], entry)),
        }
    }
    html! {
        details { summary { "Where and with what it was measured" }
            @for (who, entry) in environments {
                h4 { (who.join(", ")) }
                div.scroll { table.fields { tbody {
                    @for (field, value) in fields(entry) { tr { th { (field) } td { (value) } } }
                } } }
            }
        }
    }
}

fn fields(entry: &Entry) -> Vec<(&'static str, String)> {
    let Environment { git: _, image, machine, qemu, line, accelerator, accelerator_reason, host } =
        &entry.record.environment;
    let mut fields = vec![
        ("source", revision(&entry.record)),
        ("image", format!("{}, {} bytes", image.name, image.bytes)),
        ("image’s SHA-256", image.sha256.clone()),
        ("machine", machine.clone()),
        ("QEMU", qemu.clone()),
        ("accelerator", format!("{accelerator}: {accelerator_reason}")),
        ("command line", line.clone()),
    ];
    if let Some(Host { cpu, cores, kernel, governor, tsc_hz, load_before, load_after, date }) = host {
        let load = |load: &[f64; 3]| load.map(|load| format!("{load:.2}")).join(", ");
        fields.extend([
            ("processor", format!("{cpu}, {cores} cores")),
            ("host’s kernel", kernel.clone()),
            ("governor", governor.clone().unwrap_or_else(|| "none that Linux tells".to_owned())),
            ("TSC", tsc_hz.map_or_else(|| "not steady".to_owned(), |hz| format!("{:.3} MHz", hz as f64 / 1e6))),
            ("load average before", format!("{} (1, 5, 15 minutes)", load(load_before))),
            ("load average after", load(load_after)),
            ("date", date.clone()),
        ]);
    } else {
        fields.push(("host", "any: instructions were counted, which are the same everywhere".to_owned()));
    }
    fields
}

/// What makes the figures again, and with what parameters they were made.
fn commands(entries: &[&Entry]) -> Markup {
    let commands = distinct(entries.iter().map(|entry| (entry.record.command.clone(), ())));
    let parameters = entries.iter().map(|entry| {
        let warmup = match entry.record.warmup {
            0 => String::new(),
            runs => format!(" ({runs} not counted before)"),
        };
        (format!("{}{warmup}", describe(entry)), ())
    });
    html! {
        details.printed { summary { "How to repeat it" }
            @if entries.iter().any(|entry| matches!(entry.record.benchmark, Benchmark::Boot | Benchmark::Load)) {
                p {
                    "It takes an image, as " code { "cargo mayfly build functions/hello" } " makes one, and other systems as \
                     their notes say. " code { "make bench" } " does all that and measures everything."
                }
            }
            @for (command, ()) in commands { pre { "cargo " (command) } }
            ul.parameters { @for (parameters, ()) in distinct(parameters) { li { (parameters) } } }
        }
    }
}

/// A result's system, run and parameters.
pub(super) fn describe(entry: &Entry) -> String {
    let parameters = entry.record.parameters.iter().map(|(name, value)| named(name, value));
    std::iter::once(entry.who()).chain(parameters).collect::<Vec<_>>().join(", ")
}

/// Each once, in the order in which they come.
fn distinct<T: PartialEq>(all: impl Iterator<Item = (String, T)>) -> Vec<(String, T)> {
    let mut once = Vec::new();
    for item in all {
        if !once.contains(&item) {
            once.push(item);
        }
    }
    once
}
