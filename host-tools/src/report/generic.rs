//! Pictures of any benchmark: lines along a number that varies, or else bars; and distributions where there are values enough.

use super::input::Entry;
use super::number::{brief, unit};
use super::picture::{Picture, Row};
use super::plot::{Along, Bar, Bars, COLOURS, Curve, Distribution, Group, Growth, Point, Sample};
use super::vary::Vary;
use crate::results::{Series, Summary, Unit};

/// As few values say little about how they are distributed.
const DISTRIBUTED: usize = 20;

/// Of lines in one picture none is so many times as high as another.
const SEEN: f64 = 20.0;
/// So many figures are named in a title.
const NAMED: usize = 3;

/// A series, and the result that it is of.
pub(super) type Item<'a> = (&'a Entry, &'a Series);

/// Pictures of these results.
pub(super) fn pictures<'a>(entries: &[&'a Entry]) -> Vec<Picture<'a>> {
    alike(entries).iter().flat_map(|alike| pictures_of_alike(alike)).collect()
}

/// Pictures of results that have the same parameters.
pub(super) fn pictures_of_alike<'a>(entries: &[&'a Entry]) -> Vec<Picture<'a>> {
    let vary = Vary::of(entries);
    let names = names(entries);
    let mut pictures = Vec::new();
    if let Some(along) = &vary.along {
        let units = of_one_unit(entries, &names, &vary);
        pictures.extend(units.iter().filter_map(|items| lines(&title(items), items, &vary, along, Along::Itself)));
    } else if let [_] = entries {
        let units = of_one_unit(entries, &names, &vary);
        pictures.extend(units.iter().filter_map(|items| bars_by_name(&title(items), items, &vary)));
        pictures.extend(units.iter().filter_map(|items| distribution(&title(items), items, &vary)));
        return pictures;
    } else {
        pictures.extend(names.iter().filter_map(|name| bars(name.0, &items(entries, *name), &vary)));
    }
    let by = vary.along.as_ref().map_or_else(String::new, |along| format!(", by {along}"));
    let distribution = |name: &(&str, Unit)| {
        let picture = distribution(name.0, &items(entries, *name), &vary)?;
        Some(Picture { title: format!("{}{by}", picture.title), ..picture })
    };
    pictures.extend(names.iter().filter_map(distribution));
    pictures
}

/// The results by the names of their parameters.
pub(super) fn alike<'a>(entries: &[&'a Entry]) -> Vec<Vec<&'a Entry>> {
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

/// The series of these names, name by name.
pub(super) fn named<'a>(entries: &[&'a Entry], names: &[&str]) -> Vec<Item<'a>> {
    let of = |name: &&str| -> Vec<Item<'a>> {
        entries.iter().filter_map(|entry| Some((*entry, entry.record.series(name)?))).collect()
    };
    names.iter().flat_map(of).collect()
}

/// All figures of a unit together; one by one if that would be too many lines, or if some would be too small to be seen.
fn of_one_unit<'a>(entries: &[&'a Entry], names: &[(&str, Unit)], vary: &Vary) -> Vec<Vec<Item<'a>>> {
    let mut together: Vec<Vec<Item<'a>>> = Vec::new();
    for (at, &(_, unit)) in names.iter().enumerate() {
        if names[..at].iter().any(|(_, before)| *before == unit) {
            continue;
        }
        let single: Vec<_> = names.iter().filter(|name| name.1 == unit).map(|name| items(entries, *name)).collect();
        let all = single.concat();
        let few = vary.along.is_none() || labels(&all, vary).len() <= COLOURS;
        let most =
            |items: &Vec<Item<'a>>| items.iter().map(|(_, series)| series.summary.median.abs()).fold(0.0, f64::max);
        let (least, greatest) =
            single.iter().map(most).fold((f64::MAX, 0.0), |(low, high), most| (most.min(low), most.max(high)));
        if few && (vary.along.is_none() || greatest <= least * SEEN) {
            together.push(all)
        } else {
            together.extend(single)
        }
    }
    together
}

/// The names of these figures, or their unit if they are many.
fn title(items: &[Item<'_>]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for (_, series) in items {
        if !names.contains(&series.name.as_str()) {
            names.push(&series.name);
        }
    }
    match items {
        [(_, first), ..] if names.len() > NAMED && first.unit == Unit::Instructions => unit(first.unit).to_owned(),
        [(_, first), ..] if names.len() > NAMED => format!("figures in {}", unit(first.unit)),
        _ => names.join(" · "),
    }
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
pub(super) fn lines<'a>(title: &str, items: &[Item<'a>], vary: &Vary, along: &str, from: Along) -> Option<Picture<'a>> {
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
    (!curves.is_empty()).then(|| Picture {
        title: format!("{title} by {along}"),
        caption: caption(items, "Each mark is a median; the band around a line is its 95 % interval."),
        plot: Box::new(Growth { curves, parameter: along.to_owned(), from, unit: unit(first.unit).to_owned() }),
        // One line is what the title says.
        legend: if legend.len() > 1 { legend } else { Vec::new() },
        words: Vec::new(),
        rows: items.iter().map(|item| row(item, vary)).collect(),
    })
}

