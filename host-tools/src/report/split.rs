//! Who has the time of a boot: QEMU, the firmware, the loader, the kernel, and the first request.

use super::input::Entry;
use super::number::{brief, quantity};
use super::picture::{Picture, Row};
use super::plot::{Bar, Bars, Group};
use crate::results::{Series, Unit};
use crate::split::of_share;

/// A part of a boot: its time, and its share of the whole.
struct Part<'a> {
    took: &'a Series,
    share: &'a Series,
}

impl Part<'_> {
    fn percent(&self) -> f64 {
        self.share.summary.median * 100.0
    }
}

/// The parts of a boot as bars; `None` if the result has none.
pub(super) fn picture<'a>(entry: &'a Entry) -> Option<Picture<'a>> {
    let parts = parts(entry);
    let most = parts.iter().max_by(|one, other| one.percent().total_cmp(&other.percent()))?;
    let bar = |(colour, part): (usize, &Part<'_>)| {
        let summary = part.took.summary;
        let share = format!("{} ({:.1} %)", quantity(summary.median, Unit::Milliseconds), part.percent());
        Bar { label: part.took.name.clone(), colour, median: summary.median, interval: summary.interval, text: share }
    };
    let bars = parts.iter().enumerate().map(bar).collect();
    let row = |series: &'a Series| Row { label: series.name.clone(), series };
    Some(Picture {
        title: format!("Who has the time of a boot: {} has {} % of it", most.took.name, brief(most.percent())),
        caption: "From starting QEMU to the first byte of the first answer, part after part: QEMU until it lets the processor \
                  go, the firmware until the loader’s first instruction, the loader until the image’s page tables are in use, the \
                  kernel until it listens, and the first request. Medians; shares are of each boot’s own whole."
            .to_owned(),
        plot: Box::new(Bars { groups: vec![Group { title: String::new(), bars }], unit: "ms".to_owned() }),
        legend: Vec::new(),
        words: Vec::new(),
        rows: parts.iter().flat_map(|part| [row(part.took), row(part.share)]).collect(),
    })
}

/// The parts of a boot, in their order.
fn parts<'a>(entry: &'a Entry) -> Vec<Part<'a>> {
    let record = &entry.record;
    let part = |share: &'a Series| {
        let took = record.series(of_share(&share.name)?)?;
        Some(Part { took, share })
    };
    record.series.iter().filter_map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::super::samples::{boot, entry};
    use super::*;

    #[test]
    fn the_part_with_the_most_is_named_and_each_has_its_share() {
        let entry = entry(boot());
        let picture = picture(&entry).expect("it has parts");
        assert_eq!(picture.title, "Who has the time of a boot: QEMU's start has 57.4 % of it");
        let rows: Vec<_> = picture.rows.iter().map(|row| row.label.as_str()).collect();
        assert_eq!(rows[..4], ["QEMU's start", "share of QEMU's start", "firmware", "share of firmware"]);
    }
}
