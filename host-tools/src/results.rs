//! What a benchmark leaves: a line of JSON for each result, with all that is needed to judge it. docs/results.md has the fields.

mod environment;
mod file;
mod summary;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::environment::{Environment, Host, Image, Revision};
pub(crate) use self::file::check_place;
pub use self::file::{append, read};
pub use self::summary::{Summary, distribution};

/// The version of this format.
pub const SCHEMA: u32 = 1;
/// Most values of a series that a record holds.
const VALUES_MAX: usize = 1000;

/// A result: one system, measured in one way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The version of this format.
    pub schema: u32,
    /// What was done.
    pub benchmark: Benchmark,
    /// What was measured: `mayfly`, or the name of a peer.
    pub system: String,
    /// What sets it apart from the benchmark's other results, such as `connections`.
    pub parameters: BTreeMap<String, Parameter>,
    /// Runs that were made before and are not counted.
    pub warmup: u32,
    /// What was found.
    pub series: Vec<Series>,
    /// Sentences without which the figures could be misunderstood.
    pub notes: Vec<String>,
    /// The command that measured.
    pub command: String,
    /// Where and with what it was measured.
    pub environment: Environment,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Benchmark {
    /// From power-on to the first response.
    Boot,
    /// Many connections that ask all the time.
    Load,
    /// The first request of a function that was never used.
    Cold,
    /// What a function that does nothing adds to a request.
    Warm,
    /// Resident functions against memory.
    Density,
    /// What a request costs as something grows.
    Scale,
    /// Isolation backends side by side.
    Isolation,
}

impl Benchmark {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Boot => "boot",
            Self::Load => "load",
            Self::Cold => "cold",
            Self::Warm => "warm",
            Self::Density => "density",
            Self::Scale => "scale",
            Self::Isolation => "isolation",
        }
    }
}

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Parameter {
    /// A number, along which results can be drawn as a line.
    Number(f64),
    /// A word.
    Word(String),
}

impl From<u64> for Parameter {
    fn from(number: u64) -> Self {
        Self::Number(number as f64)
    }
}

impl From<&str> for Parameter {
    fn from(word: &str) -> Self {
        Self::Word(word.to_owned())
    }
}

/// What the values of a series are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Unit {
    /// Milliseconds.
    #[serde(rename = "ms")]
    Milliseconds,
    /// Microseconds.
    #[serde(rename = "us")]
    Microseconds,
    /// Instructions of the guest.
    #[serde(rename = "instructions")]
    Instructions,
    /// So many a second.
    #[serde(rename = "per second")]
    PerSecond,
    /// 1024 bytes.
    #[serde(rename = "KiB")]
    Kibibytes,
    /// How many.
    #[serde(rename = "count")]
    Count,
    /// A part of a whole, or how many times as much.
    #[serde(rename = "ratio")]
    Ratio,
}

/// Who knows a series' times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The kernel stamped them.
    Guest,
    /// QEMU or the client saw them.
    Host,
}

/// One figure, measured again and again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// What was measured.
    pub name: String,
    /// What its values are.
    pub unit: Unit,
    /// Of a point of a boot: who reached it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
    /// Every value in the order in which it was measured; if there are more than 1,000, a thousand of them in ascending order,
    /// evenly spaced from the least to the greatest.
    pub values: Vec<f64>,
    /// What all values together say.
    pub summary: Summary,
}

impl Series {
    /// Of values in the order in which they were measured; `None` if there are none.
    pub fn new(name: impl Into<String>, unit: Unit, values: Vec<f64>) -> Option<Self> {
        let summary = Summary::of(values.iter().copied())?;
        Some(Self { name: name.into(), unit, side: None, values: thin(values), summary })
    }
}

impl Record {
    /// The series of this name.
    pub fn series(&self, name: &str) -> Option<&Series> {
        self.series.iter().find(|series| series.name == name)
    }
}

/// At most [`VALUES_MAX`] of the values.
fn thin(mut values: Vec<f64>) -> Vec<f64> {
    if values.len() <= VALUES_MAX {
        return values;
    }
    values.sort_by(f64::total_cmp);
    let last = values.len() - 1;
    (0..VALUES_MAX).map(|at| values[at * last / (VALUES_MAX - 1)]).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) use super::environment::tests::environment;

    #[test]
    fn a_long_series_keeps_its_ends_and_its_summary() {
        let values: Vec<_> = (0..5000).rev().map(f64::from).collect();
        let series = Series::new("latency", Unit::Microseconds, values).expect("there are values");
        assert_eq!(series.values.len(), VALUES_MAX);
        assert_eq!((series.values[0], series.values[VALUES_MAX - 1]), (0.0, 4999.0));
        assert_eq!((series.summary.count, series.summary.median), (5000, 2499.5));
    }

    #[test]
    fn a_short_series_stays_as_it_was_measured() {
        let series = Series::new("floor", Unit::Milliseconds, vec![3.0, 1.0, 2.0]).expect("there are values");
        assert_eq!(series.values, [3.0, 1.0, 2.0]);
        assert_eq!(Series::new("nothing", Unit::Count, Vec::new()), None);
    }
}
