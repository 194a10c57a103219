//! Minutes of full load: the last minute's throughput beside the second's, what the machine brings then in turn with a new
//! one, and the memory of machine and QEMU.
//!
//! `cargo bench -p mayfly-tests --bench soak -- [OPTION N]…` with --minutes, --connections, --tap, which goes over a
//! tap interface instead of QEMU's own network, and --count, which compares the instructions of an answer instead of the
//! throughput. Each connection is closed and opened again now and then.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use lexopt::prelude::*;
use mayfly_qemu::Launch;
use mayfly_tests::{Connection, Exchange, Guest, images, tap};

const MINUTE: Duration = Duration::from_secs(60);
/// How much less the last minute may bring than the second, or the machine than a new one, or how much more an answer may
/// take, in percent.
const TOLERANCE: usize = 5;
/// Requests on a connection before another takes its place.
const REQUESTS_EACH: usize = 1000;
/// Longest body.
const LONGEST: usize = 16 << 10;
/// Page frames more than in the second minute that are no growth: as many as answers under way may hold.
const FRAMES: u64 = 256;
/// How much of QEMU's own memory more than in the middle is no growth, in KiB. Its heap takes some minutes until what is
/// freed fits what is asked for, so that the second minute says nothing.
const RESIDENT_KIB: u64 = 4096;
/// How often the machine and a new one have their turns.
const TURNS: usize = 12;
/// How long a turn is.
const TURN: Duration = Duration::from_secs(5);

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
    let guest = Guest::measured(launch.clone()).within(MINUTE * (minutes + 10));
    let soak = Soak::new(connections);
    let seen = soak.on(&guest, |answers| watch(&guest, minutes, answers));
    let [_, second, .., last] = &seen[..] else {
        println!("three minutes are needed to compare the last with the second");
        return Ok(ExitCode::FAILURE);
    };
    let middle = &seen[seen.len() / 2];
    let steady = if count {
        println!("an answer takes {} instructions, and took {} in the second minute", last.work, second.work);
        last.work * 100 <= second.work * (100 + TOLERANCE)
    } else {
        println!("the last minute brought {} % of the second", last.answers * 100 / second.answers);
        let steady = last.answers * 100 >= second.answers * (100 - TOLERANCE);
        // What a host does meanwhile changes its minutes, but turns of seconds alike. One tap interface leads to one machine.
        let aged = if over_tap { None } else { Some(soak.beside(&guest, &Guest::measured(launch).within(MINUTE * 5))) };
        steady || aged.is_some_and(|percent| percent >= 100 - TOLERANCE)
    };
    guest.expect_hello();
    // A QEMU that counts translates code again after each access to a device, and keeps it until its buffer is full.
    let qemu_grown = !count && last.resident_kib > middle.resident_kib + RESIDENT_KIB;
    let grown = last.frames > second.frames + FRAMES || qemu_grown;
    let failures = soak.failures.into_inner();
    println!("{failures} wrong or lost; {}", if steady { "steady" } else { "NOT steady" });
    println!("memory {}", if grown { "growing" } else { "the same" });
    Ok(if failures == 0 && steady && !grown { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is asked over and over, and what came of it.
struct Soak {
    connections: usize,
    exchanges: Vec<Exchange>,
    answers: AtomicUsize,
    failures: AtomicUsize,
}

impl Soak {
    fn new(connections: usize) -> Self {
        let mut rng = Rng::with_seed(0);
        let echoes = (0..16).map(|at| Exchange::echo(vec![b'x'; LONGEST >> (at % 15)]));
        let exchanges = echoes.chain((0..48).map(|_| Exchange::hello(&rng.alphanumeric().to_string()))).collect();
        Self { connections, exchanges, answers: AtomicUsize::new(0), failures: AtomicUsize::new(0) }
    }

    /// Loads a machine for as long as something takes, which is given the number of right answers up to now.
    fn on<T>(&self, guest: &Guest, during: impl FnOnce(&AtomicUsize) -> T) -> T {
        let stop = &AtomicBool::new(false);
        thread::scope(|scope| {
            for seed in 0..self.connections {
                // One after another: QEMU's own network forgets some of many at once.
                let connection = guest.connect_and_ask();
                scope.spawn(move || self.ask(guest, connection, Rng::with_seed(seed as u64), stop));
            }
            let value = during(&self.answers);
            stop.store(true, Ordering::Relaxed);
            value
        })
    }

    /// Asks on this connection, and others after it, until it is to stop.
    fn ask(&self, guest: &Guest, mut connection: Connection, mut rng: Rng, stop: &AtomicBool) {
        let mut asked = rng.usize(..REQUESTS_EACH);
        while !stop.load(Ordering::Relaxed) {
            let exchange = rng.choice(&self.exchanges).expect("there are some");
            let answer = connection.try_ask(&exchange.request).map_err(|error| error.to_string());
            match answer.and_then(|response| exchange.check(&response)) {
                Ok(()) => self.answers.fetch_add(1, Ordering::Relaxed),
                Err(wrong) => {
                    println!("{wrong}");
                    asked = REQUESTS_EACH;
                    self.failures.fetch_add(1, Ordering::Relaxed)
                }
            };
            asked += 1;
            if asked >= REQUESTS_EACH {
                (connection, asked) = (guest.connect(), 0);
            }
        }
    }

    /// What the first machine brings in turns, in percent of what the second one does: the median of the turns.
    fn beside(&self, guest: &Guest, new: &Guest) -> usize {
        let turn = |guest| {
            self.on(guest, |answers| {
                let before = answers.load(Ordering::Relaxed);
                thread::sleep(TURN);
                answers.load(Ordering::Relaxed) - before
            })
        };
        // Translates what the new one runs.
        turn(new);
        let mut percents: Vec<_> = (0..TURNS).map(|_| turn(guest) * 100 / turn(new)).collect();
        println!("in turns with a new machine, it brought {percents:?} % of what that did");
        percents.sort_unstable();
        percents[TURNS / 2]
    }
}

/// Waits for one minute after another to end; prints and gives what was seen in each.
fn watch(guest: &Guest, minutes: u32, answers: &AtomicUsize) -> Vec<Minute> {
    let (started, mut before) = (Instant::now(), (0, guest.ledger().expect("it runs").busy));
    let watched = (1..=minutes).map(|minute| {
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
    watched.collect()
}
