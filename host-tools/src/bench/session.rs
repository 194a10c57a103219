//! What every benchmark has in common: options, where it was made, and the results that it leaves.

use std::env;
use std::path::PathBuf;

use anyhow::ensure;
use mayfly_qemu::accelerator::{self, Choice, Verdict};
use mayfly_qemu::{Accelerator, Launch};

use crate::results::{self, Benchmark, Environment, Image, Parameter, Record, SCHEMA, Series};

/// What is measured of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Metric {
    /// How long it takes.
    Time,
    /// How many instructions the guest executes: the same in every run, on every host.
    Insn,
}

/// Options of every benchmark.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Common {
    /// Measure time, or count the guest's instructions: nothing is timed then, --runs has no say, and the result is the same
    /// every time.
    #[arg(long, value_name = "METRIC", default_value = "time")]
    metric: Metric,
    /// Add the results to a file, each as a line of JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// What executes the machines' instructions while time is taken: auto, tcg or kvm.
    #[arg(long, value_name = "NAME", default_value = "auto")]
    accel: Choice,
}

impl Common {
    /// Nothing said.
    pub(super) fn new() -> Self {
        Self::of(Metric::Time, Choice::Auto)
    }

    /// Results that are left nowhere.
    pub(super) fn of(metric: Metric, accel: Choice) -> Self {
        Self { metric, json: None, accel }
    }

    /// Whether instructions are counted and nothing is timed.
    pub(super) fn counts(&self) -> bool {
        self.metric == Metric::Insn
    }

    /// How many of `runs` are timed: none if instructions are counted.
    pub(super) fn timed(&self, runs: u32) -> u32 {
        if self.counts() { 0 } else { runs }
    }

    /// Decides what executes the machines' instructions.
    pub(super) fn accelerator(&self) -> anyhow::Result<Verdict> {
        if !self.counts() {
            return Ok(accelerator::choose(self.accel)?);
        }
        ensure!(
            self.accel != Choice::Fixed(Accelerator::Kvm),
            "instructions are counted by QEMU's TCG: leave out --accel kvm or --metric insn"
        );
        Ok(Verdict { accelerator: Accelerator::Tcg, reason: "it counts instructions".to_owned() })
    }

    /// A machine that boots `image`, as the benchmark wants it.
    pub(super) fn launch(&self, image: impl Into<PathBuf>, verdict: &Verdict) -> Launch {
        let launch = Launch::new(image).accelerator(verdict.accelerator);
        if self.counts() { launch.icount() } else { launch }
    }
}

/// Who a result is of.
pub(super) struct Subject {
    /// `mayfly`, or a peer's name.
    pub(super) system: String,
    /// The command line that it runs by.
    pub(super) line: String,
    /// What has to be known of it.
    pub(super) notes: Vec<String>,
}

/// A benchmark that is being made.
pub(super) struct Session {
    benchmark: Benchmark,
    environment: Environment,
    json: Option<PathBuf>,
    /// The command that measures.
    command: String,
    records: Vec<Record>,
}

impl Session {
    /// Before anything is measured. `launch`: how the image is booted.
    pub(super) fn begin(
        benchmark: Benchmark,
        common: &Common,
        image: Image,
        launch: &Launch,
        verdict: &Verdict,
    ) -> anyhow::Result<Self> {
        // Now rather than when all is measured.
        common.json.as_deref().map_or(Ok(()), results::check_place)?;
        let mut environment = Environment::gather(image, launch, verdict)?;
        let mut words: Vec<_> = env::args().skip(1).collect();
        if common.counts() {
            // What is counted is the same wherever it is counted, and wherever it is written.
            environment.host = None;
            words = without_json(words);
        }
        Ok(Self {
            benchmark,
            environment,
            json: common.json.clone(),
            command: command(words.into_iter()),
            records: Vec::new(),
        })
    }

    /// Where it is made.
    pub(super) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Mayfly, by the command line of the environment. `notes`: what has to be known of it.
    pub(super) fn own(&self, notes: Vec<String>) -> Subject {
        Subject { system: "mayfly".to_owned(), line: self.environment.line.clone(), notes }
    }

    /// Notes a result of Mayfly's. `warmup`: runs before it that are not in it.
    pub(super) fn add<'a>(
        &mut self,
        parameters: impl IntoIterator<Item = (&'a str, Parameter)>,
        warmup: u32,
        series: impl IntoIterator<Item = Series>,
    ) {
        self.add_of(self.own(Vec::new()), parameters, warmup, series);
    }

    /// Notes a result of Mayfly's on an image that was made for it. `launch`: how its machine is booted.
    pub(super) fn add_on<'a>(
        &mut self,
        image: &Image,
        launch: &Launch,
        parameters: impl IntoIterator<Item = (&'a str, Parameter)>,
        warmup: u32,
        series: impl IntoIterator<Item = Series>,
    ) {
        let subject = Subject { line: launch.template().to_string(), ..self.own(Vec::new()) };
        self.add_of(subject, parameters, warmup, series);
        if let Some(record) = self.records.last_mut() {
            record.environment.image = image.clone();
        }
    }

    /// Notes a result of any system's.
    pub(super) fn add_of<'a>(
        &mut self,
        subject: Subject,
        parameters: impl IntoIterator<Item = (&'a str, Parameter)>,
        warmup: u32,
        series: impl IntoIterator<Item = Series>,
    ) {
        let Subject { system, line, notes } = subject;
        self.records.push(Record {
            schema: SCHEMA,
            benchmark: self.benchmark,
            system,
            parameters: parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            warmup,
            series: series.into_iter().collect(),
            notes,
            command: self.command.clone(),
            environment: Environment { line, ..self.environment.clone() },
        });
    }

    /// After everything was measured: leaves the results where the user wants them.
    pub(super) fn end(mut self) -> anyhow::Result<Vec<Record>> {
        self.environment.end();
        for record in &mut self.records {
            record.environment.host.clone_from(&self.environment.host);
        }
        if let Some(path) = &self.json {
            results::append(path, &self.records)?;
            println!("results: {} more in {}", self.records.len(), path.display());
        }
        Ok(self.records)
    }
}

/// A command line that can be typed again.
pub(crate) fn command(arguments: impl Iterator<Item = String>) -> String {
    let mut line = mayfly_qemu::CommandLine::new("mayfly");
    for argument in arguments {
        line.arg(argument);
    }
    line.to_string()
}

/// The arguments, but for where the results go.
fn without_json(arguments: Vec<String>) -> Vec<String> {
    let mut kept = Vec::new();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        if argument == "--json" {
            arguments.next();
        } else if !argument.starts_with("--json=") {
            kept.push(argument);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_counted_results_go_is_none_of_them() {
        for words in [&["boot", "--json", "a", "--runs", "2"][..], &["boot", "--json=b", "--runs", "2"]] {
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(without_json(words), ["boot", "--runs", "2"]);
        }
        assert!(without_json(vec!["--json".to_owned()]).is_empty());
    }

    #[test]
    fn a_command_can_be_typed_again() {
        let words = ["bench", "boot", "--path", "/hello world"].map(str::to_owned);
        assert_eq!(command(words.into_iter()), "mayfly bench boot --path '/hello world'");
    }
}