/// `words`, if there are intervals to be seen.
fn caption(items: &[Item<'_>], words: &str) -> String {
    let exact = items.iter().all(|(_, series)| series.summary.count == 1);
    if exact { String::new() } else { words.to_owned() }
}

fn point(x: f64, series: &Series) -> Point {
    Point { x, median: series.summary.median, interval: series.summary.interval }
}

/// Bars side by side, labelled by what sets the results apart; `None` if there is nothing to compare.
pub(super) fn bars<'a>(title: &str, items: &[Item<'a>], vary: &Vary) -> Option<Picture<'a>> {
    bars_of(title, items, vary, |item| vary.parts(item.0))
}

/// Bars side by side, one for each system whatever it was asked for; `None` if there is nothing to compare.
pub(super) fn bars_by_system<'a>(title: &str, items: &[Item<'a>], vary: &Vary) -> Option<Picture<'a>> {
    bars_of(title, items, vary, |(entry, _)| vec![entry.who()])
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
        if !colours.contains(&label) {
            colours.push(label.clone());
        }
        let colour = colours.iter().position(|known| *known == label).unwrap_or(0);
        let Summary { median, interval, .. } = series.summary;
        let bar = Bar { label, colour, median, interval, text: brief(median) };
        let title = parts.collect::<Vec<_>>().join(", ");
        match groups.iter_mut().find(|group| group.title == title) {
            Some(group) => group.bars.push(bar),
            None => groups.push(Group { title, bars: vec![bar] }),
        }
    }
    if colours.len() > COLOURS {
        // No colour would say which bar it is.
        groups.iter_mut().flat_map(|group| &mut group.bars).for_each(|bar| bar.colour = 0);
    }
    let (_, first) = items.first()?;
    Some(Picture {
        title: title.to_owned(),
        caption: caption(items, "Each bar is a median; the thin line at its end is its 95 % interval."),
        plot: Box::new(Bars { groups, unit: unit(first.unit).to_owned() }),
        legend: Vec::new(),
        words: Vec::new(),
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
    let alike = shown.iter().all(|item| item.1.name == shown[0].1.name);
    let label = |item: &Item<'a>| {
        let label = vary.label(item.0);
        if alike && !label.is_empty() { label } else { join(&item.1.name, &label) }
    };
    let samples = shown.iter().enumerate().map(|(colour, (_, series))| Sample { colour, values: &series.values });
    let (_, first) = shown.first()?;
    Some(Picture {
        title: format!("How {title} is distributed"),
        caption: "The further left a line, the less; where it is steep, many values lie.".to_owned(),
        plot: Box::new(Distribution { samples: samples.collect(), unit: unit(first.unit).to_owned() }),
        legend: shown.iter().map(|item| label(item)).enumerate().collect(),
        words: Vec::new(),
        rows: shown.iter().map(|item| row(item, vary)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::samples::{entry, record, series};
    use super::*;
    use crate::results::{Benchmark, Parameter, Record};

    fn titles(records: impl IntoIterator<Item = Record>) -> Vec<String> {
        let entries: Vec<_> = records.into_iter().map(entry).collect();
        pictures(&entries.iter().collect::<Vec<_>>()).into_iter().map(|picture| picture.title).collect()
    }

    /// A result with a time that says how it is distributed, and a count that does not.
    fn with(benchmark: Benchmark, parameters: &[(&str, Parameter)]) -> Record {
        let mut record = record(benchmark, "mayfly", parameters);
        let instructions = Series::new("instructions", Unit::Instructions, vec![4000.0]).expect("a value");
        record.series = vec![series("request", Unit::Microseconds, 50.0), instructions];
        record
    }

    #[test]
    fn a_number_that_varies_gives_lines_and_each_such_number_its_own() {
        let point = |name: &str, value: u64| with(Benchmark::Scale, &[(name, value.into())]);
        assert_eq!(
            titles([point("functions", 1), point("functions", 9), point("pages", 2), point("pages", 3)]),
            [
                "request by functions",
                "instructions by functions",
                "How request is distributed, by functions",
                "request by pages",
                "instructions by pages",
                "How request is distributed, by pages",
            ]
        );
    }

    #[test]
    fn words_that_vary_give_bars_and_a_single_result_is_compared_with_itself() {
        let backend = |name: &str| with(Benchmark::Isolation, &[("isolation", name.into())]);
        assert_eq!(
            titles([backend("tables"), backend("none")]),
            ["request", "instructions", "How request is distributed"]
        );
        let mut alone = backend("tables");
        alone.series.push(series("twice", Unit::Microseconds, 100.0));
        assert_eq!(titles([alone]), ["request · twice", "How request · twice is distributed"]);
    }

    #[test]
    fn figures_of_very_different_sizes_are_in_pictures_of_their_own() {
        let point = |value: u64, other: f64| {
            let mut record = with(Benchmark::Density, &[("memory MiB", value.into())]);
            record.series = vec![series("small", Unit::Kibibytes, 20.0), series("other", Unit::Kibibytes, other)];
            record.series.iter_mut().for_each(|series| series.values.truncate(1));
            record
        };
        assert_eq!(titles([point(16, 40.0), point(32, 80.0)]), ["small · other by memory MiB"]);
        assert_eq!(titles([point(16, 4000.0), point(32, 8000.0)]), ["small by memory MiB", "other by memory MiB"]);
    }
}
