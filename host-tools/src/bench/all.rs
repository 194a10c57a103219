//! `mayfly bench all`: every benchmark at a modest size, one after another, and a page of what they found.

use std::env;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, ensure};

use super::peers::Choice;
use crate::build::{self, DEFAULT_IMAGE, source_root};
use crate::report;

/// What is measured, in this order: a benchmark, and how much of it.
const STEPS: [(&str, &str); 8] = [
    ("boot", "--runs 20"),
    ("boot", "--metric insn"),
    ("load", "--runs 4 --seconds 2"),
    ("cold", "--functions 1,100,10000 --runs 30"),
    ("warm", "--runs 10"),
    ("density", ""),
    ("scale", "--functions 1,100,10000 --runs 10"),
    ("isolation", "--runs 10"),
];
/// Benchmarks that other systems take part in.
const WITH_PEERS: [&str; 2] = ["boot", "load"];
/// Where the results go, which are made anew.
const RESULTS: &str = "build/results.jsonl";
/// Where the page goes.
const PAGE: &str = "build/report.html";

/// Measures everything once, at a modest size, and makes a page of it.
///
/// Prepares the peers that can be made without a person, builds an image of functions/hello, runs one benchmark after
/// another, and writes build/results.jsonl and build/report.html anew. A peer that cannot be prepared is left out with a
/// sentence; a benchmark that fails does not keep the others from being made.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  mayfly bench all --no-peers")]
pub(super) struct Args {
    #[command(flatten)]
    peers: Choice,
}

/// Carries out `mayfly bench all`. Fails if a benchmark did.
pub(super) fn main(args: Args) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    for peer in args.peers.wanted()? {
        if peer.can_be_made()?
            && let Err(error) = super::prepare(&peer)
        {
            eprintln!("mayfly: {} is left out, because it cannot be prepared: {error:#}", peer.name);
        }
    }
    build::build(&[source_root()?.join("functions/hello")], Path::new(DEFAULT_IMAGE), None)?;
    match fs::remove_file(RESULTS) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).context(format!("cannot write {RESULTS} anew"));
        }
        _ => {}
    }
    let program = env::current_exe().context("cannot find this very program")?;
    let failed = run(&program, &steps(&args.peers));
    ensure!(Path::new(RESULTS).exists(), "nothing could be measured; what each benchmark said is above");

    report::make(&[RESULTS.into()], Path::new(PAGE))?;
    let page = fs::canonicalize(PAGE).context("the page is gone")?;
    let seconds = started.elapsed().as_secs();
    if !failed.is_empty() {
        eprintln!("mayfly: these benchmarks failed: {}; what they said is above", failed.join(", "));
    }
    let done = STEPS.len() - failed.len();
    println!("{done} of {} benchmarks in {} min {} s; the page is", STEPS.len(), seconds / 60, seconds % 60);
    println!("{}", page.display());
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The command lines of all benchmarks.
fn steps(peers: &Choice) -> Vec<Vec<String>> {
    let words = |(name, options): &(&str, &str)| {
        let mut words = vec!["bench".to_owned(), (*name).to_owned()];
        words.extend(options.split_whitespace().map(str::to_owned));
        if WITH_PEERS.contains(name) {
            words.extend(peers.words());
        }
        words.extend(["--json", RESULTS].map(str::to_owned));
        words
    };
    STEPS.iter().map(words).collect()
}

/// Runs `program` with each of these command lines, so that results hold the very command that repeats them. Gives the names
/// of the benchmarks that failed.
fn run(program: &Path, steps: &[Vec<String>]) -> Vec<String> {
    let mut failed = Vec::new();
    for (at, words) in steps.iter().enumerate() {
        println!("{} of {}: mayfly {}\n", at + 1, steps.len(), words.join(" "));
        let status = Command::new(program).args(words).status();
        println!();
        match status {
            Ok(status) if status.success() => {}
            Ok(_) => failed.extend(words.get(1).cloned()),
            Err(error) => {
                eprintln!("mayfly: cannot run {}: {error}", program.display());
                failed.extend(words.get(1).cloned());
            }
        }
    }
    failed
}

#[cfg(test)]
mod tests {
    use super::super::What;
    use super::*;
    use clap::Parser;

    /// What follows `mayfly`.
    #[derive(Parser)]
    struct Bench {
        #[command(subcommand)]
        what: What,
    }

    #[test]
    fn every_step_is_a_command_that_there_is_and_every_benchmark_is_among_them() {
        let mut names = Vec::new();
        for words in steps(&Choice::none()) {
            if let Err(error) = Bench::try_parse_from(&words) {
                panic!("{words:?}: {error}");
            }
            assert_eq!(words.contains(&"--no-peers".to_owned()), WITH_PEERS.contains(&words[1].as_str()), "{words:?}");
            names.push(words[1].clone());
        }
        let command = <Bench as clap::CommandFactory>::command();
        let mut all: Vec<_> = command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
        all.retain(|name| name != "all");
        names.sort();
        names.dedup();
        all.sort();
        assert_eq!(names, all);
    }

    #[test]
    fn a_benchmark_that_fails_does_not_keep_the_others_from_being_made() {
        let step = |script: &str, name: &str| ["-c", name, script].map(str::to_owned).to_vec();
        // A shell takes its second word as the script: the name is one that succeeds or fails.
        let steps = [step("", "true"), step("", "false"), step("", "exit 3"), step("", "true")];
        assert_eq!(run(Path::new("sh"), &steps), ["false", "exit 3"]);
        assert_eq!(run(Path::new("/no/such/program"), &steps).len(), 4);
    }
}
