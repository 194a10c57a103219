//! Plants 5 ms of real time before each point of a boot in turn, and prints where `mayfly bench boot` finds them.
//!
//! `cargo bench -p mayfly-tests --bench planted --profile dev [-- --rounds N]`

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use lexopt::prelude::*;
use mayfly_abi::ledger::Phase;
use mayfly_qemu::tsc_hz;
use mayfly_tests::planted::{self, NOTHING, Plant};

/// What is planted.
const DELAY: Duration = Duration::from_millis(5);
/// Boots of each kind in a round.
const RUNS: u32 = 5;

/// The least that each step took, in milliseconds: what else goes on on the host can only make one longer.
type Steps = BTreeMap<String, f64>;

fn main() -> ExitCode {
    let rounds = rounds().unwrap_or_else(|error| panic!("{error}"));
    let hz = tsc_hz().expect("times are taken on a host whose TSC has a steady rate");
    let ticks = (hz as f64 * DELAY.as_secs_f64()) as u64;
    let before = |phase: Phase| (phase.name(), Plant { delay: Some((phase, ticks)), ..NOTHING }, Duration::ZERO);
    let mut plants = vec![("port open", NOTHING, DELAY)];
    plants.extend(Phase::BOOT.map(before));

    let mut usual = Steps::new();
    let mut found: Vec<_> = plants.iter().map(|_| Steps::new()).collect();
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        measure(&mut usual, NOTHING, Duration::ZERO);
        for ((_, plant, late), steps) in plants.iter().zip(&mut found) {
            measure(steps, *plant, *late);
        }
    }

    println!(
        "5 ms before each point: how much longer the steps took, medians of {} boots beside as many",
        rounds * RUNS
    );
    println!("\n| before | in its step, ms | most in any other, ms | which | |\n|---|---|---|---|---|");
    let mut right = 0;
    for ((name, ..), steps) in plants.iter().zip(&found) {
        let growth = |name: &str| steps[name] - usual[name];
        let others = usual.keys().filter(|other| other != name && steps.contains_key(*other));
        let (most, other) = others
            .map(|other| (growth(other), other))
            .max_by(|one, two| one.0.abs().total_cmp(&two.0.abs()))
            .expect("a boot has many steps");
        let is_right = (4.0..6.0).contains(&growth(name)) && most.abs() < 2.5;
        right += usize::from(is_right);
        let verdict = if is_right { "found" } else { "**not found**" };
        println!("| {name} | {:.2} | {most:+.2} | {other} | {verdict} |", growth(name));
    }
    println!("\n{right} of {} found", plants.len());
    if right == plants.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The number behind `--rounds`.
fn rounds() -> Result<u32, lexopt::Error> {
    let mut rounds = 4;
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

/// Adds the steps of a few boots with this plant.
fn measure(steps: &mut Steps, plant: Plant, late: Duration) {
    let record = planted::measure(plant, late, RUNS).unwrap_or_else(|said| panic!("{said}"));
    for (name, took) in planted::steps(&record).into_iter().flatten() {
        steps.entry(name).and_modify(|least| *least = took.min(*least)).or_insert(took);
    }
}
