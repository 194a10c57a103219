//! A burst: 200 connections opened at the same moment, then 50,000 requests on them, over a tap interface. None may be
//! reset, and none may take longer than a second, its connection's opening included.
//!
//! `cargo bench -p mayfly-tests --bench tap -- [OPTION N]…` with --connections and --requests.

use std::process::ExitCode;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lexopt::prelude::*;
use mayfly_qemu::Launch;
use mayfly_tests::{Exchange, Guest, Latencies, images, tap};

/// No answer may take longer.
const LONGEST: Duration = Duration::from_secs(1);

fn main() -> Result<ExitCode, lexopt::Error> {
    let (mut connections, mut requests) = (200, 50_000);
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("connections") => connections = arguments.value()?.parse()?,
            Long("requests") => requests = arguments.value()?.parse()?,
            // Cargo says this to every bench.
            Long("bench") => {}
            other => return Err(other.unexpected()),
        }
    }
    tap::enter();
    let guest = Guest::measured(Launch::new(images::hello()).memory_mib(256).tap(tap::INTERFACE));
    let guest = guest.within(Duration::from_secs(600));
    guest.expect_hello();
    let (gate, begun, failures) = (Barrier::new(connections), AtomicUsize::new(0), AtomicUsize::new(0));
    let exchange = Exchange::hello("you");
    let fail = |what: String| {
        if failures.fetch_add(1, Ordering::Relaxed) < 10 {
            println!("{what}");
        }
    };
    // The first request's time begins before its connection is opened.
    let client = || -> Vec<Duration> {
        gate.wait();
        let mut latencies = Vec::new();
        let mut asked = Instant::now();
        let mut connection = match guest.try_connect() {
            Ok(connection) => connection,
            Err(error) => {
                fail(format!("no connection after {:?}: {error}", asked.elapsed()));
                return latencies;
            }
        };
        while begun.fetch_add(1, Ordering::Relaxed) < requests {
            match connection.try_ask(&exchange.request).map_err(|error| error.to_string()) {
                Ok(response) => match exchange.check(&response) {
                    Ok(()) => latencies.push(asked.elapsed()),
                    Err(wrong) => fail(wrong),
                },
                Err(error) => {
                    fail(format!("no answer after {:?}: {error}", asked.elapsed()));
                    return latencies;
                }
            }
            asked = Instant::now();
        }
        latencies
    };
    let started = Instant::now();
    let latencies: Vec<_> = thread::scope(|scope| {
        let clients: Vec<_> = (0..connections).map(|_| scope.spawn(client)).collect();
        clients.into_iter().map(|client| client.join().expect("a client failed")).collect()
    });
    let elapsed = started.elapsed();
    let first: Latencies = latencies.iter().filter_map(|of_one| of_one.first()).copied().collect();
    let all: Latencies = latencies.into_iter().flatten().collect();
    let failures = failures.into_inner();
    println!("{connections} connections at once, first answers: {first}");
    let rate = all.count() as f64 / elapsed.as_secs_f64();
    println!("{} right, {failures} wrong or lost, {rate:.0} requests/s, {all}", all.count());
    guest.expect_hello();
    let held = failures == 0 && all.count() == requests && all.max() <= LONGEST;
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
