//! The schema of results that docs/ shows, and whether results are as it says.

use std::fs;
use std::path::{Path, PathBuf};

use mayfly::results::Record;

/// Set to anything, it writes the schema anew.
const RENEW: &str = "RENEW_SCHEMA";

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/results.schema.json")
}

/// The schema as it should be.
fn of_the_types() -> String {
    let schema = schemars::schema_for!(Record);
    format!("{}\n", serde_json::to_string_pretty(&schema).expect("a schema is JSON"))
}

#[test]
fn the_schema_in_docs_is_that_of_the_types() {
    if std::env::var_os(RENEW).is_some() {
        fs::write(path(), of_the_types()).expect("written");
    }
    let written = fs::read_to_string(path()).unwrap_or_default();
    assert!(
        written == of_the_types(),
        "docs/results.schema.json is not the schema of the types in results.rs; if the change is meant, \
         `{RENEW}=1 cargo test -p mayfly --test schema` writes it anew"
    );
}

/// What the example in docs/results.md holds, as JSON.
fn example() -> serde_json::Value {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/results.md");
    let text = fs::read_to_string(docs).expect("it is there");
    let (_, rest) = text.split_once("```json\n").expect("there is an example");
    serde_json::from_str(rest.split("```").next().unwrap_or_default()).expect("it is JSON")
}

#[test]
fn the_example_in_docs_is_a_result_and_one_without_its_environment_is_none() {
    let schema = serde_json::from_str(&of_the_types()).expect("it is JSON");
    let validator = jsonschema::validator_for(&schema).expect("it is a schema");
    let mut example = example();
    validator.validate(&example).expect("the example is as the schema says");
    let record: Record = serde_json::from_value(example.clone()).expect("and as the types say");
    // What is written is what was read: nothing of the example is not in the types.
    assert_eq!(serde_json::to_value(record).expect("it is JSON"), example);
    for series in example["series"].as_array_mut().expect("there are series") {
        series["surprise"] = true.into();
    }
    assert!(!validator.is_valid(&example), "a field that nobody knows");
    example["series"] = serde_json::json!([]);
    assert!(validator.is_valid(&example));
    example["environment"] = serde_json::Value::Null;
    assert!(!validator.is_valid(&example));
}
