//! The page: one HTML file that needs nothing else.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::input::{Entry, Input, revision};
use super::picture::{self, Picture, Row};
use super::provenance::{self, describe};
use super::vary::Vary;
use super::words::{bound, capital, list};
use super::{boot, costs, generic, load, overview};
use crate::results::{Benchmark, Host, Series};

/// How everything looks.
const STYLE: &str = include_str!("style.css");

/// Results of one benchmark, all timed or all counted.
struct Section<'a> {
    benchmark: Benchmark,
    counted: bool,
    entries: Vec<&'a Entry>,
}

/// The whole page.
pub(super) fn render(input: &Input) -> anyhow::Result<String> {
    let sections = sections(&input.entries);
    let bodies = sections.iter().map(Section::render).collect::<anyhow::Result<Vec<_>>>()?;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Mayfly, measured" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { "Mayfly, measured" }
                    p {
                        "Mayfly is a small operating system for functions: one image that QEMU boots and that answers HTTP. \
                         This page says how long that takes, where the time goes, and what requests cost."
                    }
                    p.where { (place(&input.entries)) }
                    @if let Some(why) = &input.warning { p.warning { "Not to be compared: " (why) "." } }
                    @let figures = overview::figures_that_matter(&input.entries);
                    @if !figures.is_empty() {
                        ul.figures { @for figure in figures { li { b { (bound(&figure.value)) } (figure.of) } } }
                    }
                    @let paragraphs = overview::paragraphs(&input.entries);
                    @if !paragraphs.is_empty() { div.overview { @for text in paragraphs { p { (bound(&text)) } } } }
                    nav { @for section in &sections { a href=(format!("#{}", section.id())) { (capital(&section.name())) } " " } }
                }
                main { @for body in bodies { (body) } }
                footer { p {
                    "Every figure is a median unless it says otherwise. The 95 % interval is where the medians of \
                     resamples lie (bootstrap). Outliers are counted and in every figure; none is dropped. Made by \
                     `mayfly report` from files of `mayfly bench`."
                } }
            }
        }
    };
    Ok(page.into_string())
}

/// Results by benchmark, in the order of benchmarks.
fn sections(entries: &[Entry]) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    for entry in entries {
        let (benchmark, counted) = (entry.record.benchmark, entry.counted());
        match sections.iter_mut().find(|section| (section.benchmark, section.counted) == (benchmark, counted)) {
            Some(section) => section.entries.push(entry),
            None => sections.push(Section { benchmark, counted, entries: vec![entry] }),
        }
    }
    sections.sort_by_key(|section| (section.benchmark, section.counted));
    sections
}

/// Where the first result was measured: all were, or a warning says so.
fn place(entries: &[Entry]) -> String {
    let Some(Entry { record, .. }) = entries.iter().find(|entry| !entry.counted()).or(entries.first()) else {
        return String::new();
    };
    let environment = &record.environment;
    let host = environment
        .host
        .as_ref()
        .map(|Host { cpu, cores, date, .. }| format!(" · {cpu}, {cores} cores · {}", minute(date)));
    let (host, git) = (host.unwrap_or_default(), revision(record));
    format!("QEMU {} ({}), {}{host} · source {git}", environment.qemu, environment.accelerator, environment.machine)
}

/// A date without its seconds, if it is one.
fn minute(date: &str) -> String {
    match (date.get(..10), date.get(11..16)) {
        (Some(day), Some(minute)) => format!("{day} {minute} UTC"),
        _ => date.to_owned(),
    }
}

