//! Replays every seed and every case that fuzzing has found, without a fuzzer.

use std::fs;
use std::panic;
use std::path::{Path, PathBuf};

use mayfly_fuzz::TARGETS;

/// The files in `folder/target`, in order.
fn cases(folder: &str, target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(target);
    let Ok(entries) = fs::read_dir(&folder) else { return Vec::new() };
    let mut cases: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    cases.sort();
    cases
}

#[test]
fn no_seed_and_no_found_case_breaks_a_property() {
    let mut broken = Vec::new();
    for (target, run) in TARGETS {
        let seeds = cases("corpus", target);
        let mut accepted = 0;
        for case in seeds.iter().chain(&cases("found", target)) {
            let bytes = fs::read(case).expect("readable");
            match panic::catch_unwind(|| run(&bytes)) {
                Ok(past_refusal) => accepted += usize::from(past_refusal),
                Err(_) => broken.push(case.clone()),
            }
        }
        println!("{target}: {} seeds, {accepted} of all cases accepted", seeds.len());
        assert!(seeds.len() >= 5, "corpus/{target} has {} seeds; were they lost?", seeds.len());
        assert!(accepted >= 3, "{target} refuses nearly all of its corpus: its seeds are out of date");
    }
    assert!(broken.is_empty(), "a property does not hold for {broken:#?}; the panics are above");
}

#[test]
fn every_folder_of_cases_belongs_to_a_target() {
    for folder in ["corpus", "found"] {
        let Ok(entries) = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)) else { continue };
        for entry in entries {
            let name = entry.expect("readable").file_name();
            assert!(TARGETS.iter().any(|(target, _)| name == *target), "{folder}/{} is never replayed", name.display());
        }
    }
}
