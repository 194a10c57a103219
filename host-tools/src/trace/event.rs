//! The file: Chrome's Trace Event Format, which Perfetto reads too. Times are in microseconds.
//!
//! <https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU>

use std::env;
use std::time::Duration;

use serde::Serialize;

use super::timeline::{Lane, Measured, Span};
use crate::bench::session;
use crate::results::Environment;

/// The whole file.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Trace<'a> {
    trace_events: Vec<Event<'a>>,
    display_time_unit: &'static str,
    other_data: OtherData,
}

/// Where it was made.
#[derive(Serialize)]
struct OtherData {
    command: String,
    environment: Environment,
}

/// A name of a lane, or a span.
#[derive(Serialize)]
#[serde(tag = "ph")]
enum Event<'a> {
    /// Metadata.
    M {
        name: &'static str,
        pid: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        tid: Option<u32>,
        args: Metadata,
    },
    /// Something with a beginning and an end.
    X { name: &'a str, cat: &'static str, pid: u32, tid: u32, ts: f64, dur: f64, args: Arguments },
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Metadata {
    Name(&'static str),
    SortIndex(u32),
}

/// What is shown of a span that was clicked.
#[derive(Default, Serialize)]
struct Arguments {
    #[serde(skip_serializing_if = "Option::is_none")]
    ticks: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uncertainty_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<u64>,
}

impl<'a> Trace<'a> {
    pub(super) fn new(spans: &'a [Span], environment: Environment) -> Self {
        let processes = [(process(Lane::Qemu), "host"), (process(Lane::Boot), "guest")];
        let processes = processes.into_iter().flat_map(|(pid, name)| {
            [("process_name", Metadata::Name(name)), ("process_sort_index", Metadata::SortIndex(pid))]
                .map(|(name, args)| Event::M { name, pid, tid: None, args })
        });
        let lanes = Lane::ALL.into_iter().flat_map(|lane| {
            [("thread_name", Metadata::Name(lane.name())), ("thread_sort_index", Metadata::SortIndex(thread(lane)))]
                .map(|(name, args)| Event::M { name, pid: process(lane), tid: Some(thread(lane)), args })
        });
        let spans = spans.iter().map(|span| {
            let from = microseconds(span.from);
            Event::X {
                name: &span.name,
                cat: span.lane.name(),
                pid: process(span.lane),
                tid: thread(span.lane),
                ts: from,
                dur: microseconds(span.to.saturating_sub(span.from)),
                args: span.guest.map(Arguments::from).unwrap_or_default(),
            }
        });
        Self {
            trace_events: processes.chain(lanes).chain(spans).collect(),
            display_time_unit: "ns",
            other_data: OtherData { command: session::command(env::args().skip(1)), environment },
        }
    }
}

impl From<Measured> for Arguments {
    fn from(Measured { ticks, uncertainty, instructions }: Measured) -> Self {
        Self { ticks: Some(ticks), uncertainty_us: Some(microseconds(uncertainty)), instructions }
    }
}

fn process(lane: Lane) -> u32 {
    if lane.is_guest() { 2 } else { 1 }
}

fn thread(lane: Lane) -> u32 {
    lane as u32 + 1
}

/// To the nanosecond.
fn microseconds(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1e3
}
