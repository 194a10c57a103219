//! A picture on the page, with the table behind it.

use maud::{Markup, PreEscaped, html};

use super::number::{number, unit};
use super::plot::{self, Plot, Width};
use super::words::bound;
use crate::results::{Series, Summary};

/// A row of the table behind a picture.
pub(super) struct Row<'a> {
    /// What it is of.
    pub(super) label: String,
    pub(super) series: &'a Series,
}

/// A title, what there is to be seen, the picture, what its colours mean, and the table behind it.
pub(super) struct Picture<'a> {
    pub(super) title: String,
    pub(super) caption: String,
    pub(super) plot: Box<dyn Plot + 'a>,
    /// Colours and what they mean. Empty if the picture says it.
    pub(super) legend: Vec<(usize, String)>,
    /// What has to be known to read it, name by name.
    pub(super) words: Vec<(String, String)>,
    pub(super) rows: Vec<Row<'a>>,
}

impl Picture<'_> {
    /// The picture as HTML.
    pub(super) fn render(&self) -> anyhow::Result<Markup> {
        let wide = plot::svg(&*self.plot, Width::Wide)?;
        let narrow = plot::svg(&*self.plot, Width::Narrow)?;
        Ok(html! {
            figure {
                div.whole {
                    h3 { (bound(&self.title)) }
                    @if !self.caption.is_empty() { p.caption { (bound(&self.caption)) } }
                    @if !self.legend.is_empty() { (legend(&self.legend)) }
                    div.wide role="img" aria-label=(self.title) { (PreEscaped(wide)) }
                    div.narrow role="img" aria-label=(self.title) { (PreEscaped(narrow)) }
                }
                @if !self.words.is_empty() {
                    dl.words { @for (name, words) in &self.words { dt { (name) } dd { (words) "." } } }
                }
                (table("The table behind it", &self.rows))
            }
        })
    }
}

fn legend(entries: &[(usize, String)]) -> Markup {
    html! {
        ul.legend {
            @for (colour, label) in entries {
                li { i class=(format!("c{}", colour % plot::COLOURS)) {} (label) }
            }
        }
    }
}

/// All figures of these rows, folded up below `title`.
pub(super) fn table(title: &str, rows: &[Row<'_>]) -> Markup {
    html! {
        details {
            summary { (title) }
            div.scroll { table {
                thead { tr {
                    th { "" } th { "unit" } th { "values" } th { "min" } th { "median" } th { "95 % interval" }
                    th { "p95" } th { "p99" } th { "max" } th { "outliers" }
                } }
                tbody {
                    @for Row { label, series } in rows {
                        @let Summary { count, min, median, interval: [low, high], p95, p99, max, outliers, .. } = series.summary;
                        tr {
                            th { (label) } td { (unit(series.unit)) } td { (number(count as f64)) } td { (number(min)) }
                            td { (number(median)) } td { (number(low)) " … " (number(high)) } td { (number(p95)) }
                            td { (number(p99)) } td { (number(max)) } td { (number(outliers as f64)) }
                        }
                    }
                }
            } }
        }
    }
}
