//! `mayfly bench scale`: what a request costs as something grows: functions, connections, bodies, written memory.

mod dimension;

use std::process::ExitCode;

use anyhow::Context as _;
use indicatif::ProgressBar;
use mayfly_qemu::Launch;

use self::dimension::{Dimension, Machine};
use super::images::{Images, Made};
use super::microseconds;
use super::rows::{Column, Row, Rows};
use super::server::{Server, Work};
use super::session::{Common, Session};
use crate::results::{Benchmark, Series, Unit};

/// Requests that are sent to each machine first, for each value, and not counted.
const WARMUP: u32 = 5;

/// Measures what a request costs as something grows.
///
/// One thing grows at a time: how many functions the image holds, how many connections are open, of which all but one do
/// nothing, how long the body is that goes there and comes back, and how many pages the function writes to. The machines of
/// what grows are up together and take turns. A flat line is a cost that does not grow.
///
/// With --metric insn, of bodies that are more than a packet only the instructions of the function's domain are counted: what
/// the network takes depends on how the client's packets come.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  mayfly bench scale --connections 1,900 --runs 50 --json build/results.jsonl")]
pub(super) struct Args {
    /// Functions in the image: a result for each of these numbers.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,10,100,1000,10000",
        value_parser = clap::value_parser!(u32).range(1..=50_000))]
    functions: Vec<u32>,
    /// Open connections, the one that is asked among them: a result for each of these numbers.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,10,100,500",
        value_parser = clap::value_parser!(u32).range(1..=1000))]
    connections: Vec<u32>,
    /// Bytes of a request's body, which comes back: a result for each of these numbers.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "0,1024,16384,262144,1048576",
        value_parser = clap::value_parser!(u32).range(..=1 << 20))]
    body: Vec<u32>,
    /// Pages that the function writes to, beside its stack: a result for each of these numbers.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "0,1,4,16,64,256",
        value_parser = clap::value_parser!(u32).range(..=4096))]
    pages: Vec<u32>,
    /// How many requests of a round are timed for each value.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    requests: u32,
    /// How many rounds.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    #[command(flatten)]
    common: Common,
}

const REQUEST: &str = "request";
const DOMAIN_INSTRUCTIONS: &str = "instructions of the domain";
const INSTRUCTIONS: &str = "instructions";
const COLUMNS: [Column; 3] = [
    Column { series: DOMAIN_INSTRUCTIONS, head: "domain" },
    Column { series: INSTRUCTIONS, head: "all" },
    Column { series: REQUEST, head: "request" },
];

/// Carries out `mayfly bench scale`.
pub(super) fn main(args: Args) -> anyhow::Result<ExitCode> {
    let verdict = args.common.accelerator()?;
    let mut images = Images::new()?;
    let dimensions = [
        Dimension::functions(&mut images, &args.functions)?,
        Dimension::connections(&mut images, &args.connections)?,
        Dimension::body(&mut images, &args.body)?,
        Dimension::pages(&mut images, &args.pages)?,
    ];
    let first = &dimensions[0].machines.first().context("there is nothing to measure")?.made;
    let launch = first.described(&args.common, &verdict);
    let mut session = Session::begin(Benchmark::Scale, &args.common, first.image.clone(), &launch, &verdict)?;

    let points: usize = dimensions.iter().map(|dimension| dimension.points.len()).sum();
    let runs = args.common.timed(args.runs);
    let bar = super::progress(points as u32 + dimensions.len() as u32 * runs)?;
    let mut rows = Vec::new();
    for dimension in &dimensions {
        let mut own = count(dimension, args.common.counts(), &bar)?;
        if runs > 0 {
            time(dimension, &mut own, |made| made.launch(&args.common, &verdict), &args, &bar)?;
        }
        rows.push(own);
    }
    bar.finish_and_clear();

    let rounds =
        if runs > 0 { format!(": {runs} rounds of {} requests for each value", args.requests) } else { String::new() };
    println!("a request as something grows{rounds}");
    println!("{}\n\n{}", session.environment(), Rows { columns: &COLUMNS, rows: &rows.concat() });
    for (dimension, rows) in dimensions.iter().zip(rows) {
        for (row, point) in rows.into_iter().zip(&dimension.points) {
            let made = &dimension.machines[point.machine].made;
            let launch = made.described(&args.common, &verdict);
            session.add_on(&made.image, &launch, [(row.parameter, row.value.into())], WARMUP, row.series);
        }
    }
    session.end()?;
    Ok(ExitCode::SUCCESS)
}

/// Counts instructions: a row for each point. `exactly`: only what is the same in every run.
fn count(dimension: &Dimension, exactly: bool, bar: &ProgressBar) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut servers = Vec::new();
    for Machine { made, idle } in &dimension.machines {
        servers.push(serving(Server::serving(made.counted())?, dimension, *idle)?);
    }
    for point in &dimension.points {
        let server = &mut servers[point.machine];
        (0..WARMUP).try_for_each(|_| server.send(&point.request).map(drop))?;
        let mut works = Vec::new();
        while !Work::are_enough(&works) {
            works.push(server.work(&point.request)?);
        }
        let Work { domain, request } = Work::usual(&works).context("nothing was asked")?;
        let request = (point.one_packet || !exactly).then_some((INSTRUCTIONS, request));
        let figures = [(DOMAIN_INSTRUCTIONS, domain)].into_iter().chain(request);
        let series = figures.filter_map(|(name, figure)| Series::new(name, Unit::Instructions, vec![figure as f64]));
        rows.push(Row { parameter: dimension.parameter, value: point.value, series: series.collect() });
        bar.inc(1);
    }
    Ok(rows)
}

/// Times requests, a round of each point in turn, and adds them to the points' rows.
fn time(
    dimension: &Dimension,
    rows: &mut [Row],
    launch: impl Fn(&Made) -> Launch,
    args: &Args,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    let mut servers = Vec::new();
    for Machine { made, idle } in &dimension.machines {
        servers.push(serving(Server::serving(launch(made))?, dimension, *idle)?);
    }
    let mut times = vec![Vec::new(); dimension.points.len()];
    let mut order: Vec<usize> = (0..dimension.points.len()).collect();
    for round in 0..args.runs {
        for &at in &order {
            let point = &dimension.points[at];
            let server = &mut servers[point.machine];
            // The core has been at something else's work.
            let first = if round == 0 { WARMUP } else { 1 };
            (0..first).try_for_each(|_| server.send(&point.request).map(drop))?;
            for _ in 0..args.requests {
                times[at].push(microseconds(server.send(&point.request)?));
            }
        }
        // Nobody is always the first.
        order.reverse();
        bar.inc(1);
    }
    for (row, times) in rows.iter_mut().zip(times) {
        row.series.extend(Series::new(REQUEST, Unit::Microseconds, times));
    }
    Ok(())
}

/// A machine with its idle connections.
fn serving(mut server: Server, dimension: &Dimension, idle: u32) -> anyhow::Result<Server> {
    if let Some(point) = dimension.points.first() {
        server.open_idle(idle as usize, &point.request)?;
    }
    Ok(server)
}
