//! `mayfly bench load`, briefly: not its figures, but that there are some, and that it notices wrong answers.

use std::fs;

use mayfly::results::{self, Parameter, Record};
use mayfly_tests::images;

/// A turn of a second with these options: whether it was a success, what it said, and Mayfly's results.
fn measure(name: &str, options: &[&str]) -> (bool, String, Vec<Record>) {
    let json = images::place(name);
    let mut command = images::mayfly();
    command.args(["bench", "load", "--seconds", "1", "--rounds", "1", "--accel", "tcg", "--json"]).arg(&json);
    let output = command.arg("--image").arg(images::hello()).args(options).output().expect("cargo runs");
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    if !json.exists() {
        return (output.status.success(), said, Vec::new());
    }
    check(&fs::read_to_string(&json).expect("it is text"));
    let records = results::read(&json).expect("they are results");
    fs::remove_file(&json).expect("it is ours");
    (output.status.success(), said, records.into_iter().filter(|record| record.system == "mayfly").collect())
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
