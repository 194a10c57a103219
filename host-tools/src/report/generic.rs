//! Pictures of any benchmark: lines along a number that varies, or else bars; and distributions where there are values enough.

use super::input::Entry;
use super::number::{quantity, unit};
use super::picture::{Picture, Row};
use super::plot::{Bar, Bars, COLOURS, Curve, Distribution, Group, Growth, Point, Sample};
use super::vary::Vary;
use crate::results::{Series, Summary, Unit};

/// As few values say little about how they are distributed.
const DISTRIBUTED: usize = 20;

/// A series, and the result that it is of.
pub(super) type Item<'a> = (&'a Entry, &'a Series);

/// Pictures of these results, and what is not in one.
pub(super) fn pictures<'a>(entries: &[&'a Entry]) -> (Vec<Picture<'a>>, Vec<Row<'a>>) {
    let (mut pictures, mut rows) = (Vec::new(), Vec::new());
    for alike in alike(entries) {
        let vary = Vary::of(&alike);
        let names = names(&alike);
        let mut own = |items: &[Item<'a>], picture: Option<Picture<'a>>| match picture {
            Some(picture) => pictures.push(picture),
            None => rows.extend(items.iter().map(|item| row(item, &vary))),
        };
        if let Some(along) = &vary.along {
            for items in of_one_unit(&alike, &names, &vary) {
                own(&items, lines(&items, &vary, along));
            }
        } else {
            for &name in &names {
                let items = items(&alike, name);
                own(&items, bars(name.0, &items, &vary));
            }
        }
        for name in names {
            pictures.extend(distribution(name.0, &items(&alike, name), &vary));
        }
    }
    (pictures, rows)
}

/// The results by the names of their parameters.
fn alike<'a>(entries: &[&'a Entry]) -> Vec<Vec<&'a Entry>> {
    let mut alike: Vec<Vec<&Entry>> = Vec::new();
    for entry in entries {
        let same = |other: &&Entry| other.record.parameters.keys().eq(entry.record.parameters.keys());
        match alike.iter_mut().find(|group| group.first().is_some_and(same)) {
            Some(group) => group.push(entry),
            None => alike.push(vec![entry]),
        }
    }
    alike
}

/// What is measured, by name and unit, in the order in which it first appears.
fn names<'a>(entries: &[&'a Entry]) -> Vec<(&'a str, Unit)> {
    let mut names = Vec::new();
    for series in entries.iter().flat_map(|entry| &entry.record.series) {
        let name = (series.name.as_str(), series.unit);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn items<'a>(entries: &[&'a Entry], (name, unit): (&str, Unit)) -> Vec<Item<'a>> {
    let of = |entry: &&'a Entry| Some((*entry, entry.record.series(name).filter(|series| series.unit == unit)?));
    entries.iter().filter_map(of).collect()
}

/// All figures of a unit together, or one by one if there would be too many lines.
fn of_one_unit<'a>(entries: &[&'a Entry], names: &[(&str, Unit)], vary: &Vary) -> Vec<Vec<Item<'a>>> {
    let mut together: Vec<Vec<Item<'a>>> = Vec::new();
    for (at, &(_, unit)) in names.iter().enumerate() {
        if names[..at].iter().any(|(_, before)| *before == unit) {
            continue;
        }
        let single: Vec<_> = names.iter().filter(|name| name.1 == unit).map(|name| items(entries, *name)).collect();
        let all = single.concat();
        if labels(&all, vary).len() <= COLOURS { together.push(all) } else { together.extend(single) }
    }
    together
}

/// What the lines of these figures are called, in the order in which they first appear.
fn labels(items: &[Item<'_>], vary: &Vary) -> Vec<String> {
    let mut labels = Vec::new();
    for item in items {
        let label = line_label(item, vary);
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    labels
}

fn line_label((entry, series): &Item<'_>, vary: &Vary) -> String {
    join(&series.name, &vary.words(entry).join(", "))
}

fn join(name: &str, rest: &str) -> String {
    if rest.is_empty() { name.to_owned() } else { format!("{name}: {rest}") }
}

/// A figure's row in a table.
pub(super) fn row<'a>(&(entry, series): &Item<'a>, vary: &Vary) -> Row<'a> {
    Row { label: join(&series.name, &vary.label(entry)), series }
}