impl Section<'_> {
    fn name(&self) -> String {
        format!("{}{}", self.benchmark.name(), if self.counted { ", in instructions" } else { "" })
    }

    fn id(&self) -> String {
        format!("{}{}", self.benchmark.name(), if self.counted { "-counted" } else { "" })
    }

    /// What it is about, in a few words.
    fn subject(&self) -> &'static str {
        match self.benchmark {
            Benchmark::Boot => "from nothing to an answer",
            Benchmark::Load => "many requests at once",
            Benchmark::Cold => "a function’s first request",
            Benchmark::Warm => "what a function adds",
            Benchmark::Density => "functions in memory",
            Benchmark::Scale => "what grows with what",
            Benchmark::Isolation => "holding functions apart",
        }
    }

    /// What it is about.
    fn intro(&self) -> &'static str {
        match self.benchmark {
            Benchmark::Boot if self.counted => {
                "Guest instructions from phase to phase of a boot, of its first request and of a later one: the same in every \
                 run, on every host."
            }
            Benchmark::Boot => "From starting QEMU to the first response.",
            Benchmark::Load => "Keep-alive connections, each of which asks again as soon as it is answered.",
            Benchmark::Cold => {
                "The first request of a function that was never used, beside its second, by how many functions are in the \
                 image and by how long their programs are."
            }
            Benchmark::Warm => {
                "What a function that does nothing adds to a request, beside one that the kernel answers itself."
            }
            Benchmark::Density => {
                "How many functions stay resident in how much memory. They are asked for the first time one after \
                 another, until there are more than the memory holds."
            }
            Benchmark::Scale => {
                "What a request costs as something grows. A flat line is a cost that does not grow. QEMU’s network is in \
                 the times; the instructions are the guest’s alone."
            }
            Benchmark::Isolation => "The same functions, held apart in each way there is.",
        }
    }

    /// What is in none of these pictures.
    fn rest<'a>(&'a self, pictures: &[Picture<'a>]) -> Vec<Row<'a>> {
        let shown = |series: &Series| {
            pictures.iter().flat_map(|picture| &picture.rows).any(|row| std::ptr::eq(row.series, series))
        };
        let vary = Vary::of(&self.entries);
        let all = self.entries.iter().flat_map(|entry| entry.record.series.iter().map(|series| (*entry, series)));
        all.filter(|(_, series)| !shown(series)).map(|item| generic::row(&item, &vary)).collect()
    }

    /// What was not measured, and why.
    fn without_figures(&self) -> Markup {
        let entries: Vec<_> = self.entries.iter().filter(|entry| entry.record.series.is_empty()).collect();
        let names: Vec<_> = entries.iter().map(|entry| describe(entry)).collect();
        html! {
            @if !entries.is_empty() {
                details.printed.absent { summary { "Not measured here: " (list(&names)) } ul {
                    @for note in entries.iter().flat_map(|entry| &entry.record.notes) { li { (note) "." } }
                } }
            }
        }
    }

    fn render(&self) -> anyhow::Result<Markup> {
        let measured: Vec<_> = self.entries.iter().filter(|entry| !entry.record.series.is_empty()).copied().collect();
        let pictures = match (self.benchmark, self.counted) {
            (Benchmark::Boot, false) => boot::pictures(&self.entries),
            (Benchmark::Boot, true) => boot::counted(&measured),
            (Benchmark::Load, false) => load::pictures(&measured),
            (Benchmark::Cold | Benchmark::Warm | Benchmark::Density | Benchmark::Scale, _) => {
                costs::pictures(self.benchmark, &measured)
            }
            _ => generic::pictures(&measured),
        };
        let rest = self.rest(&pictures);
        let pictures = pictures.iter().map(Picture::render).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(html! {
            section id=(self.id()) {
                h2 { (self.name()) ": " (self.subject()) }
                p { (self.intro()) }
                @for picture in pictures { (picture) }
                (self.without_figures())
                @if !rest.is_empty() { (picture::table("Other figures", &rest)) }
                (provenance::render(&self.entries))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{boot, entry, load, record, series};
    use super::*;
    use crate::results::Unit;

    /// A page with every kind of section.
    fn page() -> String {
        let mut linux = record(Benchmark::Boot, "linux", &[("path", "/hello".into())]);
        linux.series = vec![series("first response", Unit::Milliseconds, 106.0)];
        let mut osv = record(Benchmark::Boot, "osv", &[]);
        osv.notes = vec!["osv is not prepared: wait".to_owned()];
        let scale = [1_u64, 10, 100].map(|many| {
            let mut record = record(Benchmark::Scale, "mayfly", &[("functions", many.into())]);
            record.series = vec![series("request", Unit::Microseconds, 50.0)];
            record
        });
        let isolation = ["tables", "none"].map(|name| {
            let mut record = record(Benchmark::Isolation, "mayfly", &[("isolation", name.into())]);
            record.series = vec![series("request", Unit::Microseconds, 60.0)];
            record.environment.host = None;
            record
        });
        let mut loads = [load("mayfly", 1), load("linux", 1), load("mayfly", 16), load("linux", 16)];
        loads[1].notes.push("<script>alert('a peer')</script>".to_owned());
        let records = [boot(), linux, osv].into_iter().chain(loads).chain(scale).chain(isolation);
        let input = Input { entries: records.map(entry).collect(), warning: None };
        render(&input).expect("it can be drawn")
    }

    #[test]
    fn a_page_has_a_section_for_each_benchmark_with_its_pictures_and_where_they_come_from() {
        let page = page();
        for id in ["boot", "load", "scale", "isolation-counted"] {
            let (_, section) = page.split_once(&format!("<section id=\"{id}\">")).expect("there is a section");
            let (section, _) = section.split_once("</section>").expect("it ends");
            for part in [
                "<svg",
                "The table behind it",
                "Where and with what it was measured",
                "How to repeat it",
                "cargo mayfly bench",
            ] {
                assert!(section.contains(part), "{id} lacks {part}");
            }
        }
        for title in [
            "Where the time of a boot goes: 62 % of it passes before Mayfly’s first instruction",
            "How boots vary: the first byte comes 6 ms after the floor",
            "Linux takes 3.98 times as long as Mayfly to its first response",
            "Blocks of code that QEMU translated",
            "Requests answered a second: 3 times as many as Linux",
            "Latency on 16 connections: half of the answers within 333 µs (Mayfly) and 1,000 µs (Linux)",
            "Time of a request by functions",
        ] {
            let titles: Vec<_> = page.split("<h3>").skip(1).filter_map(|rest| rest.split("</h3>").next()).collect();
            let title = bound(title);
            assert!(titles.contains(&title.as_str()), "there is no {title} among {titles:#?}");
        }
        for figure in [
            "26.1 ms after QEMU was started",
            "6 ms above it",
            "Linux takes 106 ms, 3.98 times as long",
            "3,000 and 3,000",
            "<b>26.1 ms</b>from starting QEMU",
            "<b>3.98×</b>Linux’s time to its first answer",
            "<summary>Not measured here: OSv</summary><ul><li>osv is not prepared: wait.</li></ul>",
            "<dt>Linux, 3.98 times as long</dt><dd>Linux as it is.</dd>",
        ] {
            assert!(page.contains(&bound(figure)), "there is no {figure}");
        }
    }

    #[test]
    fn a_page_needs_nothing_else_and_says_what_it_is_given_without_being_it() {
        let page = page();
        let own = page.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        for foreign in ["http:", "https:", "url(", "@import", "src=", "<script", "<link"] {
            assert!(!own.contains(foreign), "{foreign}");
        }
        assert!(page.contains("&lt;script&gt;alert('a peer')"));
        assert_eq!(page, self::page(), "the same input gives the same bytes");
    }

    #[test]
    fn every_element_that_begins_ends() {
        let page = page();
        let (_, mut rest) = page.split_once("</style>").expect("there is a style");
        let mut open = vec!["html", "head"];
        while let Some((_, tag)) = rest.split_once('<') {
            let (tag, after) = tag.split_once('>').expect("a tag ends");
            match tag.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop(), Some(name)),
                None if tag.ends_with('/') => {}
                None => open.push(tag.split_whitespace().next().unwrap_or_default()),
            }
            rest = after;
        }
        assert_eq!(open, [""; 0]);
    }
}
