//! The escape suite: every attack of docs/attacks.md gets its exact verdict, twice in one boot, and hello answers right
//! after each. The document's table is read here, so that it cannot say anything else than what is tested.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use mayfly_tests::{Connection, Guest, Request, Response, images};

/// Least number of rows.
const ROWS: usize = 60;
/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(120);
/// What separates the requests of one row, and their verdicts.
const STEPS: &str = " · ";

/// A row of the table.
struct Row {
    line: String,
    steps: Vec<Step>,
}

/// A request, or several with the same verdict.
struct Step {
    targets: Vec<String>,
    status: u16,
    verdict: String,
}

#[test]
fn every_attack_gets_its_exact_verdict_twice_in_one_boot() {
    let rows = table();
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
    let targets = rows.iter().flat_map(|row| &row.steps).flat_map(|step| &step.targets);
    let in_table: BTreeSet<_> = targets.map(|target| path(target).to_owned()).collect();
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

impl Row {
    /// Makes the attack; how many requests it took. `faults` counts those that the kernel numbered.
    fn attack(&self, connection: &mut Connection, faults: &mut u32) -> usize {
        let mut made = 0;
        for step in &self.steps {
            for target in &step.targets {
                *faults += u32::from(matches!(step.status, 502 | 504 | 507));
                let response = connection.ask(&Request::get(target.as_str()));
                let expected = (step.status, step.body(function(target), *faults));
                assert_eq!((response.status, body(&response)), expected, "{target} in {}", self.line);
                assert!(!response.closes(), "{target} in {}", self.line);
                made += 1;
            }
        }
        made
    }
}

impl Step {
    /// The body that the verdict means.
    fn body(&self, function: &str, fault: u32) -> String {
        let verdict = &self.verdict;
        match self.status {
            502 => format!("{function} broke: {verdict} (fault {fault})"),
            504 => format!("{function} ran past its limit of {verdict} (fault {fault})"),
            507 => format!("{function} asked for more memory than its limit of {verdict} (fault {fault})"),
            _ => verdict.clone(),
        }
    }
}

/// A body as the table shows it.
fn body(response: &Response) -> String {
    let bytes = response.body.strip_suffix(b"\n").unwrap_or(&response.body);
    if !bytes.is_empty() && bytes.iter().all(|byte| *byte == 0) {
        return format!("{} zeros", bytes.len());
    }
    String::from_utf8_lossy(bytes).escape_default().to_string()
}

/// The target without its query.
fn path(target: &str) -> &str {
    target.split_once('?').map_or(target, |(path, _)| path)
}

/// The first segment of a path: the function's route.
fn function(path: &str) -> &str {
    path.split('/').nth(1).unwrap_or_default()
}

/// The rows of docs/attacks.md.
fn table() -> Vec<Row> {
    let file = images::source_root().join("docs/attacks.md");
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    text.lines().filter(|line| line.starts_with("| `/")).map(row).collect()
}

fn row(line: &str) -> Row {
    let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [requests, _, statuses, verdicts] = cells[..] else { panic!("four cells are needed in {line}") };
    let [requests, statuses, verdicts] =
        [requests, statuses, verdicts].map(|cell| cell.split(STEPS).collect::<Vec<_>>());
    assert!(requests.len() == statuses.len() && requests.len() == verdicts.len(), "steps without verdict in {line}");
    let steps = requests.into_iter().zip(statuses).zip(verdicts).map(|((request, status), verdict)| Step {
        targets: expand(request.trim_matches('`')),
        status: status.parse().unwrap_or_else(|_| panic!("{status} is no status, in {line}")),
        verdict: verdict.trim_matches(['`', '*']).to_owned(),
    });
    Row { line: line.to_owned(), steps: steps.collect() }
}

/// All that `{a,b}` or `{0..9}` in a target stands for.
fn expand(target: &str) -> Vec<String> {
    let Some((before, (choices, after))) =
        target.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
    else {
        return vec![target.to_owned()];
    };
    let choices: Vec<String> = match choices.split_once("..") {
        Some((first, last)) => {
            let number =
                |text: &str| text.parse::<u32>().unwrap_or_else(|_| panic!("{text} is no number, in {target}"));
            (number(first)..=number(last)).map(|number| number.to_string()).collect()
        }
        None => choices.split(',').map(str::to_owned).collect(),
    };
    choices.into_iter().map(|choice| format!("{before}{choice}{after}")).collect()
}
