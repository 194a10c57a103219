//! The section of boots: where the time goes, how it varies, and how long others take.

use super::generic::{self, Item};
use super::input::Entry;
use super::number::{number, quantity};
use super::phases::{GUEST, HOST, Phases, first_response};
use super::picture::{Picture, Row};
use super::plot::{Distribution, Sample, Waterfall};
use super::vary::Vary;

/// Pictures of boots, and what is not in one.
pub(super) fn pictures<'a>(entries: &[&'a Entry]) -> (Vec<Picture<'a>>, Vec<Row<'a>>) {
    let vary = Vary::of(entries);
    let of = |name: &str| -> Vec<Item<'a>> {
        entries.iter().filter_map(|entry| Some((*entry, entry.record.series(name)?))).collect()
    };
    let mut pictures = Vec::new();
    for phases in entries.iter().filter_map(|entry| Phases::of(entry)) {
        let label = vary.label(phases.entry);
        pictures.push(waterfall(&phases, &label));
        pictures.extend(distribution(&phases, &label));
    }
    let responses: Vec<_> = entries.iter().filter_map(|entry| Some((*entry, first_response(&entry.record)?))).collect();
    pictures.extend(generic::bars("From starting the system to its whole first response", &responses, &vary));
    let blocks = [of("blocks of the firmware"), of("blocks until the first response")].concat();
    pictures.extend(generic::bars_by_name("Blocks of code that QEMU translated", &blocks, &vary).map(|picture| Picture {
        caption: "Under TCG most of a boot is translation: each block of guest code is turned into host code when it first runs. \
                  Fewer different blocks, a shorter boot."
            .to_owned(),
        ..picture
    }));
    let checks = ["sum of the parts", "uncertainty of guest times"].map(of).concat();
    (pictures, checks.iter().map(|item| generic::row(item, &vary)).collect())
}

/// The steps on one axis.
fn waterfall<'a>(phases: &Phases<'a>, label: &str) -> Picture<'a> {
    let floor = phases.floor.map(|floor| floor.summary.median);
    let sum = phases.unaccounted().map_or_else(String::new, |share| {
        format!(" Checked by adding up parts that were measured separately: they differ from the whole by {} %.", number(share * 100.0))
    });
    let caption = format!(
        "Each bar begins where the one above it ends, and ends when what its name says was reached: medians of {} boots.{}{sum}",
        number(phases.first_byte.summary.count as f64),
        floor.map_or("", |_| " The dashed line is the floor: an empty guest reaches its first instruction there, and no kernel can be faster."),
    );
    let events = phases.entry.record.series.iter().filter(|series| series.side.is_some()).chain(phases.floor);
    Picture {
        title: with("Where the time of a boot goes", label),
        caption,
        plot: Box::new(Waterfall { steps: phases.steps.clone(), floor }),
        legend: vec![(GUEST, "in the guest: Mayfly".to_owned()), (HOST, "on the host: QEMU, its network, the client".to_owned())],
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
                "Boot by boot, the first byte comes {} after the floor (median, 95 % interval {} … {} ms).",
                quantity(above.median, floor.unit),
                number(above.interval[0]),
                number(above.interval[1]),
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
