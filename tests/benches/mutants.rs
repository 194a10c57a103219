//! Checks the checks: switches off one protection after another, as tests/mutants.toml lists them, and sees whether the test
//! that is named for each goes red.
//!
//! `cargo bench -p mayfly-tests --bench mutants --profile dev [-- --only NAME]…`, or `make mutants`

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use lexopt::prelude::*;
use mayfly_tests::{SourceCopy, images};

/// Longest that one mutant may take, in seconds: building what it changes, and its test.
const LIMIT: u32 = 600;

/// A protection switched off by a change to one place of the source.
#[derive(Clone)]
struct Mutant {
    name: String,
    protection: String,
    file: String,
    find: String,
    replace: String,
    /// Cargo's words for where the test is, and its full name.
    test: String,
    /// What the test says when it goes red for the right reason. Empty if there is but one.
    says: String,
}

/// How a test run ended.
enum Verdict {
    Green,
    /// The test failed, with what it printed.
    Red(String),
    /// There was no test that could fail: it did not compile, or took too long.
    None(String),
}

fn main() -> ExitCode {
    let chosen = options().unwrap_or_else(|error| panic!("{error}"));
    let mut mutants = read(&images::source_root().join("tests/mutants.toml"));
    let known: BTreeSet<_> = mutants.iter().map(|mutant| mutant.name.clone()).collect();
    assert_eq!(known.len(), mutants.len(), "two mutants have the same name");
    if let Some(unknown) = chosen.iter().find(|name| !known.contains(*name)) {
        panic!("tests/mutants.toml has no mutant {unknown}");
    }
    mutants.retain(|mutant| chosen.is_empty() || chosen.contains(&mutant.name));

    let scratch = Scratch::new();
    let tests: BTreeSet<_> = mutants.iter().map(|mutant| &mutant.test).collect();
    for test in tests {
        let started = Instant::now();
        match scratch.run(test) {
            Verdict::Green => println!("green without a mutant: {test}, {:.0?}", started.elapsed()),
            Verdict::Red(output) | Verdict::None(output) => panic!("not green without a mutant: {test}\n{output}"),
        }
    }

    println!("\n| mutant | protection | test that notices | by saying | seconds |\n|---|---|---|---|---|");
    let mut noticed = 0;
    for mutant in &mutants {
        let started = Instant::now();
        let result = scratch.try_out(mutant);
        let seconds = started.elapsed().as_secs();
        let test = mutant.test.split(' ').next_back().unwrap_or_default();
        match result {
            Ok(()) => {
                noticed += 1;
                println!(
                    "| {} | {} | `{test}` | {} | {seconds} |",
                    mutant.name,
                    mutant.protection,
                    mutant.says.replace('|', " ")
                );
            }
            Err(why) => println!("| {} | {} | `{test}` | **{why}** | {seconds} |", mutant.name, mutant.protection),
        }
    }
    println!("\n{noticed} of {} noticed", mutants.len());
    if noticed == mutants.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The names behind `--only`.
fn options() -> Result<BTreeSet<String>, lexopt::Error> {
    let mut only = BTreeSet::new();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("only") => _ = only.insert(parser.value()?.string()?),
            // What `cargo bench` adds.
            Long("bench") => {}
            other => return Err(other.unexpected()),
        }
    }
    Ok(only)
}

fn read(file: &Path) -> Vec<Mutant> {
    let text = fs::read_to_string(file).expect("the list of mutants is there");
    let list: toml::Table = text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mutants = list["mutant"].as_array().expect("a list of mutants").iter().map(|mutant| {
        let optional = |key: &str| mutant.get(key).and_then(toml::Value::as_str).map(str::to_owned);
        let field = |key: &str| optional(key).unwrap_or_else(|| panic!("`{key}` is missing in {mutant:?}"));
        Mutant {
            name: field("name"),
            protection: field("protection"),
            file: field("file"),
            find: field("find"),
            replace: field("replace"),
            test: field("test"),
            says: optional("says").unwrap_or_default(),
        }
    });
    mutants.collect()
}

/// Tests of a copy of the source.
struct Scratch(SourceCopy);

impl Scratch {
    fn new() -> Self {
        Self(SourceCopy::new("mutants", |_, bytes| bytes))
    }

    /// Makes the change, runs the test and takes the change back. An error if the test does not notice.
    fn try_out(&self, mutant: &Mutant) -> Result<(), String> {
        let path = self.0.tree().join(&mutant.file);
        let source = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", mutant.file))?;
        let places = source.matches(&mutant.find).count();
        if places != 1 {
            return Err(format!("its text stands {places} times in {}", mutant.file));
        }
        self.0.write(&mutant.file, source.replace(&mutant.find, &mutant.replace).as_bytes());
        let verdict = self.run(&mutant.test);
        self.0.write(&mutant.file, source.as_bytes());
        match verdict {
            Verdict::Green => Err("survives".to_owned()),
            Verdict::Red(output) if output.contains(&mutant.says) => Ok(()),
            Verdict::Red(output) => {
                Err(format!("red without saying `{}`: {}", mutant.says, self.keep(mutant, &output)))
            }
            Verdict::None(output) => Err(format!("no verdict: {}", self.keep(mutant, &output))),
        }
    }

    /// Keeps an output to be read, and says where.
    fn keep(&self, mutant: &Mutant, output: &str) -> String {
        let file = self.0.target().join(format!("{}.log", mutant.name));
        fs::write(&file, output).expect("there is room");
        file.display().to_string()
    }

    /// Runs a test of the copy.
    fn run(&self, test: &str) -> Verdict {
        // Ends cargo, the test and its machine together.
        let mut command = Command::new("timeout");
        command.args(["--kill-after=10", &LIMIT.to_string(), "cargo", "test", "--color=never"]);
        command.args(test.split(' ')).args(["--", "--exact", "--test-threads=1"]);
        command.current_dir(self.0.tree()).env("CARGO_TARGET_DIR", self.0.target()).stdin(Stdio::null());
        let output = command.output().expect("timeout, of the coreutils, is there");
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        if text.contains("test result: FAILED. 0 passed; 1 failed") && !text.contains("could not compile") {
            Verdict::Red(text)
        } else if output.status.success() && text.contains("test result: ok. 1 passed") {
            Verdict::Green
        } else {
            Verdict::None(text)
        }
    }
}
