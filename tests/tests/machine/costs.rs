//! `mayfly bench cold`, `warm`, `density` and `scale`, briefly: not their figures, but that they are there, that what must cost
//! more does, and that counted ones are the same in every run.

use mayfly::results::{Parameter, Record};

use crate::measures::bench;

/// The records of a benchmark that must succeed, and what it said.
#[track_caller]
fn measure(name: &str, arguments: &[&str]) -> (Vec<Record>, String) {
    let (success, said, records) = bench(&format!("costs-{name}.jsonl"), arguments);
    assert!(success, "{said}");
    (records, said)
}

/// The figure of this name where the parameter has this value: its median.
#[track_caller]
fn figure(records: &[Record], parameter: &str, value: f64, name: &str) -> f64 {
    let record = records.iter().find(|record| {
        record.parameters.len() == 1 && record.parameters.get(parameter) == Some(&Parameter::Number(value))
    });
    let series = record.and_then(|record| record.series(name));
    series.unwrap_or_else(|| panic!("there is no {name} of {parameter} = {value}")).summary.median
}

#[test]
fn a_first_request_costs_more_than_a_second_whatever_else_is_in_the_image() {
    let arguments = ["cold", "--functions", "1,20", "--program", "4,64", "--runs", "3", "--accel", "tcg"];
    let (records, said) = measure("cold", &arguments);
    assert_eq!(records.len(), 4, "{said}");
    let all = |name: &str| {
        let points = [("functions", 1.0), ("functions", 20.0), ("KiB of program", 4.0), ("KiB of program", 64.0)];
        points.map(|(parameter, value)| figure(&records, parameter, value, name))
    };
    let first = all("instructions of the domain, first request");
    let second = all("instructions of the domain, second request");
    for (first, second) in first.into_iter().zip(second) {
        assert!((2000.0..8000.0).contains(&(first - second)), "{said}");
    }
    assert_eq!(first[0], first[1], "how many functions there are is all the same");
    assert!(first[2] + 10.0 * 15.0 < first[3], "each page of code has to be mapped\n{said}");
    assert_eq!(second[2], second[3], "and stays mapped");
    for record in &records {
        let count = |name: &str| record.series(name).map(|series| series.summary.count);
        assert_eq!([count("first request"), count("second request"), count("request")], [Some(3), Some(3), None]);
        assert!(record.environment.image.bytes > 200_000 && record.environment.line.contains("-kernel '{image}'"));
    }
}

#[test]
fn what_an_empty_function_adds_is_the_difference_pair_by_pair() {
    let (records, said) = measure("warm", &["warm", "--requests", "20", "--runs", "2", "--accel", "tcg"]);
    let [record] = records.as_slice() else { panic!("one result") };
    let values = |name: &str| record.series(name).map(|series| series.values.clone()).unwrap_or_default();
    let (without, with, added) = (values("without a function"), values("with an empty function"), values("added"));
    assert_eq!((without.len(), with.len(), added.len()), (40, 40, 40), "{said}");
    for ((without, with), added) in without.iter().zip(&with).zip(&added) {
        assert!((with - without - added).abs() < 1e-6);
    }
    let domain = values("instructions of the domain");
    assert!((300.0..1500.0).contains(&domain[0]), "{domain:?}");
    let [without, with, added] =
        ["instructions without a function", "instructions with an empty function", "added instructions"]
            .map(|name| values(name)[0]);
    assert_eq!(with - without, added);
    assert!(domain[0] < with && with < 8000.0, "{said}");
}

#[test]
fn as_many_functions_stay_resident_as_memory_holds_and_the_next_one_drops_another() {
    let (records, said) = measure("density", &["density", "--memory", "16,24", "--runs", "1", "--accel", "tcg"]);
    let of = |mib: f64, name: &str| figure(&records, "memory MiB", mib, name);
    for mib in [16.0, 24.0] {
        let (resident, each) = (of(mib, "resident functions"), of(mib, "a resident function"));
        assert!((8.0..=24.0).contains(&each), "{said}");
        assert!(resident * each < of(mib, "memory beside kernel and image"), "{said}");
        assert!(of(mib, "memory beside kernel and image") + of(mib, "image") < mib * 1024.0, "{said}");
        assert!((each..48.0).contains(&of(mib, "all memory over resident functions")), "{said}");
        let domain = |when: &str| of(mib, &format!("instructions of the domain, first request {when}"));
        assert!(domain("with room") < domain("for which another is dropped"), "{said}");
    }
    let more = of(24.0, "resident functions") - of(16.0, "resident functions");
    assert!((200.0..1000.0).contains(&more), "8 MiB hold {more} more");
    let in_use: Vec<_> = records
        .iter()
        .filter(|record| record.parameters.len() == 2 && record.parameters["memory MiB"] == Parameter::Number(24.0))
        .filter_map(|record| Some(record.series("memory in use")?.summary))
        .collect();
    assert_eq!(in_use.len(), 16);
    assert!(
        in_use.is_sorted_by(|one, next| one.median <= next.median) && in_use.iter().all(|step| step.min == step.max)
    );
}

#[test]
fn what_grows_costs_what_it_must_and_counted_twice_it_is_the_same() {
    let arguments = [
        "scale",
        "--functions",
        "1,50",
        "--connections",
        "1,20",
        "--body",
        "0,1024,65536",
        "--pages",
        "1,64",
        "--metric",
        "insn",
    ];
    let (records, said) = measure("scale", &arguments);
    let domain = |parameter: &str, value: f64| figure(&records, parameter, value, "instructions of the domain");
    let all = |parameter: &str, value: f64| figure(&records, parameter, value, "instructions");
    assert!(domain("dirty pages", 1.0) + 63.0 * 200.0 < domain("dirty pages", 64.0), "{said}");
    assert!(domain("body bytes", 0.0) < domain("body bytes", 65536.0), "{said}");
    assert!(all("body bytes", 0.0) < all("body bytes", 1024.0), "{said}");
    for (parameter, least, greatest) in [("functions", 1.0, 50.0), ("connections", 1.0, 20.0)] {
        let (least, greatest) = (all(parameter, least), all(parameter, greatest));
        assert!(greatest <= least * 1.01, "{parameter}: {least} and {greatest} instructions");
    }
    let of = |bytes: f64| {
        records.iter().find(|record| record.parameters.get("body bytes") == Some(&Parameter::Number(bytes)))
    };
    let long = of(65536.0).expect("it was asked for");
    assert!(long.series("instructions").is_none(), "how its packets come is not the same in every run");
    assert!(records.iter().all(|record| record.environment.host.is_none()));
    assert_eq!(measure("scale-again", &arguments).0, records);
}

#[test]
fn what_cannot_be_measured_is_refused_with_a_sentence() {
    for (arguments, sentence) in [
        (&["cold", "--program", "5"][..], "give --program multiples of 4"),
        (&["scale", "--body", "2000000"], "2000000 is not in 0..=1048576"),
        (&["density", "--memory", "8"], "8 is not in 16..=1024"),
        (&["warm", "--runs", "0"], "0 is not in 1.."),
    ] {
        let (success, said, records) = bench("costs-nothing.jsonl", arguments);
        assert!(!success && records.is_empty() && said.contains(sentence), "{arguments:?}: {said}");
    }
}
