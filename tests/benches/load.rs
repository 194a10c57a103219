//! The acceptance load: 100,000 requests, mixed over all example functions, bodies from 0 to 1 MiB, 64 connections.
//!
//! `cargo bench -p mayfly-tests --bench load -- [OPTION N]…` with --requests, --connections, --at-once (requests under
//! way at any time), --longest (bytes of body) and --memory (MiB).

use std::process::ExitCode;
use std::time::Duration;

use lexopt::prelude::*;
use mayfly_qemu::Launch;
use mayfly_tests::{Guest, Load, images};

/// No answer may take longer.
const LONGEST: Duration = Duration::from_secs(1);

fn main() -> Result<ExitCode, lexopt::Error> {
    let mut load = Load { requests: 100_000, connections: 64, at_once: 16, longest_body: 1 << 20 };
    let mut memory_mib = 256;
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("requests") => load.requests = arguments.value()?.parse()?,
            Long("connections") => load.connections = arguments.value()?.parse()?,
            Long("at-once") => load.at_once = arguments.value()?.parse()?,
            Long("longest") => load.longest_body = arguments.value()?.parse()?,
            Long("memory") => memory_mib = arguments.value()?.parse()?,
            // Cargo says this to every bench.
            Long("bench") => {}
            other => return Err(other.unexpected()),
        }
    }
    let guest = Guest::measured(Launch::new(images::all()).memory_mib(memory_mib)).within(Duration::from_secs(3600));
    println!("{load:?}, {memory_mib} MiB");
    let outcome = load.put_on(&guest);
    println!("{outcome}");
    guest.expect_hello();
    let held = outcome.failures == 0 && outcome.latencies.max() <= LONGEST;
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
