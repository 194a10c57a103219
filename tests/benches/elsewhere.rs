//! The whole-machine tests on another machine than the usual one: all that make sense there.
//!
//! `cargo bench -p mayfly-tests --bench elsewhere --profile dev -- [--machine NAME] [--nic NAME] [--only WORD]`, by default a PC
//! whose UEFI firmware boots from a USB stick, with an Intel 82574L.

use std::env;
use std::process::{Command, ExitCode};

use lexopt::prelude::*;
use mayfly_tests::images;

/// Tests that are left out, and why.
const LEFT_OUT: [(&str, &str); 23] = [
    ("budgets::", "figures of the usual machine"),
    ("costs::", "figures of the usual machine"),
    ("initialisation::what_was_initialised", "figures of the usual machine"),
    ("many::a_first", "figures of the usual machine"),
    ("many::ten_thousand", "figures of the usual machine"),
    ("stamps::from_waking", "figures of the usual machine"),
    ("measures::", "`mayfly bench` measures the usual machine"),
    ("traces::", "`mayfly trace` measures the usual machine"),
    ("planted::", "`mayfly bench` measures the usual machine"),
    ("cards::", "they say themselves on which machines"),
    ("firmware::", "they say themselves on which machines"),
    ("machines::", "they say themselves on which machines"),
    ("elsewhere::", "they say themselves on which machines"),
    ("screen::", "it says itself on which machine"),
    ("split::", "they say themselves on which machines"),
    ("reports::", "they say themselves on which machines"),
    ("bochs::", "they say themselves on which machines"),
    ("escape::attacks_get_the_same_verdicts_on_q35", "it says itself on which machine"),
    ("boots::sixteen_mebibytes_are_enough", "firmware needs more memory"),
    ("refuses::two_mebibytes_of_memory_are_too_little", "firmware needs more memory"),
    ("exhaustion::", "needs a machine of 16 MiB, and firmware needs more"),
    ("connections::a_connection_too_many", "needs a machine of 16 MiB, and firmware needs more"),
    ("share::", "needs a machine of 16 MiB, and firmware needs more"),
];

fn main() -> Result<ExitCode, lexopt::Error> {
    let (mut machine, mut nic, mut only) = ("uefi-usb".to_owned(), "e1000e".to_owned(), None);
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("machine") => machine = arguments.value()?.string()?,
            Long("nic") => nic = arguments.value()?.string()?,
            Long("only") => only = Some(arguments.value()?.string()?),
            // Cargo says this to every bench.
            Long("bench") => {}
            other => return Err(other.unexpected()),
        }
    }
    println!("on {machine} with {nic}; left out:");
    LEFT_OUT.iter().for_each(|(name, why)| println!("  {name:<50} {why}"));
    let mut tests = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    tests.current_dir(images::source_root()).args(["test", "--package", "mayfly-tests", "--test", "machine", "--"]);
    tests.arg("--test-threads=1").args(only).args(LEFT_OUT.iter().flat_map(|(name, _)| ["--skip", name]));
    let status = tests.env("MAYFLY_TEST_MACHINE", machine).env("MAYFLY_TEST_NIC", nic).status().expect("cargo runs");
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
