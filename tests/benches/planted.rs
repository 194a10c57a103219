//! Plants 5 ms of real time before each point of a boot in turn, and prints where `mayfly bench boot` finds them.
//!
//! `cargo bench -p mayfly-tests --bench planted --profile dev [-- --rounds N]`

use std::process::ExitCode;
use std::time::Duration;

use lexopt::prelude::*;
use mayfly_abi::ledger::Phase;
use mayfly_qemu::tsc_hz;
use mayfly_tests::planted::{Growth, NOTHING, Plant};

/// What is planted.
const DELAY: Duration = Duration::from_millis(5);
/// Boots in a row.
const RUNS: u32 = 3;

fn main() -> ExitCode {
    let rounds = rounds().unwrap_or_else(|error| panic!("{error}"));
    let hz = tsc_hz().expect("times are taken on a host whose TSC has a steady rate");
    let ticks = (hz as f64 * DELAY.as_secs_f64()) as u64;
    let mut plants = vec![("port open", NOTHING, DELAY)];
    plants.extend(
        Phase::BOOT.map(|phase| (phase.name(), Plant { delay: Some((phase, ticks)), ..NOTHING }, Duration::ZERO)),
    );

    println!(
        "5 ms before each point: how much longer the steps take, the least of so many boots with them and without"
    );
    println!("\n| before | in its step, ms | most in any other, ms | which | boots | |\n|---|---|---|---|---|---|");
    let mut found = 0;
    for (point, plant, late) in &plants {
        let mut growth = Growth::default();
        let mut boots = 0;
        while boots < rounds * RUNS && (boots == 0 || !growth.is_of(point)) {
            growth.measure(*plant, *late, RUNS);
            boots += RUNS;
        }
        let (most, other) = growth.elsewhere(point);
        found += usize::from(growth.is_of(point));
        let verdict = if growth.is_of(point) { "found" } else { "**not found**" };
        println!("| {point} | {:+.2} | {most:+.2} | {other} | {boots} | {verdict} |", growth.of(point));
    }
    println!("\n{found} of {} found", plants.len());
    if found == plants.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The number behind `--rounds`: how often a busy host is given another chance to be quiet.
fn rounds() -> Result<u32, lexopt::Error> {
    let mut rounds = 20;
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("rounds") => rounds = parser.value()?.parse()?,
            // What `cargo bench` adds.
            Long("bench") => {}
            other => return Err(other.unexpected()),
        }
    }
    Ok(rounds)
}
