//! Machines whose firmware has left broken tables or broken PCI functions, at random: each boots to an answer or refuses with
//! a sentence, and none hangs.
//!
//! `cargo bench -p mayfly-tests --bench broken --profile dev -- [--seeds N] [--first-seed N]`: 200 machines by default, tables and
//! functions in turn.

use std::process::ExitCode;
use std::time::Instant;

use lexopt::prelude::*;
use mayfly_tests::broken::Subject;

fn main() -> Result<ExitCode, lexopt::Error> {
    let (mut seeds, mut first) = (200, 1);
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("seeds") => seeds = arguments.value()?.parse()?,
            Long("first-seed") => first = arguments.value()?.parse()?,
            // Cargo says this to every bench.
            Long("bench") => {}
            other => return Err(other.unexpected()),
        }
    }
    let subjects = Subject::all();
    let (started, mut answered, mut refused, mut told) = (Instant::now(), 0, 0, 0);
    for seed in first..first + seeds {
        let outcome = Subject::try_out(&subjects, seed);
        answered += u64::from(outcome.answered == Ok(true));
        refused += u64::from(outcome.answered == Ok(false));
        told += u64::from(outcome.console.contains("the firmware's table"));
        let verdict = match &outcome.answered {
            Ok(true) => "answered",
            Ok(false) => "refused",
            Err(wrong) => wrong,
        };
        println!("seed {seed}: {}: {verdict}", outcome.what);
        outcome.console.lines().for_each(|line| println!("  {line}"));
    }
    println!(
        "{answered} of {seeds} machines answered, {refused} refused with a sentence, {told} told of a broken table; {:.0?}",
        started.elapsed()
    );
    Ok(if answered + refused == seeds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
