//! `mayfly bench boot` and `bench load`, briefly: not their figures, but that there are some, and that wrong answers are noticed.

use std::fs;

use mayfly::results::{self, Parameter, Record};
use mayfly_tests::images;

/// A turn of a second with these options: whether it was a success, what it said, and Mayfly's results.
fn measure(name: &str, options: &[&str]) -> (bool, String, Vec<Record>) {
    let (success, said, records) = bench(name, &[&["load", "--seconds", "1", "--rounds", "1"], options].concat());
    (success, said, records.into_iter().filter(|record| record.system == "mayfly").collect())
}

/// A benchmark with these words: whether it was a success, what it said, and its results.
fn bench(name: &str, words: &[&str]) -> (bool, String, Vec<Record>) {
    let json = images::place(name);
    let mut command = images::mayfly();
    command.arg("bench").args(words).args(["--accel", "tcg", "--json"]).arg(&json);
    let output = command.arg("--image").arg(images::hello()).output().expect("cargo runs");
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

#[test]
fn a_boot_is_measured_beside_each_peer_that_is_prepared_and_the_others_are_named() {
    let (_, said, records) = bench("boots.jsonl", &["boot", "--runs", "1"]);
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
    let (_, said, records) = bench("alone.jsonl", &["boot", "--runs", "1", "--no-peers"]);
    assert!(records.len() == 1 && !said.contains("not prepared"), "{said}");
    let (success, said, records) = bench("firecracker.jsonl", &["boot", "--runs", "1", "--peer", "firecracker"]);
    assert!(!success && records.is_empty());
    assert!(said.contains("mayfly: firecracker "), "{said}");
}