/// Lines along a number; `None` if there is but one point on each, or nothing but zeros.
fn lines<'a>(items: &[Item<'a>], vary: &Vary, along: &str) -> Option<Picture<'a>> {
    let mut legend = Vec::new();
    let mut curves = Vec::new();
    for label in labels(items, vary) {
        let of = items.iter().filter(|item| line_label(item, vary) == label);
        let mut points: Vec<_> = of.filter_map(|(entry, series)| Some(point(vary.place(entry)?, series))).collect();
        points.sort_by(|one, two| one.x.total_cmp(&two.x));
        if points.len() > 1 && points.iter().any(|point| point.median != 0.0) {
            let colour = curves.len();
            legend.push((colour, label));
            curves.push(Curve { colour, points });
        }
    }
    let (_, first) = items.first()?;
    let names: Vec<_> = legend.iter().map(|(_, label)| label.split(": ").next().unwrap_or(label)).collect();
    let same = names.iter().all(|name| name == names.first().unwrap_or(name));
    let title = if same { names.first()?.to_string() } else { unit(first.unit).to_owned() };
    (!curves.is_empty()).then(|| Picture {
        title: format!("{title} by {along}"),
        caption: "Each mark is a median; the band around a line is its 95 % interval.".to_owned(),
        plot: Box::new(Growth { curves, parameter: along.to_owned(), unit: unit(first.unit).to_owned() }),
        legend,
        rows: items.iter().map(|item| row(item, vary)).collect(),
    })
}

fn point(x: f64, series: &Series) -> Point {
    Point { x, median: series.summary.median, interval: series.summary.interval }
}

/// Bars side by side, labelled by what sets the results apart; `None` if there is nothing to compare.
pub(super) fn bars<'a>(title: &str, items: &[Item<'a>], vary: &Vary) -> Option<Picture<'a>> {
    bars_of(title, items, vary, |item| vary.parts(item.0))
}

/// Bars side by side, labelled by the names of the figures; `None` if there is nothing to compare.
pub(super) fn bars_by_name<'a>(title: &str, items: &[Item<'a>], vary: &Vary) -> Option<Picture<'a>> {
    bars_of(title, items, vary, |(entry, series)| [vec![series.name.clone()], vary.parts(entry)].concat())
}

/// `parts`: a bar's label, and what its group is called.
fn bars_of<'a>(
    title: &str,
    items: &[Item<'a>],
    vary: &Vary,
    parts: impl Fn(&Item<'a>) -> Vec<String>,
) -> Option<Picture<'a>> {
    if items.len() < 2 || items.iter().all(|(_, series)| series.summary.max == 0.0) {
        return None;
    }
    let mut groups: Vec<Group> = Vec::new();
    let mut colours: Vec<String> = Vec::new();
    for item in items {
        let mut parts = parts(item).into_iter();
        let (series, label) = (item.1, parts.next().unwrap_or_else(|| item.1.name.clone()));
        let colour = colours.iter().position(|known| *known == label).unwrap_or_else(|| {
            colours.push(label.clone());
            colours.len() - 1
        });
        let Summary { median, interval, .. } = series.summary;
        let bar = Bar { label, colour, median, interval, text: quantity(median, series.unit) };
        let title = parts.collect::<Vec<_>>().join(", ");
        match groups.iter_mut().find(|group| group.title == title) {
            Some(group) => group.bars.push(bar),
            None => groups.push(Group { title, bars: vec![bar] }),
        }
    }
    let (_, first) = items.first()?;
    Some(Picture {
        title: title.to_owned(),
        caption: "Each bar is a median; the thin line at its end is its 95 % interval.".to_owned(),
        plot: Box::new(Bars { groups, unit: unit(first.unit).to_owned() }),
        legend: Vec::new(),
        rows: items.iter().map(|item| row(item, vary)).collect(),
    })
}

/// How the values are distributed; `None` if there are too few. Of many, some are shown from the first to the last.
pub(super) fn distribution<'a>(title: &str, items: &[Item<'a>], vary: &Vary) -> Option<Picture<'a>> {
    let enough: Vec<_> = items.iter().filter(|(_, series)| series.values.len() >= DISTRIBUTED).collect();
    let shown: Vec<&Item<'a>> = match enough.len() {
        0 => return None,
        many if many > COLOURS => (0..COLOURS).map(|at| enough[at * (many - 1) / (COLOURS - 1)]).collect(),
        _ => enough,
    };
    let label = |item: &Item<'a>| {
        let label = vary.label(item.0);
        if label.is_empty() { item.1.name.clone() } else { label }
    };
    let samples = shown.iter().enumerate().map(|(colour, (_, series))| Sample { colour, values: &series.values });
    let (_, first) = shown.first()?;
    Some(Picture {
        title: format!("How {title} is distributed"),
        caption: "The further left a line, the less; where it is steep, many values lie.".to_owned(),
        plot: Box::new(Distribution { samples: samples.collect(), unit: unit(first.unit).to_owned() }),
        legend: shown.iter().map(|item| label(item)).enumerate().collect(),
        rows: shown.iter().map(|item| row(item, vary)).collect(),
    })
}
