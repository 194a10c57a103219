//! `mayfly bench boot` and `bench load`, briefly: not their figures, but that there are some, and that wrong answers are noticed.
//! And that what `mayfly bench --metric insn` counts is the same every time.

use std::fs;
use std::path::Path;

use mayfly::results::{self, Parameter, Record, Unit};
use mayfly_tests::images;

/// A turn of a second with these options: whether it was a success, what it said, and Mayfly's results.
fn measure(name: &str, options: &[&str]) -> (bool, String, Vec<Record>) {
    let image = images::hello().to_str().expect("its name is ASCII");
    let arguments = ["load", "--seconds", "1", "--runs", "1", "--accel", "tcg", "--image", image];
    let (success, said, records) = bench(name, &[&arguments, options].concat());
    (success, said, records.into_iter().filter(|record| record.system == "mayfly").collect())
}

/// A benchmark with these arguments: whether it was a success, what it said, and its results, which are as the schema says.
pub(crate) fn bench(name: &str, arguments: &[&str]) -> (bool, String, Vec<Record>) {
    let json = images::place(name);
    fs::create_dir_all(json.parent().expect("it is in a folder")).expect("there is room");
    let mut command = images::mayfly();
    let output = command.arg("bench").args(arguments).arg("--json").arg(&json).output().expect("cargo runs");
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    if !json.exists() {
        return (output.status.success(), said, Vec::new());
    }
    check(&fs::read_to_string(&json).expect("it is text"));
    let records = results::read(&json).expect("they are results");
    fs::remove_file(&json).expect("it is ours");
    (output.status.success(), said, records)
}

/// Is every line as docs/results.schema.json says?
fn check(lines: &str) {
    let schema = serde_json::from_str(include_str!("../../../docs/results.schema.json")).expect("it is JSON");
    let validator = jsonschema::validator_for(&schema).expect("it is a schema");
    for line in lines.lines() {
        let record = serde_json::from_str(line).expect("it is JSON");
        validator.validate(&record).unwrap_or_else(|error| panic!("{error} in {line}"));
    }
}

/// The instructions of a boot of an image and of its requests: the file that was written, and what it holds.
pub(crate) fn count(image: &Path, name: &str) -> (Vec<u8>, Vec<Record>) {
    let json = images::place(name);
    let mut command = images::mayfly();
    command.args(["bench", "boot", "--metric", "insn", "--json"]).arg(&json).arg("--image").arg(image);
    let output = command.output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let bytes = fs::read(&json).expect("it was written");
    let records = results::read(&json).expect("they are results");
    fs::remove_file(&json).expect("it is ours");
    (bytes, records)
}

#[test]
fn what_is_counted_twice_is_the_same_byte_for_byte() {
    let (once, records) = count(images::hello(), "counted.jsonl");
    let (twice, _) = count(images::hello(), "counted-again.jsonl");
    let text = String::from_utf8(once).expect("it is text");
    check(&text);
    assert_eq!(text.as_bytes(), twice, "{text}");
    let parts: Vec<_> = records.iter().map(|record| record.parameters["part"].clone()).collect();
    assert_eq!(parts, ["boot", "first request", "request"].map(Parameter::from));
    for record in &records {
        assert!(record.environment.host.is_none(), "what is counted is the same on every host");
        let figure = |name: &str| record.series(name).unwrap_or_else(|| panic!("there is no {name}")).summary.min;
        let counted = record.series.iter().filter(|series| series.unit == Unit::Instructions && series.name != "total");
        assert_eq!(figure("total"), counted.map(|series| series.summary.min).sum::<f64>());
        assert!(figure("MMIO exits") > 0.0 && figure("port exits") < figure("MMIO exits"), "{record:?}");
    }
}

#[test]
fn a_load_cannot_be_counted_and_says_what_can() {
    let (success, said, records) = measure("measures-load.jsonl", &["--metric", "insn"]);
    assert!(!success && records.is_empty());
    assert!(said.contains("a load is made of time") && said.contains("bench boot --metric insn"), "{said}");
}

#[test]
fn a_load_is_measured_for_each_number_of_connections_and_every_answer_is_right() {
    let (success, said, records) = measure("measures.jsonl", &["--connections", "1,8"]);
    assert!(success, "{said}");
    let connections: Vec<_> = records.iter().map(|record| record.parameters["connections"].clone()).collect();
    assert_eq!(connections, [Parameter::Number(1.0), Parameter::Number(8.0)]);
    for record in records {
        let summary = |name: &str| record.series(name).unwrap_or_else(|| panic!("there is no {name}")).summary;
        assert!(summary("requests").median > 50.0, "{record:?}");
        let latency = summary("latency");
        assert!(latency.min > 10.0 && latency.count > 50, "{latency:?}");
        assert!(latency.median <= latency.p99 && latency.p99_9 <= latency.max, "{latency:?}");
        assert!(summary("CPU of the system per request").median > 0.0);
        assert_eq!((summary("errors").max, summary("mayfly over this").median), (0.0, 1.0));
        assert!(record.notes.iter().any(|note| note.ends_with("hello, world\\n\"")), "{:?}", record.notes);
    }
    assert!(said.contains("requests/s") && said.contains("mayfly"), "{said}");
}

#[test]
fn a_path_that_is_not_answered_with_a_success_cannot_be_measured() {
    let (success, said, records) = measure("measures-nothing.jsonl", &["--path", "/nothing"]);
    assert!(!success && records.is_empty());
    assert!(said.contains("mayfly does not answer GET /nothing: the answer has status 404"), "{said}");
}

/// One boot with these options, as [`bench`] gives it.
fn boot(name: &str, options: &[&str]) -> (bool, String, Vec<Record>) {
    let image = images::hello().to_str().expect("its name is ASCII");
    bench(name, &[&["boot", "--runs", "1", "--accel", "tcg", "--image", image], options].concat())
}

#[test]
fn a_boot_is_measured_beside_each_peer_that_is_prepared_and_the_others_are_named() {
    let (_, said, records) = boot("boots.jsonl", &[]);
    let [own, others @ ..] = records.as_slice() else { panic!("there is no result: {said}") };
    assert_eq!(own.system, "mayfly");
    let took = |record: &Record, name: &str| record.series(name).map(|series| series.summary.median);
    let own_took = took(own, "last byte").expect("it answers");
    assert!(own.notes[0].starts_with("it holds QEMU"), "{:?}", own.notes);
    let mut systems: Vec<_> = others.iter().map(|record| record.system.as_str()).collect();
    systems.sort_unstable();
    assert_eq!(systems, ["firecracker", "hermit", "linux", "nanos", "osv", "unikraft"]);
    for record in others {
        match took(record, "first response") {
            // Nothing that has a kernel of its own starts in the time of nothing.
            Some(time) => assert!(time > own_took / 10.0 && record.notes[0].starts_with("it holds"), "{record:?}"),
            None => {
                assert!(said.contains(&record.notes[0]) && record.notes[0].starts_with(&record.system), "{record:?}")
            }
        }
    }
}

#[test]
fn peers_can_be_left_out_and_one_that_was_named_has_to_be_there() {
    let (_, said, records) = boot("alone.jsonl", &["--no-peers"]);
    assert!(records.len() == 1 && !said.contains("not prepared"), "{said}");
    let (success, said, records) = boot("firecracker.jsonl", &["--peer", "firecracker"]);
    assert!(!success && records.is_empty());
    assert!(said.contains("mayfly: firecracker "), "{said}");
}
