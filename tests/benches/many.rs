//! Ten thousand functions beside one: boots of both in turn. `mayfly bench cold` and `scale` have the requests.
//!
//! `cargo bench -p mayfly-tests --bench many [-- --boots N]`

use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use lexopt::prelude::*;
use mayfly_abi::ledger::Phase;
use mayfly_qemu::clock::{JoinedClock, Watch};
use mayfly_qemu::{Error, Launch, tsc_hz};
use mayfly_tests::{Latencies, images};

/// Memory of the machines, in MiB.
const MEMORY: u32 = 128;
/// How long a boot may take.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> Result<(), lexopt::Error> {
    let mut boots = 20;
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("boots") => boots = arguments.value()?.parse()?,
            // Cargo says this to every bench.
            Long("bench") => {}
            other => return Err(other.unexpected()),
        }
    }
    compare_boots(boots);
    Ok(())
}

/// Prints how long both images take to boot, from the same minutes of this host.
fn compare_boots(boots: usize) {
    // Kernel and loader are compiled with the first image, if they have to be.
    let one = images::hello();
    let started = Instant::now();
    let many = images::ten_thousand();
    println!("{} functions written and built in {:.1} s", images::MANY, started.elapsed().as_secs_f64());
    let images = [("one function", one), ("ten thousand", many)];
    // The first boot of each fills the host's caches and does not count.
    let runs: Vec<[Boot; 2]> = (0..=boots).map(|_| images.map(|(_, image)| boot(image))).skip(1).collect();
    println!("{boots} boots of each in turn, {MEMORY} MiB:");
    for (at, (name, image)) in images.into_iter().enumerate() {
        let part = |part: fn(&Boot) -> Duration| runs.iter().map(|run| part(&run[at])).collect::<Latencies>();
        println!("{name}, an image of {} bytes", image.metadata().map_or(0, |file| file.len()));
        println!("  spawn to entry:      {}", Spread(part(|boot| boot.entry)));
        println!("  entry to listening:  {}", Spread(part(|boot| boot.listening - boot.entry)));
        println!("  entry to first byte: {}", Spread(part(|boot| boot.first_byte - boot.entry)));
        println!("  spawn to first byte: {}", Spread(part(|boot| boot.first_byte)));
    }
}

/// When a boot reached what, since QEMU was started.
struct Boot {
    entry: Duration,
    listening: Duration,
    first_byte: Duration,
}

fn boot(image: &Path) -> Boot {
    try_boot(image).unwrap_or_else(|error| panic!("{error}"))
}

fn try_boot(image: &Path) -> Result<Boot, Error> {
    let mut machine = Launch::new(image).memory_mib(MEMORY).start()?;
    let watch = Watch::start(&machine);
    let mut connection = machine.connect(PATIENCE)?;
    let asked = connection.write_all(b"GET /hello HTTP/1.1\r\nHost: mayfly\r\n\r\n");
    let answered = asked.and_then(|()| connection.set_read_timeout(Some(PATIENCE)));
    let answered = answered.and_then(|()| connection.read_exact(&mut [0]));
    let first_byte = machine.spawned().elapsed();
    answered.unwrap_or_else(|error| panic!("no answer: {error}\n{}", machine.report()));
    let seen = watch.finish();
    let hz = tsc_hz().expect("boots can only be measured on a host whose TSC has a steady rate");
    let clock = JoinedClock::new(&seen, hz).expect("the clocks of guest and host fit together");
    let at = |phase| {
        let sighting = seen.iter().find(|sighting| sighting.phase == phase).expect("it has answered");
        clock.at(sighting.ticks)
    };
    Ok(Boot { entry: at(Phase::Entry), listening: at(Phase::Listening), first_byte })
}

/// The least and the median of some times.
struct Spread(Latencies);

impl std::fmt::Display for Spread {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = |percent| self.0.percentile(percent).as_secs_f64() * 1e3;
        write!(out, "least {:6.2} ms, median {:6.2} ms", ms(0.0), ms(50.0))
    }
}
