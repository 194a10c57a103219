//! The attacks that docs/attacks.md lists, with their exact verdicts: the table is read, so that the document cannot say
//! anything else than what is tested.

use std::fs;

use fastrand::Rng;

use crate::{Connection, Request, Response, images};

/// What separates the requests of one row, and their verdicts.
const STEPS: &str = " · ";

/// How a row says that its verdict depends on what the processor has.
const FEATURES: [&str; 4] = ["(UMIP)", "(SMAP)", "(XSAVE)", "(INVPCID)"];

/// Above the second table: what a processor answers otherwise than QEMU's translator.
const PROCESSOR: &str = "## On a processor";

/// A row of the table.
#[derive(Debug)]
pub struct Row {
    /// As it stands in the document.
    pub line: String,
    steps: Vec<Step>,
}

/// A request, or several with the same verdict.
#[derive(Debug)]
struct Step {
    targets: Vec<String>,
    status: u16,
    verdict: String,
}

impl Row {
    /// Its requests' targets.
    pub fn targets(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().flat_map(|step| &step.targets).map(String::as_str)
    }

    /// Whether an invocation has to run into its limits.
    pub fn is_slow(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.status, 504 | 507))
            || self.targets().any(|target| target.contains("flood"))
    }

    /// Whether its verdict is that of a processor which has more than the least.
    pub fn needs_features(&self) -> bool {
        FEATURES.iter().any(|feature| self.line.contains(feature))
    }

    /// Makes the attack alone: how many requests it took. `faults` counts those that the kernel numbered.
    ///
    /// Panics if a verdict is not the table's.
    pub fn attack(&self, connection: &mut Connection, faults: &mut u32) -> usize {
        let mut made = 0;
        for step in &self.steps {
            for target in &step.targets {
                *faults += u32::from(step.is_fault());
                let verdict = step.body(function(target));
                let numbered = if step.is_fault() { format!("{verdict} (fault {faults})") } else { verdict };
                let response = connection.ask(&Request::get(target.as_str()));
                assert_eq!((response.status, body(&response)), (step.status, numbered), "{target} in {}", self.line);
                assert!(!response.closes(), "{target} in {}", self.line);
                made += 1;
            }
        }
        made
    }

    /// Makes the attack once, while others are being made: how many requests it took. What the kernel numbers then is
    /// anybody's guess.
    ///
    /// Panics if a verdict is not the table's.
    pub fn attack_among_others(&self, connection: &mut Connection, rng: &mut Rng) -> usize {
        for step in &self.steps {
            let target = rng.choice(&step.targets).expect("a step has a target");
            let response = connection.ask(&Request::get(target.as_str()));
            let found = body(&response);
            let unnumbered = found.split_once(" (fault ").map_or(found.as_str(), |(verdict, _)| verdict);
            let expected = (step.status, step.body(function(target)));
            assert_eq!((response.status, unnumbered.to_owned()), expected, "{target} in {}", self.line);
        }
        self.steps.len()
    }
}

/// Makes each attack, and asks hello right after it: how many requests the attacks took. `faults` counts those that the
/// kernel numbered.
///
/// Panics if a verdict is not the table's, or hello's answer not as ever.
pub fn expect_all<'a>(rows: impl IntoIterator<Item = &'a Row>, connection: &mut Connection, faults: &mut u32) -> usize {
    let one = |row: &Row| {
        let made = row.attack(connection, faults);
        let hello = connection.ask(&Request::get("/hello"));
        assert_eq!((hello.status, hello.text().as_str()), (200, "hello, world\n"), "after {}", row.line);
        made
    };
    rows.into_iter().map(one).sum()
}

impl Step {
    /// Whether the kernel numbers it.
    fn is_fault(&self) -> bool {
        matches!(self.status, 502 | 504 | 507)
    }

    /// The body that the verdict means, without a number.
    fn body(&self, function: &str) -> String {
        let verdict = &self.verdict;
        match self.status {
            502 => format!("{function} broke: {verdict}"),
            504 => format!("{function} ran past its limit of {verdict}"),
            507 => format!("{function} asked for more memory than its limit of {verdict}"),
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
pub fn path(target: &str) -> &str {
    target.split_once('?').map_or(target, |(path, _)| path)
}

/// The first segment of a path: the function's route.
pub fn function(path: &str) -> &str {
    path.split('/').nth(1).unwrap_or_default()
}

/// The rows of docs/attacks.md.
pub fn table() -> Vec<Row> {
    tables().0
}

/// The same on a processor: a row of the second table stands in for the one with the same requests.
pub fn table_of_a_processor() -> Vec<Row> {
    let (mut rows, others) = tables();
    for other in others {
        let same = rows.iter().position(|row| row.targets().eq(other.targets()));
        let same = same.unwrap_or_else(|| panic!("no such row in the first table: {}", other.line));
        rows[same] = other;
    }
    rows
}

fn tables() -> (Vec<Row>, Vec<Row>) {
    let file = images::source_root().join("docs/attacks.md");
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let (first, second) = text.split_once(PROCESSOR).expect("it has two tables");
    let rows = |text: &str| text.lines().filter(|line| line.starts_with("| `/")).map(row).collect();
    (rows(first), rows(second))
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
