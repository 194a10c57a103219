//! Machines whose firmware tables are broken at random: each boots to an answer or refuses with a sentence, and none hangs.
//!
//! `cargo bench -p mayfly-tests --bench acpi --profile dev -- [--seeds N] [--first-seed N]`: 200 machines of q35 and pc in turn,
//! with each of their cards, by default.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use fastrand::Rng;
use lexopt::prelude::*;
use mayfly_abi::exit::Exit;
use mayfly_qemu::{Ending, Launch, MachineType};
use mayfly_tests::firmware::{Tables, repair};
use mayfly_tests::{Guest, Request, images};

/// How long a machine may take to answer or to end.
const LIMIT: Duration = Duration::from_secs(30);

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
    let machines =
        [("q35", "virtio-net-pci"), ("q35", "e1000e"), ("pc", "e1000"), ("q35", "e1000"), ("pc", "virtio-net-pci")];
    let machines = machines.map(|(name, nic)| {
        let machine = MachineType::named(name).unwrap_or_else(|error| panic!("{error}"));
        let launch = Launch::new(images::hello()).machine(machine).nic(nic);
        (launch.clone(), machine, nic, Tables::of(&Guest::measured(launch)))
    });
    let (started, mut answered, mut refused, mut told) = (Instant::now(), 0, 0, 0);
    for seed in first..first + seeds {
        let (_, machine, nic, tables) = &machines[(seed % machines.len() as u64) as usize];
        let image = damaged(tables, seed).install(images::hello(), "acpi-bench.elf");
        let (answers, console) = run(Launch::new(image).machine(machine).nic(*nic).untold_clock());
        answered += u64::from(answers);
        refused += u64::from(!answers);
        told += u64::from(console.contains("the firmware's table"));
        println!("seed {seed}: {} {nic}: {}", machine.name, if answers { "answered" } else { "refused" });
        console.lines().for_each(|line| println!("  {line}"));
    }
    println!(
        "{answered} of {seeds} machines answered, {refused} refused with a sentence, {told} told of a broken table; {:.0?}",
        started.elapsed()
    );
    Ok(if answered + refused == seeds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Tables with one to four flipped bits, where it matters most; half of them with right checksums.
fn damaged(tables: &Tables, seed: u64) -> Tables {
    let (mut rng, mut tables) = (Rng::with_seed(seed), tables.clone());
    let signatures = tables.signatures();
    for _ in 0..rng.usize(1..=4) {
        let is_pointer = rng.usize(..8) == 0;
        let bytes = if is_pointer {
            &mut tables.pointer
        } else {
            tables.table(rng.choice(&signatures).expect("there are some"))
        };
        // Signature and length; the header; its end and what follows, where pointers are; anywhere.
        let area = [8, 16, 64, bytes.len()][rng.usize(..4)].min(bytes.len());
        bytes[rng.usize(..area)] ^= 1 << rng.u32(..8);
        if rng.bool() {
            repair(bytes, if is_pointer { 8 } else { 9 });
        }
    }
    tables
}

/// Whether a machine answers, or else refuses to run; and what it says. Panics if it does neither.
fn run(launch: Launch) -> (bool, String) {
    let mut guest = Guest::start(launch).within(LIMIT);
    loop {
        if guest.machine().console().text().contains("the network card") {
            assert_eq!(guest.expect_ending(), Ending::Kernel(Exit::Refused));
            return (false, guest.machine().console().text());
        }
        if guest.ledger().is_some_and(|ledger| ledger.stamps[mayfly_abi::ledger::Phase::Listening as usize] != 0) {
            assert_eq!(guest.ask(&Request::get("/hello")).status, 200);
            return (true, guest.machine().console().text());
        }
        assert!(Instant::now() < guest.deadline(), "it neither answers nor refuses");
        std::thread::sleep(Duration::from_millis(5));
    }
}
