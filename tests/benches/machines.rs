//! Every machine with every card, with the least and with the most that a processor has, and with memory from 64 MiB to 8 GiB:
//! each boots the same image, answers, contains a fault, and goes off by its power button.
//!
//! `cargo bench -p mayfly-tests --bench machines --profile dev`

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::Instant;

use mayfly_tests::elsewhere;
use mayfly_tests::machines::Place;

/// Memory of the machines, in turn, in MiB; firmware gets no less than it needs.
const MEMORY_MIB: [u32; 5] = [64, 256, 1 << 10, 4 << 10, 8 << 10];
const CPUS: [&str; 2] = ["qemu64", "max"];

fn main() -> ExitCode {
    let (started, mut right, mut all) = (Instant::now(), 0, 0);
    for (place, cpu) in Place::all().flat_map(|place| CPUS.map(|cpu| (place, cpu))) {
        // Each processor meets every size.
        let memory = MEMORY_MIB[all % MEMORY_MIB.len()].max(elsewhere::least_mib(place.machine));
        let begun = Instant::now();
        let is_right = catch_unwind(|| place.check(place.launch().cpu(cpu).memory_mib(memory))).is_ok();
        let (name, took) = (&place.machine.name, begun.elapsed());
        let verdict = if is_right { "serves and goes off" } else { "FAILS" };
        println!("{name:<10} {:<18} {cpu:<7} {memory:>5} MiB  {verdict}  {took:.1?}", place.nic);
        right += usize::from(is_right);
        all += 1;
    }
    println!("{right} of {all} machines; {:.0?}", started.elapsed());
    if right == all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
