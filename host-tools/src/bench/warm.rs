//! `mayfly bench warm`: what a function that does nothing adds to a request.

use std::fmt;
use std::process::ExitCode;

use indicatif::ProgressBar;

use super::images::Images;
use super::microseconds;
use super::request::Request;
use super::server::{Server, Work};
use super::session::{Common, Session};
use crate::build::{Generated, Work as Does};
use crate::few::grouped;
use crate::results::{Benchmark, Series, Unit};

/// Pairs that are asked first on each machine and not counted.
const WARMUP: u32 = 50;

/// Measures what a function that does nothing adds to a request.
///
/// On one keep-alive connection two requests follow each other: one that the kernel answers itself, with 404, and one to a
/// function that answers at once, without a body, and writes to no memory. The difference is taken pair by pair. Which of the
/// two comes first changes from round to round.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  mayfly bench warm --runs 50 --json build/results.jsonl")]
pub(super) struct Args {
    /// How many pairs of requests a round has.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    requests: u32,
    /// How many rounds.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    #[command(flatten)]
    common: Common,
}

/// Carries out `mayfly bench warm`.
pub(super) fn main(args: Args) -> anyhow::Result<ExitCode> {
    let verdict = args.common.accelerator()?;
    let empty = Generated { name: "empty".to_owned(), work: Does::Nothing, pages: 1 };
    let mut images = Images::new()?;
    let made = images.generate("an empty function".to_owned(), &[empty])?;
    let launch = made.described(&args.common, &verdict);
    let mut session = Session::begin(Benchmark::Warm, &args.common, made.image.clone(), &launch, &verdict)?;

    let runs = args.common.timed(args.runs);
    let bar = super::progress(1 + runs)?;
    let mut series = count(&mut Server::serving(made.counted())?, &bar)?;
    if runs > 0 {
        series.extend(time(&mut Server::serving(made.launch(&args.common, &verdict))?, &args, &bar)?);
    }
    bar.finish_and_clear();

    let rounds = if runs > 0 { format!(": {runs} rounds of {} pairs", args.requests) } else { String::new() };
    println!("GET /empty beside a request that no function answers{rounds}");
    println!("{}\n\n{}", session.environment(), List(&series));
    session.add_on(&made.image, &launch, [], WARMUP, series);
    session.end()?;
    Ok(ExitCode::SUCCESS)
}

/// The request that the kernel answers itself, and the one to the empty function. Their heads differ in one word.
fn pair() -> [Request; 2] {
    [Request::get("/absent").with_status(404), Request::get("/empty").with_body("")]
}

fn warm_up(server: &mut Server) -> anyhow::Result<[Request; 2]> {
    let pair = pair();
    for request in pair.iter().cycle().take(2 * WARMUP as usize) {
        server.send(request)?;
    }
    Ok(pair)
}

/// Counts instructions of both requests, one after the other.
fn count(server: &mut Server, bar: &ProgressBar) -> anyhow::Result<Vec<Series>> {
    let pair = warm_up(server)?;
    let mut works = [Vec::new(), Vec::new()];
    while !works.iter().all(|works| Work::are_enough(works)) {
        for (works, request) in works.iter_mut().zip(&pair) {
            works.push(server.work(request)?);
        }
    }
    bar.inc(1);
    let [without, with] = works.map(|works| Work::usual(&works));
    Ok(without.zip(with).map(|(without, with)| counted(without, with)).unwrap_or_default())
}

fn counted(without: Work, with: Work) -> Vec<Series> {
    let figures = [
        ("instructions without a function", without.request as f64),
        ("instructions with an empty function", with.request as f64),
        ("added instructions", with.request as f64 - without.request as f64),
        ("instructions of the domain", with.domain as f64),
    ];
    figures.into_iter().filter_map(|(name, value)| Series::new(name, Unit::Instructions, vec![value])).collect()
}

/// Times both requests in turn.
fn time(server: &mut Server, args: &Args, bar: &ProgressBar) -> anyhow::Result<Vec<Series>> {
    let pair = warm_up(server)?;
    let mut times = [Vec::new(), Vec::new()];
    let mut order = [0, 1];
    for _ in 0..args.runs {
        for _ in 0..args.requests {
            for at in order {
                times[at].push(microseconds(server.send(&pair[at])?));
            }
        }
        order.reverse();
        bar.inc(1);
    }
    Ok(timed(times))
}

fn timed([without, with]: [Vec<f64>; 2]) -> Vec<Series> {
    let added = without.iter().zip(&with).map(|(without, with)| with - without).collect();
    let figures = [("without a function", without), ("with an empty function", with), ("added", added)];
    figures.into_iter().filter_map(|(name, values)| Series::new(name, Unit::Microseconds, values)).collect()
}

/// `Display` writes a line for each series.
struct List<'a>(&'a [Series]);

impl fmt::Display for List<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for series in self.0.iter().filter(|series| series.unit == Unit::Instructions) {
            writeln!(out, "{:<36}{:>9}", series.name, grouped_signed(series.summary.median))?;
        }
        if self.0.iter().all(|series| series.unit != Unit::Microseconds) {
            return Ok(());
        }
        writeln!(out, "\n{:<36}{:>9}{:>9}{:>21}{:>9}{:>9}", "µs", "min", "median", "95 % interval", "p99", "outliers")?;
        for Series { name, summary, .. } in self.0.iter().filter(|series| series.unit == Unit::Microseconds) {
            let interval = format!("{:.1} … {:.1}", summary.interval[0], summary.interval[1]);
            let outliers = grouped(summary.outliers);
            write!(out, "{name:<36}{:>9.1}{:>9.1}{interval:>21}", summary.min, summary.median)?;
            writeln!(out, "{:>9.1}{outliers:>9}", summary.p99)?;
        }
        Ok(())
    }
}

/// A whole number, grouped, whose sign is said if it is negative.
fn grouped_signed(value: f64) -> String {
    let sign = if value < 0.0 { "-" } else { "" };
    format!("{sign}{}", grouped(value.abs().round() as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_the_difference_pair_by_pair() {
        // The difference of the medians would be 0.
        let series = timed([vec![100.0, 200.0, 900.0], vec![110.0, 950.0, 200.0]]);
        let names: Vec<_> = series.iter().map(|series| series.name.as_str()).collect();
        assert_eq!(names, ["without a function", "with an empty function", "added"]);
        assert_eq!(series[2].values, [10.0, 750.0, -700.0]);
        assert_eq!((series[0].summary.median, series[2].summary.median), (200.0, 10.0));
    }

    #[test]
    fn a_function_may_take_fewer_instructions_than_the_kernels_own_answer() {
        let work = |domain, request| Work { domain, request };
        let series = counted(work(0, 4500), work(700, 3500));
        assert_eq!(series.iter().map(|series| series.values[0]).collect::<Vec<_>>(), [4500.0, 3500.0, -1000.0, 700.0]);
        let text = List(&series).to_string();
        assert!(text.contains("added instructions                     -1,000\n"), "{text}");
    }
}
