//! The escape suite: every attack of docs/attacks.md gets its exact verdict, twice in one boot, and hello answers right
//! after each.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

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
        for row in &rows {
            attacks += row.attack(&mut connection, &mut faults);
            let hello = connection.ask(&Request::get("/hello"));
            assert_eq!((hello.status, hello.text().as_str()), (200, "hello, world\n"), "after {}", row.line);
        }
        println!("round {round}: {} of {} exact, {:.1?}", rows.len(), rows.len(), started.elapsed());
    }
    println!("{attacks} requests, {faults} faults");
    guest.expect_hello();
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
