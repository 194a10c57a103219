//! What every benchmark has in common: options, where it was made, and the results that it leaves.

use std::env;
use std::path::PathBuf;

use mayfly_qemu::accelerator::{self, Verdict};
use mayfly_qemu::{Accelerator, Launch};

use super::images::Made;
use crate::results::{self, Benchmark, Environment, Image, Parameter, Record, SCHEMA, Series};

/// Options of every benchmark.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Common {
    /// Add the results to a file, each as a line of JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// What executes the machines' instructions while time is taken: auto, tcg or kvm.
    #[arg(long, value_name = "NAME", default_value = "auto")]
    accel: accelerator::Choice,
}

impl Common {
    /// Nothing said.
    pub(super) fn new() -> Self {
        Self { json: None, accel: accelerator::Choice::Auto }
    }

    /// Decides what executes the machines' instructions.
    pub(super) fn accelerator(&self) -> anyhow::Result<Verdict> {
        Ok(accelerator::choose(self.accel)?)
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
        let environment = Environment::gather(image, launch, verdict)?;
        Ok(Self { benchmark, environment, json: common.json.clone(), records: Vec::new() })
    }

    /// Where it is made.
    pub(super) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Notes a result of Mayfly's. `warmup`: runs before it that are not in it.
    pub(super) fn add<const N: usize>(
        &mut self,
        parameters: [(&str, Parameter); N],
        warmup: u32,
        series: impl IntoIterator<Item = Series>,
    ) {
        let subject = Subject { system: "mayfly".to_owned(), line: self.environment.line.clone(), notes: Vec::new() };
        self.add_of(subject, parameters, warmup, series);
    }

    /// Notes a result of Mayfly's on an image that was made for it.
    pub(super) fn add_on<const N: usize>(
        &mut self,
        made: &Made,
        accelerator: Accelerator,
        parameters: [(&str, Parameter); N],
        warmup: u32,
        series: impl IntoIterator<Item = Series>,
    ) {
        let line = made.described(accelerator).template().to_string();
        let subject = Subject { system: "mayfly".to_owned(), line, notes: Vec::new() };
        self.add_of(subject, parameters, warmup, series);
        if let Some(record) = self.records.last_mut() {
            record.environment.image = made.image.clone();
        }
    }

    /// Notes a result of any system's.
    pub(super) fn add_of<const N: usize>(
        &mut self,
        subject: Subject,
        parameters: [(&str, Parameter); N],
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
            command: command(env::args().skip(1)),
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
fn command(arguments: impl Iterator<Item = String>) -> String {
    let mut line = mayfly_qemu::CommandLine::new("mayfly");
    for argument in arguments {
        line.arg(argument);
    }
    line.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_typed_again() {
        let words = ["bench", "boot", "--path", "/hello world"].map(str::to_owned);
        assert_eq!(command(words.into_iter()), "mayfly bench boot --path '/hello world'");
    }
}
