//! Every attack of docs/attacks.md on a machine of one's choice.
//!
//! `cargo bench -p mayfly-tests --bench escape --profile dev -- [--machine NAME] [--nic NAME] [--cpu NAME]`, by default on
//! q35 with its first card and each of the processors qemu64 and max. Attacks whose verdict depends on what the processor has are left out
//! on one of which the kernel says that it lacks something.

use std::time::{Duration, Instant};

use lexopt::prelude::*;
use mayfly_qemu::{Launch, MachineType};
use mayfly_tests::{Guest, attacks, images};

/// How long a machine may take.
const LIMIT: Duration = Duration::from_secs(600);

fn main() -> Result<(), lexopt::Error> {
    let (mut machine, mut nic, mut cpus) = ("q35".to_owned(), None, vec!["qemu64".to_owned(), "max".to_owned()]);
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("machine") => machine = arguments.value()?.string()?,
            Long("nic") => nic = Some(arguments.value()?.string()?),
            Long("cpu") => cpus = vec![arguments.value()?.string()?],
            // Cargo says this to every bench.
            Long("bench") => {}
            other => return Err(other.unexpected()),
        }
    }
    let machine = MachineType::named(&machine)?;
    let rows = attacks::table();
    for cpu in cpus {
        let mut launch = Launch::new(images::all()).machine(machine).cpu(&cpu);
        if let Some(nic) = &nic {
            launch = launch.nic(nic);
        }
        let guest = Guest::serving(launch).within(LIMIT);
        let started = Instant::now();
        let lacks_features = guest.machine().console().text().contains("mayfly: this CPU lacks");
        let tried: Vec<_> = rows.iter().filter(|row| !lacks_features || !row.needs_features()).collect();
        let made = attacks::expect_all(tried.iter().copied(), &mut guest.connect(), &mut 0);
        let (exact, all, took) = (tried.len(), rows.len(), started.elapsed());
        println!("{} with {cpu}: {exact} of {all} rows tried, all exact, {made} requests, {took:.1?}", machine.name);
        print!("{}", first_lines(&guest));
    }
    Ok(())
}

/// What the kernel says of the machine, before functions break.
fn first_lines(guest: &Guest) -> String {
    let console = guest.machine().console().text();
    console.lines().take_while(|line| !line.contains("fault 1:")).map(|line| format!("  {line}\n")).collect()
}
