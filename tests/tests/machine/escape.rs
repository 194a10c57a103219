//! The escape suite: every attack of docs/attacks.md gets its exact verdict, twice in one boot, and hello answers right
//! after each.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use mayfly_qemu::{Launch, MachineType};
use mayfly_tests::attacks::{self, Row, function, path};
use mayfly_tests::{Guest, Request, images};

/// Least number of rows.
const ROWS: usize = 60;
/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(120);

#[test]
fn every_attack_gets_its_exact_verdict_twice_in_one_boot() {
    let rows = attacks::table();
    assert!(rows.len() >= ROWS, "only {} attacks", rows.len());
    let guest = Guest::boot(images::all()).within(LIMIT);
    expect_all_listed(&guest, &rows);
    let mut connection = guest.connect();
    let (mut attacks, mut faults) = (0, 0);
    for round in 1..=2 {
        let started = Instant::now();
        attacks += attacks::expect_all(&rows, &mut connection, &mut faults);
        println!("round {round}: {} of {} exact, {:.1?}", rows.len(), rows.len(), started.elapsed());
    }
    println!("{attacks} requests, {faults} faults");
    guest.expect_hello();
}

/// Of so many rows one is tried on other machines. `cargo bench -p mayfly-tests --bench escape` tries all.
const PART: usize = 6;

#[test]
fn attacks_get_the_same_verdicts_on_q35_with_the_least_and_with_the_most_that_a_processor_has() {
    let q35 = MachineType::named("q35").unwrap_or_else(|error| panic!("{error}"));
    let rows = attacks::table();
    for (cpu, says) in [("qemu64", true), ("max", false)] {
        let guest = Guest::serving(Launch::new(images::all()).machine(q35).cpu(cpu).nic("e1000e")).within(LIMIT);
        let some = rows.iter().filter(|row| cpu == "max" || !row.needs_features()).step_by(PART);
        attacks::expect_all(some, &mut guest.connect(), &mut 0);
        let console = guest.machine().console().text();
        let lacking = console.lines().filter(|line| line.starts_with("mayfly: this CPU lacks")).count();
        assert_eq!(lacking, usize::from(says), "{console}");
    }
}

/// Every path that a hostile function knows is in the table, and none else.
fn expect_all_listed(guest: &Guest, rows: &[Row]) {
    let in_table: BTreeSet<_> = rows.iter().flat_map(Row::targets).map(|target| path(target).to_owned()).collect();
    let functions: BTreeSet<_> = in_table.iter().map(|path| function(path)).collect();
    assert_eq!(functions, BTreeSet::from(images::HOSTILE));
    let known: BTreeSet<_> = functions
        .iter()
        .flat_map(|function| {
            let list = guest.ask(&Request::get(format!("/{function}/no-such-attack")));
            assert_eq!(list.status, 404, "{list:?}");
            list.text().lines().map(|path| format!("/{function}{path}")).collect::<Vec<_>>()
        })
        .collect();
    let differing: Vec<_> = known.symmetric_difference(&in_table).collect();
    assert!(differing.is_empty(), "either the table or the functions lack {differing:?}");
}
