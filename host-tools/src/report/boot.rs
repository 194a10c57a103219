//! The section of boots: where the time goes, how it varies, and how long others take.

use super::generic::{self, Item};
use super::input::Entry;
use super::meaning::doing;
use super::number::{brief, interval, number, quantity};
use super::phases::{GUEST, HOST, Phases, first_response};
use super::picture::{Picture, Row};
use super::plot::{Distribution, Sample, Waterfall};
use super::split;
use super::vary::Vary;
use super::words::{MAYFLY, capital, list};
use crate::results::{Parameter, Series, Unit};

/// Pictures of boots.
pub(super) fn pictures<'a>(entries: &[&'a Entry]) -> Vec<Picture<'a>> {
    let boots: Vec<_> = entries.iter().filter_map(|entry| Phases::of(entry)).collect();
    let own: Vec<_> = boots.iter().map(|phases| phases.entry).collect();
    let vary = Vary::of(&own);
    let mut pictures: Vec<_> = boots.iter().map(|phases| waterfall(phases, &vary.label(phases.entry))).collect();
    for phases in &boots {
        let picture = split::picture(phases.entry);
        pictures.extend(
            picture.map(|picture| Picture { title: with(&picture.title, &vary.label(phases.entry)), ..picture }),
        );
    }
    pictures.extend(comparison(entries));
    pictures.extend(boots.iter().filter_map(|phases| distribution(phases, &vary.label(phases.entry))));
    let blocks = generic::named(&own, &["blocks of the firmware", "blocks until the first response"]);
    let caption = "Under TCG most of a boot is translation: each block of guest code is turned into host code when it first \
                   runs. The fewer different blocks, the shorter the boot.";
    let picture = generic::bars_by_name("Blocks of code that QEMU translated", &blocks, &vary);
    pictures.extend(picture.map(|picture| Picture { caption: caption.to_owned(), ..picture }));
    pictures
}

/// Pictures of counted boots: for each part of each its phases, and what else was counted of all.
pub(super) fn counted<'a>(entries: &[&'a Entry]) -> Vec<Picture<'a>> {
    let of = |entry: &'a Entry, counted: fn(&Series) -> bool| -> Vec<Item<'a>> {
        entry.record.series.iter().filter(|series| counted(series)).map(|series| (entry, series)).collect()
    };
    let phases = entries.iter().filter_map(|entry| {
        let Some(Parameter::Word(part)) = entry.record.parameters.get("part") else { return None };
        let total = quantity(entry.record.series("total")?.summary.median, Unit::Instructions);
        let title = format!("{}, {part}: {total}, phase by phase", entry.who());
        let items = of(entry, |series| series.unit == Unit::Instructions && series.name != "total");
        generic::bars_by_name(&title, &items, &Vary::of(&[entry]))
    });
    let others: Vec<_> = entries.iter().flat_map(|entry| of(entry, |series| series.unit == Unit::Count)).collect();
    phases
        .chain(generic::bars_by_name(
            "What else is counted: under TCG, time follows these",
            &others,
            &Vary::of(entries),
        ))
        .collect()
}

