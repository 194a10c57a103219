//! `mayfly bench load`, briefly: not its figures, but that there are some, and that it notices wrong answers.

use std::fs;

use mayfly_tests::images;
use serde_json::Value;

/// A turn of a second with these options: whether it was a success, what it said, and its rows for Mayfly.
fn measure(name: &str, options: &[&str]) -> (bool, String, Vec<Value>) {
    let json = images::place(name);
    let mut command = images::mayfly();
    command.args(["bench", "load", "--seconds", "1", "--rounds", "1", "--accel", "tcg", "--json"]).arg(&json);
    let output = command.arg("--image").arg(images::hello()).args(options).output().expect("cargo runs");
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    let Ok(text) = fs::read(&json) else { return (output.status.success(), said, Vec::new()) };
    fs::remove_file(&json).expect("it is ours");
    let record: Value = serde_json::from_slice(&text).expect("it is JSON");
    assert_eq!(record["benchmark"], "load");
    assert_eq!(record["systems"][0]["name"], "mayfly");
    assert!(record["systems"][0]["answer"].as_str().is_some_and(|answer| answer.ends_with("hello, world\n")));
    let rows = record["rows"].as_array().expect("there are rows");
    (output.status.success(), said, rows.iter().filter(|row| row["system"] == "mayfly").cloned().collect())
}

#[test]
fn a_load_is_measured_for_each_number_of_connections_and_every_answer_is_right() {
    let (success, said, rows) = measure("measures.json", &["--connections", "1,8"]);
    assert!(success, "{said}");
    assert_eq!(rows.iter().map(|row| row["connections"].as_u64()).collect::<Vec<_>>(), [Some(1), Some(8)]);
    for row in rows {
        let figure = |name: &str| row[name].as_f64().unwrap_or_else(|| panic!("{name} is no number in {row}"));
        let latency = |name: &str| row["latency"][name].as_f64().unwrap_or_else(|| panic!("no {name} in {row}"));
        assert!(figure("per_second") > 50.0, "{row}");
        assert!(latency("p50") > 10.0 && latency("p50") <= latency("p99"), "{row}");
        assert!(latency("p99") <= latency("p99_9") && latency("p99_9") <= latency("max"), "{row}");
        assert!(figure("cpu_seconds_per_1000") > 0.0 && figure("client_share") > 0.0, "{row}");
        assert_eq!((figure("errors"), figure("mayfly_over_this")), (0.0, 1.0), "{row}");
    }
    assert!(said.contains("requests/s") && said.contains("mayfly"), "{said}");
}

#[test]
fn a_path_that_is_not_answered_with_a_success_cannot_be_measured() {
    let (success, said, rows) = measure("measures-nothing.json", &["--path", "/nothing"]);
    assert!(!success && rows.is_empty());
    assert!(said.contains("mayfly does not answer GET /nothing: the answer has status 404"), "{said}");
}
