//! Minutes of full load: the last minute's throughput beside the second's, and the memory of machine and QEMU.
//!
//! `cargo bench -p mayfly-tests --bench soak -- [OPTION N]…` with --minutes, --connections, --tap, which goes over a
//! tap interface instead of QEMU's own network, and --count, which compares the instructions of an answer instead of the
//! throughput: on a host that does other work too, throughput says more about that. Each connection is closed and opened
//! again now and then.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use lexopt::prelude::*;
use mayfly_qemu::Launch;
use mayfly_tests::{Exchange, Guest, images, tap};

const MINUTE: Duration = Duration::from_secs(60);
/// How much less the last minute may bring than the second, or how much more an answer may take, in percent.
const TOLERANCE: usize = 5;
/// Requests on a connection before another takes its place.
const REQUESTS_EACH: usize = 1000;
/// Longest body.
const LONGEST: usize = 16 << 10;
/// Page frames more than in the second minute that are no growth: as many as answers under way may hold.
const FRAMES: u64 = 256;
/// The same of QEMU's own memory, in KiB.
const RESIDENT_KIB: u64 = 4096;

/// What was seen at the end of a minute.
struct Minute {
    answers: usize,
    /// Ticks of the machine's work for an answer: instructions, if it counts them.
    work: usize,
    frames: u64,
    resident_kib: u64,
}

fn main() -> Result<ExitCode, lexopt::Error> {
    let (mut minutes, mut connections, mut over_tap, mut count) = (30, 16, false, false);
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("minutes") => minutes = arguments.value()?.parse()?,
            Long("connections") => connections = arguments.value()?.parse()?,
            Long("tap") => over_tap = true,
            Long("count") => count = true,
            // Cargo says this to every bench.
            Long("bench") => {}
            other => return Err(other.unexpected()),
        }
    }
    let mut launch = Launch::new(images::all()).memory_mib(256);
    if over_tap {
        tap::enter();
        launch = launch.tap(tap::INTERFACE);
    }
    if count {
        launch = launch.icount();
    }
    let guest = Guest::measured(launch).within(MINUTE * (minutes + 2));
    let (seen, failures) = soak(&guest, minutes, connections);
    guest.expect_hello();
    let [_, second, .., last] = &seen[..] else {
        println!("three minutes are needed to compare the last with the second");
        return Ok(ExitCode::FAILURE);
    };
    let steady = if count {
        last.work * 100 <= second.work * (100 + TOLERANCE)
    } else {
        last.answers * 100 >= second.answers * (100 - TOLERANCE)
    };
    // A QEMU that counts translates code again after each access to a device, and keeps it until its buffer is full.
    let qemu_grown = !count && last.resident_kib > second.resident_kib + RESIDENT_KIB;
    let grown = last.frames > second.frames + FRAMES || qemu_grown;
    let what = if count { "instructions of an answer" } else { "throughput" };
    println!("{failures} wrong or lost; {what} {}", if steady { "steady" } else { "NOT steady" });
    println!("memory {}", if grown { "growing" } else { "the same" });
    Ok(if failures == 0 && steady && !grown { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Puts the load on, prints a line a minute, and gives what was seen and how many answers were wrong or did not come.
fn soak(guest: &Guest, minutes: u32, connections: usize) -> (Vec<Minute>, usize) {
    let (answers, failures, stop) = (&AtomicUsize::new(0), &AtomicUsize::new(0), &AtomicBool::new(false));
    let mut rng = Rng::with_seed(0);
    let echoes = (0..16).map(|at| Exchange::echo(vec![b'x'; LONGEST >> (at % 15)]));
    let exchanges: &Vec<_> = &echoes.chain((0..48).map(|_| Exchange::hello(&rng.alphanumeric().to_string()))).collect();
    thread::scope(|scope| {
        for seed in 0..connections {
            let (mut connection, mut rng) = (guest.connect_and_ask(), Rng::with_seed(seed as u64));
            scope.spawn(move || {
                let mut asked = rng.usize(..REQUESTS_EACH);
                while !stop.load(Ordering::Relaxed) {
                    let exchange = rng.choice(exchanges).expect("there are some");
                    let answer = connection.try_ask(&exchange.request).map_err(|error| error.to_string());
                    match answer.and_then(|response| exchange.check(&response)) {
                        Ok(()) => answers.fetch_add(1, Ordering::Relaxed),
                        Err(wrong) => {
                            println!("{wrong}");
                            asked = REQUESTS_EACH;
                            failures.fetch_add(1, Ordering::Relaxed)
                        }
                    };
                    asked += 1;
                    if asked >= REQUESTS_EACH {
                        (connection, asked) = (guest.connect(), 0);
                    }
                }
            });
        }
        let (started, mut before) = (Instant::now(), (0, guest.ledger().expect("it runs").busy));
        let seen = (1..=minutes).map(|minute| {
            thread::sleep((started + MINUTE * minute).saturating_duration_since(Instant::now()));
            let total = answers.load(Ordering::Relaxed);
            let ledger = guest.ledger().expect("it runs");
            let (earlier, busy) = std::mem::replace(&mut before, (total, ledger.busy));
            let answers = total - earlier;
            let seen = Minute {
                answers,
                work: (ledger.busy - busy) as usize / answers.max(1),
                frames: ledger.frames_used,
                resident_kib: guest.resident_kib(),
            };
            println!(
                "minute {minute}: {answers} answers of {} ticks each, {} connections, {} frames, QEMU {} KiB",
                seen.work, ledger.connections, seen.frames, seen.resident_kib
            );
            seen
        });
        let seen = seen.collect();
        stop.store(true, Ordering::Relaxed);
        (seen, failures.load(Ordering::Relaxed))
    })
}
