//! `mayfly trace`: what it writes is a timeline that viewers can draw, and its guest and host fit together.

use std::collections::BTreeMap;
use std::fs;
use std::process::Output;

use mayfly_tests::images;
use serde::Deserialize;

/// The format, as far as it is used. Whatever else is in a file is an error.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Trace {
    trace_events: Vec<Event>,
    display_time_unit: String,
    other_data: OtherData,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OtherData {
    command: String,
    environment: mayfly::results::Environment,
}

#[derive(Deserialize)]
#[serde(tag = "ph", deny_unknown_fields)]
enum Event {
    M { name: String, pid: u32, tid: Option<u32>, args: Metadata },
    X(Span),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Metadata {
    Name(String),
    SortIndex(u32),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Span {
    name: String,
    cat: String,
    pid: u32,
    tid: u32,
    ts: f64,
    dur: f64,
    args: Args,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Args {
    ticks: Option<u64>,
    uncertainty_us: Option<f64>,
    instructions: Option<u64>,
}

impl Span {
    fn end(&self) -> f64 {
        self.ts + self.dur
    }

    /// Does this one lie within the other? Times are to the nanosecond.
    fn is_within(&self, other: &Self) -> bool {
        self.ts >= other.ts - 0.001 && self.end() <= other.end() + 0.001
    }
}

const REQUESTS: usize = 3;
/// The guest's steps of each request, in order.
const STEPS: [&str; 7] = ["parse", "domain", "schedule", "ring 3", "transmit", "reset", "rest"];

fn trace(options: &[&str]) -> Output {
    let mut command = images::mayfly();
    command.args(["trace", "--accel", "tcg", "--image"]).arg(images::hello()).args(options);
    command.output().expect("cargo runs")
}

/// The spans of a timeline whose format is right, and the names of their lanes.
fn read() -> (Vec<Span>, BTreeMap<(u32, u32), String>) {
    let file = images::place("trace.json");
    let output = trace(&["--requests", &REQUESTS.to_string(), "--instructions", "-o", file.to_str().expect("ASCII")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(&file).expect("it was written");
    let trace: Trace = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
    let OtherData { command, environment } = &trace.other_data;
    assert!(command.starts_with("mayfly trace ") && trace.display_time_unit == "ns", "{command}");
    assert_eq!((environment.accelerator.as_str(), environment.image.sha256.len()), ("tcg", 64));
    let (mut processes, mut lanes, mut order, mut spans) = (BTreeMap::new(), BTreeMap::new(), 0, Vec::new());
    for event in trace.trace_events {
        match event {
            Event::M { name, pid, tid: None, args: Metadata::Name(process) } if name == "process_name" => {
                processes.insert(pid, process);
            }
            Event::M { name, pid, tid: Some(tid), args: Metadata::Name(lane) } if name == "thread_name" => {
                lanes.insert((pid, tid), format!("{}: {lane}", processes[&pid]));
            }
            Event::M { name, args: Metadata::SortIndex(index), .. } if name.ends_with("_sort_index") && index > 0 => {
                order += 1;
            }
            Event::M { name, .. } => panic!("there is no metadata {name}"),
            Event::X(span) => spans.push(span),
        }
    }
    assert_eq!(order, processes.len() + lanes.len());
    (spans, lanes)
}

#[test]
fn a_timeline_has_every_phase_on_one_clock_and_its_spans_nest() {
    let (spans, lanes) = read();
    let names: Vec<_> = lanes.values().map(String::as_str).collect();
    let expected = ["host: QEMU and firmware", "host: client", "guest: boot", "guest: network", "guest: requests"];
    assert_eq!(names, expected);

    let on = |lane: &str| -> Vec<&Span> {
        let place = lanes.iter().find(|(_, name)| *name == lane).map(|(place, _)| *place).expect("it is named");
        spans.iter().filter(|span| (span.pid, span.tid) == place).collect()
    };
    let mut count = 0;
    for lane in expected {
        let spans = on(lane);
        count += spans.len();
        let mut open: Vec<&Span> = Vec::new();
        for span in spans {
            assert!(span.ts >= 0.0 && span.dur >= 0.0 && lane.ends_with(&span.cat), "{span:?}");
            assert_eq!(span.args.ticks.is_some(), lane.starts_with("guest"), "{span:?}");
            assert_eq!(span.args.uncertainty_us.is_some(), lane.starts_with("guest"), "{span:?}");
            open.retain(|outer| outer.end() > span.ts + 0.001);
            assert!(open.iter().all(|outer| span.is_within(outer)), "{span:?} reaches out of {open:?}");
            open.push(span);
        }
    }
    assert_eq!(count, spans.len(), "a span is on a lane without a name");

    let boot: Vec<_> = on("guest: boot").iter().map(|span| span.name.clone()).collect();
    let steps =
        ["loader: long mode", "loader: hand-over; kernel: traps", "memory", "network card", "network and executor"];
    assert_eq!(boot, [["boot"].as_slice(), &steps].concat());
    let network: Vec<_> = on("guest: network").iter().map(|span| span.name.clone()).collect();
    assert_eq!(network[..2], ["waiting for a packet", "waiting for a connection"]);
    assert_eq!(network.iter().filter(|name| *name == "TCP handshake").count(), 1 + REQUESTS);

    let requests = on("guest: requests");
    let client = on("host: client");
    let client: Vec<_> = client.chunk_by(|_, next| !next.name.starts_with("GET ")).collect();
    assert_eq!((requests.len(), client.len()), ((1 + REQUESTS) * 8, 1 + REQUESTS));
    let seen = requests.chunks(8).zip(client).enumerate();
    for (number, (guest, host)) in seen {
        let [whole, steps @ ..] = guest else { panic!("there are eight") };
        // An answer that came in pieces was received for some time, too.
        let [asked, connect, send, wait, ..] = host else { panic!("there are at least four") };
        assert_eq!(whole.name, format!("request {}", number + 1));
        assert_eq!(asked.name, format!("GET /hello, request {}", number + 1));
        assert_eq!(steps.iter().map(|span| span.name.as_str()).collect::<Vec<_>>(), STEPS);
        assert_eq!([connect, send, wait].map(|span| span.name.as_str()), ["connect", "send", "wait"]);
        // One after another without a gap, and the whole is their sum.
        assert!(steps.windows(2).all(|pair| (pair[0].end() - pair[1].ts).abs() < 0.001), "{steps:?}");
        let sum = |of: fn(&Args) -> Option<u64>| steps.iter().map(|span| of(&span.args).expect("it is there")).sum();
        assert_eq!(
            (whole.args.ticks, whole.args.instructions),
            (Some(sum(|args| args.ticks)), Some(sum(|args| args.instructions)))
        );
        // The guest cannot have the request before it was sent, nor the client the answer before it was made.
        let slack = whole.args.uncertainty_us.expect("it is the guest's");
        assert!(whole.ts + slack >= send.ts, "{whole:?} {send:?}");
        assert!(steps[3].name == "ring 3" && steps[3].end() - slack <= wait.end(), "{:?} {wait:?}", steps[3]);
    }
}

#[test]
fn a_path_that_is_not_answered_with_a_success_has_no_timeline() {
    let file = images::place("no-trace.json");
    let output = trace(&["--path", "/nothing", "-o", file.to_str().expect("ASCII")]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("GET /nothing: the answer has status 404"), "{said}");
    assert!(!file.exists());
}
