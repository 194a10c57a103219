//! The section of boots: where the time goes, how it varies, and how long others take.

use super::generic::{self, Item};
use super::input::Entry;
use super::number::{brief, interval, number, quantity};
use super::phases::{GUEST, HOST, Phases, first_response};
use super::picture::{Picture, Row};
use super::plot::{Distribution, Sample, Waterfall};
use super::vary::Vary;

/// Pictures of boots.
pub(super) fn pictures<'a>(entries: &[&'a Entry]) -> Vec<Picture<'a>> {
    let mut pictures = Vec::new();
    let boots: Vec<_> = entries.iter().filter_map(|entry| Phases::of(entry)).collect();
    let own: Vec<_> = boots.iter().map(|phases| phases.entry).collect();
    let vary = Vary::of(&own);
    for phases in &boots {
        let label = vary.label(phases.entry);
        pictures.push(waterfall(phases, &label));
        pictures.extend(distribution(phases, &label));
    }
    let responses: Vec<_> = entries.iter().filter_map(|entry| Some((*entry, first_response(&entry.record)?))).collect();
    pictures.extend(generic::bars(
        "From starting the system to its whole first response",
        &responses,
        &Vary::of(entries),
    ));
    let of = |names: &[&str]| -> Vec<Item<'a>> {
        let of =
            |name: &&str| own.iter().filter_map(|entry| Some((*entry, entry.record.series(name)?))).collect::<Vec<_>>();
        names.iter().flat_map(of).collect()
    };
    let blocks = of(&["blocks of the firmware", "blocks until the first response"]);
    pictures.extend(generic::bars_by_name("Blocks of code that QEMU translated", &blocks, &vary).map(|picture| {
        Picture {
            caption:
                "Under TCG most of a boot is translation: each block of guest code is turned into host code when it \
            first runs. \
                  The fewer different blocks, the shorter the boot."
                    .to_owned(),
            ..picture
        }
    }));
    pictures
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
    let caption = format!(
        "Each bar begins where the one above it ends, and ends when what its name says was reached: medians of {} \
         boots.{}{sum}",
        number(phases.first_byte.summary.count as f64),
        floor.map_or("", |_| " The dashed line is the floor: an empty guest reaches its first instruction there, and \
            no kernel can be faster."),
    );
    let events = phases.entry.record.series.iter().filter(|series| series.side.is_some()).chain(phases.floor);
    Picture {
        title: with("Where the time of a boot goes", label),
        caption,
        plot: Box::new(Waterfall { steps: phases.steps.clone(), floor }),
        legend: vec![(GUEST, "Mayfly".to_owned()), (HOST, "QEMU, its firmware, its network and the client".to_owned())],
        rows: events.map(|series| Row { label: series.name.clone(), series }).collect(),
    }
}

/// First byte and floor.
fn distribution<'a>(phases: &Phases<'a>, label: &str) -> Option<Picture<'a>> {
    let floor = phases.floor?;
    let both = [phases.first_byte, floor];
    let above = phases.above_floor();
    let samples = both.iter().enumerate().map(|(colour, series)| Sample { colour, values: &series.values }).collect();
    Some(Picture {
        title: with("How boots vary", label),
        caption: above.map_or_else(String::new, |above| {
            format!(
                "Boot by boot, the first byte comes {} after the floor (median, 95 % interval {} ms).",
                quantity(above.median, floor.unit),
                interval(&above),
            )
        }),
        plot: Box::new(Distribution { samples, unit: "ms since QEMU was started".to_owned() }),
        legend: both.iter().map(|series| series.name.clone()).enumerate().collect(),
        rows: both.into_iter().map(|series| Row { label: series.name.clone(), series }).collect(),
    })
}

fn with(title: &str, label: &str) -> String {
    if label.is_empty() { title.to_owned() } else { format!("{title}: {label}") }
}
