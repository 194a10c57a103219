//! The acceptance run on a bad wire: 1 % loss, 1 % duplication and 2 % reordering both ways, 20 seeds, a machine for each,
//! a million requests in all with bodies of 0 to 256 KiB, each answer compared byte for byte, and memory before and after.
//!
//! `cargo bench -p mayfly-tests --bench wire -- [OPTION N]…` with --seeds, --first-seed, --requests (of all seeds),
//! --connections and --memory (MiB).

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lexopt::prelude::*;
use mayfly_abi::ledger::Ledger;
use mayfly_qemu::Launch;
use mayfly_tests::{Echoes, Guest, bad_wire, images};

/// What brings the machine to where it stays, but for an instance or two: more connections than it keeps windows for.
const WARM_UP: Echoes = Echoes { requests: 512, connections: 128 };
/// How long a machine does nothing before its memory is counted.
const QUIET: Duration = Duration::from_millis(500);
/// How long a machine may take for its part.
const LIMIT: Duration = Duration::from_secs(3600);
/// Frames of an idle instance of `echo`: four page tables and a page of stack. As many are kept as ever ran at once, which
/// is up to [`INSTANCES`] and depends on when the machine was interrupted.
const INSTANCE: u64 = 5;
/// How many may run at once (docs/writing-functions.md).
const INSTANCES: u64 = 8;
/// Requests between two words about the progress.
const STEP: usize = 1000;

fn main() -> Result<ExitCode, lexopt::Error> {
    let (mut seeds, mut first, mut requests, mut connections, mut memory_mib) = (20, 1, 1_000_000, 256, 256);
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("seeds") => seeds = arguments.value()?.parse()?,
            Long("first-seed") => first = arguments.value()?.parse()?,
            Long("requests") => requests = arguments.value()?.parse()?,
            Long("connections") => connections = arguments.value()?.parse()?,
            Long("memory") => memory_mib = arguments.value()?.parse()?,
            // Cargo says this to every bench.
            Long("bench") => {}
            other => return Err(other.unexpected()),
        }
    }
    println!(
        "{requests} requests over {seeds} wires, {connections} connections, {memory_mib} MiB: {}",
        bad_wire(first)
    );
    let each = Echoes { requests: requests / seeds, connections };
    let held = (first..).take(seeds).map(|seed| run(seed, each, memory_mib)).filter(|held| *held).count();
    println!("{held} of {seeds} seeds held");
    Ok(if held == seeds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Puts the load on a machine behind a wire with this seed. True if no answer was wrong or lost, and no memory either.
fn run(seed: u64, echoes: Echoes, memory_mib: u32) -> bool {
    let launch = Launch::new(images::measuring()).memory_mib(memory_mib).wire(bad_wire(seed));
    let guest = Guest::measured(launch).within(LIMIT);
    let warm_up = WARM_UP.saturate(&guest);
    let before = rest(&guest);
    let begun = AtomicUsize::new(0);
    let outcome = echoes.ask(&guest, || progress(seed, begun.fetch_add(1, Ordering::Relaxed), echoes.requests));
    let after = rest(&guest);
    println!("seed {seed}: {outcome}");
    println!("  warm-up: {warm_up}");
    let (before, after) = (before.frames_used, after.frames_used);
    println!("  frames of memory in use: {before} before, {after} after");
    let more = after.checked_sub(before);
    if let Some(wire) = guest.machine().wire() {
        println!("  {}", wire.counters());
    }
    warm_up.failures + outcome.failures == 0
        && outcome.latencies.count() == echoes.requests
        && more.is_some_and(|more| more % INSTANCE == 0 && more < INSTANCE * INSTANCES)
}

/// Waits until every connection has ended, which on a bad wire takes some repetitions of the last segment.
fn rest(guest: &Guest) -> Ledger {
    while guest.settle(QUIET).connections > 0 {}
    // The ledger's frames are those at the end of the last invocation: this is one with nothing else under way.
    guest.expect_hello();
    guest.settle(QUIET)
}

/// Somebody who watches is told how far it is.
fn progress(seed: u64, begun: usize, requests: usize) {
    if begun.is_multiple_of(STEP) && io::stderr().is_terminal() {
        // If the terminal has gone, nobody watches.
        let _ = write!(io::stderr(), "seed {seed}: {begun} of {requests}\r");
    }
}
