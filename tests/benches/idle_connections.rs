//! Ten thousand idle keep-alive connections: what they hold, and how fast one more is served beside them.
//!
//! `cargo bench -p mayfly-tests --bench idle_connections -- [OPTION N]…` with --connections, --requests and --memory
//! (MiB). It needs a tap interface, and as many open files as connections.

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use lexopt::prelude::*;
use mayfly_qemu::Launch;
use mayfly_tests::{Connection, Exchange, Guest, Latencies, images, tap};

/// Longer than it takes a client's acknowledgement to arrive.
const QUIET: Duration = Duration::from_millis(50);
/// How long the idle machine is watched.
const IDLE: Duration = Duration::from_secs(5);
/// How long the machine may take to forget connections that are closed.
const FORGET: Duration = Duration::from_secs(10);

fn main() -> Result<ExitCode, lexopt::Error> {
    let (mut connections, mut requests, mut memory_mib) = (10_000, 5_000, 256);
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("connections") => connections = arguments.value()?.parse()?,
            Long("requests") => requests = arguments.value()?.parse()?,
            Long("memory") => memory_mib = arguments.value()?.parse()?,
            // Cargo says this to every bench.
            Long("bench") => {}
            other => return Err(other.unexpected()),
        }
    }
    tap::enter();
    let launch = Launch::new(images::hello()).memory_mib(memory_mib).tap(tap::INTERFACE);
    let guest = Guest::measured(launch).within(Duration::from_secs(600));
    let mut one = guest.connect_and_ask();
    let before = guest.settle(QUIET);
    println!("alone: {}", ask(&mut one, requests));

    let started = Instant::now();
    let mut idle: Vec<_> = (0..connections).map(|_| guest.connect_and_ask()).collect();
    println!("{connections} connections opened and asked one after another in {:.2?}", started.elapsed());
    let held = guest.settle(QUIET);
    let frames = held.frames_used.saturating_sub(before.frames_used);
    println!(
        "{} connections known; {frames} page frames more, {:.0} bytes for each; {} of {} frames in use",
        held.connections,
        (frames * 4096) as f64 / connections.max(1) as f64,
        held.frames_used,
        held.frames_total
    );
    let processor = guest.processor_time();
    thread::sleep(IDLE);
    let percent = 100.0 * (guest.processor_time() - processor).as_secs_f64() / IDLE.as_secs_f64();
    println!("idle: {percent:.2} % of a processor");
    println!("beside {connections} idle ones: {}", ask(&mut one, requests));

    let lost = idle.iter_mut().filter_map(|connection| right(connection).err()).inspect(|wrong| println!("{wrong}"));
    let lost = lost.count();
    println!("asked again: {} right, {lost} lost", connections - lost);
    drop(idle);
    let deadline = Instant::now() + FORGET;
    let mut after = guest.settle(QUIET);
    while after.connections > 1 && Instant::now() < deadline {
        after = guest.settle(QUIET);
    }
    println!("all closed: {} connections known, {} frames in use", after.connections, after.frames_used);
    guest.expect_hello();
    let held = lost == 0 && held.connections as usize == connections + 1 && after.connections == 1;
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Asks hello so many times and checks every answer.
fn ask(connection: &mut Connection, requests: usize) -> String {
    let started = Instant::now();
    let one = || {
        let asked = Instant::now();
        right(connection).unwrap_or_else(|wrong| panic!("{wrong}"));
        asked.elapsed()
    };
    let latencies: Latencies = std::iter::repeat_with(one).take(requests).collect();
    format!("{:.0} requests/s, {latencies}", requests as f64 / started.elapsed().as_secs_f64())
}

/// One right answer of hello.
fn right(connection: &mut Connection) -> Result<(), String> {
    let exchange = Exchange::hello("you");
    let response = connection.try_ask(&exchange.request).map_err(|error| error.to_string())?;
    exchange.check(&response)
}