/// All systems side by side, by the same clock.
fn comparison<'a>(entries: &[&'a Entry]) -> Option<Picture<'a>> {
    let mut systems: Vec<_> =
        entries.iter().filter_map(|entry| Some((*entry, first_response(&entry.record)?))).collect();
    systems.sort_by(|(_, one), (_, two)| one.summary.median.total_cmp(&two.summary.median));
    let own = systems.iter().find(|(entry, _)| entry.record.system == MAYFLY);
    let times = |series: &Series| own.map(|(_, own)| series.summary.median / own.summary.median);
    let others: Vec<_> = systems.iter().filter(|(entry, _)| entry.record.system != MAYFLY).collect();
    let title = match (own, others.as_slice()) {
        (Some((own, _)), [(other, series)]) => format!(
            "{} takes {} times as long as {} to its first response",
            other.who(),
            brief(times(series)?),
            own.who()
        ),
        (Some((own, _)), [(_, least), .., (_, most)]) => format!(
            "Others take {} to {} times as long as {} to their first response",
            brief(times(least)?),
            brief(times(most)?),
            own.who()
        ),
        _ => "From starting a system to its whole first response".to_owned(),
    };
    let names: Vec<_> = systems.iter().map(|(entry, _)| entry.who()).collect();
    // The first note of a boot says what its time holds.
    let words = systems.iter().filter_map(|(entry, series)| {
        let much = times(series).filter(|_| entry.record.system != MAYFLY);
        let much = much.map_or_else(String::new, |times| format!(", {} times as long", brief(times)));
        Some((format!("{}{much}", entry.who()), capital(entry.record.notes.first()?)))
    });
    let mut words: Vec<_> = words.collect();
    let absent: Vec<_> =
        entries.iter().filter(|entry| entry.record.series.is_empty()).map(|entry| entry.who()).collect();
    if !absent.is_empty() {
        words.push((
            "Not measured here".to_owned(),
            format!("{}; why, and what it takes, is said below", list(&absent)),
        ));
    }
    let picture = generic::bars_by_system(
        &title,
        &systems,
        &Vary::of(&systems.iter().map(|(entry, _)| *entry).collect::<Vec<_>>()),
    )?;
    Some(Picture {
        caption: format!(
            "From spawning a system’s process to the last byte of its first answer, with {} in turn, by one clock. {}",
            list(&names),
            picture.caption
        ),
        words,
        ..picture
    })
}

/// The steps on one axis.
fn waterfall<'a>(phases: &Phases<'a>, label: &str) -> Picture<'a> {
    let floor = phases.floor.map(|floor| floor.summary.median);
    let sum = phases.unaccounted().map_or_else(String::new, |share| {
        format!(
            " Checked by adding up parts that were measured separately: they differ from the whole by {} %.",
            brief(share * 100.0)
        )
    });
    let title = match phases.before_guest() {
        Some(share) => format!(
            "Where the time of a boot goes: {:.0} % of it passes before Mayfly’s first instruction",
            share * 100.0
        ),
        None => "Where the time of a boot goes".to_owned(),
    };
    let caption = format!(
        "Each bar begins where the one above it ends, and ends when that is done: medians of {} \
         boots.{}{sum}",
        number(phases.first_byte.summary.count as f64),
        floor.map_or("", |_| " The dashed line is the floor: an empty guest reaches its first instruction there, \
            and no kernel can be faster. It is the median of boots of its own, so that Mayfly’s may lie a little before it."),
    );
    let row = |series: &'a Series| {
        let words = doing(&series.name).map_or_else(String::new, |words| format!(": {words}"));
        Row { label: format!("{}{words}", series.name), series }
    };
    let events = phases.entry.record.series.iter().filter(|series| series.side.is_some()).chain(phases.floor);
    Picture {
        title: with(&title, label),
        caption,
        plot: Box::new(Waterfall { steps: phases.steps.clone(), floor }),
        legend: vec![(GUEST, "Mayfly".to_owned()), (HOST, "QEMU, its firmware, its network and the client".to_owned())],
        words: Vec::new(),
        rows: events.map(row).collect(),
    }
}

/// First byte and floor.
fn distribution<'a>(phases: &Phases<'a>, label: &str) -> Option<Picture<'a>> {
    let floor = phases.floor?;
    let both = [phases.first_byte, floor];
    let above = phases.above_floor();
    let title = match above {
        Some(above) => {
            format!("How boots vary: the first byte comes {} after the floor", quantity(above.median, floor.unit))
        }
        None => "How boots vary".to_owned(),
    };
    let samples = both.iter().enumerate().map(|(colour, series)| Sample { colour, values: &series.values }).collect();
    Some(Picture {
        title: with(&title, label),
        caption: above.map_or_else(String::new, |above| {
            format!(
                "Boot by boot, the first byte comes {} after the floor (median, 95 % interval {} ms).",
                quantity(above.median, floor.unit),
                interval(&above),
            )
        }),
        plot: Box::new(Distribution { samples, unit: "ms since QEMU was started".to_owned() }),
        legend: both.iter().map(|series| series.name.clone()).enumerate().collect(),
        words: Vec::new(),
        rows: both.into_iter().map(|series| Row { label: series.name.clone(), series }).collect(),
    })
}

fn with(title: &str, label: &str) -> String {
    if label.is_empty() { title.to_owned() } else { format!("{title}: {label}") }
}
