//! A flood of SYNs from forged addresses on the wire, while `hello` is asked: over connections that stay, and over a new
//! connection each time.
//!
//! `cargo bench -p mayfly-tests --bench flood -- [OPTION N]…` with --syns, --rate (SYNs a second) and --memory (MiB).

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lexopt::prelude::*;
use mayfly_qemu::Launch;
use mayfly_qemu::wire::Impairments;
use mayfly_tests::{Connection, Exchange, Flood, Guest, Latencies, images};

/// Clients with a connection that stays, and as many that open one for each request.
const CLIENTS: usize = 4;
/// How long the machine is asked without a flood, for comparison.
const CALM: Duration = Duration::from_secs(5);

fn main() -> Result<ExitCode, lexopt::Error> {
    let (mut flood, mut memory_mib) = (Flood { syns: 100_000, rate: 10_000 }, 256);
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("syns") => flood.syns = arguments.value()?.parse()?,
            Long("rate") => flood.rate = arguments.value()?.parse()?,
            Long("memory") => memory_mib = arguments.value()?.parse()?,
            // Cargo says this to every bench.
            Long("bench") => {}
            other => return Err(other.unexpected()),
        }
    }
    let launch = Launch::new(images::hello()).memory_mib(memory_mib).wire(Impairments::default());
    let guest = Guest::measured(launch).within(Duration::from_secs(600));
    guest.expect_hello();
    let wire = guest.machine().wire().expect("one was asked for");
    let calm = ask_during(&guest, || thread::sleep(CALM));
    println!("without a flood\n{calm}");
    let before = guest.ledger();
    let flooded = ask_during(&guest, || {
        let took = flood.pour(wire).as_secs_f64();
        println!("{} SYNs in {took:.1} s, {:.0} a second", flood.syns, flood.syns as f64 / took);
    });
    println!("meanwhile\n{flooded}");
    let frames = |ledger: Option<mayfly_abi::ledger::Ledger>| ledger.map_or(0, |ledger| ledger.frames_used);
    println!("frames of memory {} before, {} after; {}", frames(before), frames(guest.ledger()), wire.counters());
    guest.expect_hello();
    Ok(if calm.failures() + flooded.failures() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How both kinds of clients fared.
struct Fared {
    staying: Part,
    fresh: Part,
}

/// How one kind of clients fared.
#[derive(Default)]
struct Part {
    latencies: Vec<Duration>,
    failures: Vec<String>,
}

impl Fared {
    fn failures(&self) -> usize {
        self.staying.failures.len() + self.fresh.failures.len()
    }
}

impl std::fmt::Display for Fared {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (name, part) in [("connections that stay", &self.staying), ("a new one each time", &self.fresh)] {
            let latencies: Latencies = part.latencies.iter().copied().collect();
            let failures = part.failures.len();
            writeln!(out, "  {name}: {} answers, {failures} failures, {latencies}", latencies.count())?;
            if let Some(first) = part.failures.first() {
                writeln!(out, "    {first}")?;
            }
        }
        Ok(())
    }
}

/// Asks `hello` over and over while `work` is done.
fn ask_during(guest: &Guest, work: impl FnOnce()) -> Fared {
    let done = &AtomicBool::new(false);
    thread::scope(|scope| {
        let clients =
            |stays: bool| -> Vec<_> { (0..CLIENTS).map(|_| scope.spawn(move || client(guest, stays, done))).collect() };
        let (staying, fresh) = (clients(true), clients(false));
        work();
        done.store(true, Ordering::Relaxed);
        let [staying, fresh] = [staying, fresh].map(|clients| {
            clients.into_iter().fold(Part::default(), |mut all, client| {
                let part = client.join().expect("a client failed");
                all.latencies.extend(part.latencies);
                all.failures.extend(part.failures);
                all
            })
        });
        Fared { staying, fresh }
    })
}

fn client(guest: &Guest, stays: bool, done: &AtomicBool) -> Part {
    let exchange = Exchange::hello("you");
    let mut part = Part::default();
    let mut connection: Option<Connection> = None;
    while !done.load(Ordering::Relaxed) {
        let asked = Instant::now();
        let open = connection.get_or_insert_with(|| guest.connect());
        let answer = open.try_ask(&exchange.request).map_err(|error| error.to_string());
        match answer.and_then(|response| exchange.check(&response)) {
            Ok(()) => part.latencies.push(asked.elapsed()),
            Err(failure) => {
                part.failures.push(failure);
                connection = None;
            }
        }
        if !stays {
            connection = None;
        }
    }
    part
}
