//! Reads files of results, and says which of them may stand on one page.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::bail;

use super::words::proper;
use crate::results::{self, Benchmark, Record};

/// A result, and how it is told apart from others of the same.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) record: Record,
    /// Which run it is of; empty if its benchmark was run once.
    pub(super) run: String,
}

impl Entry {
    /// What was measured, in which run.
    pub(super) fn who(&self) -> String {
        let system = proper(&self.record.system);
        if self.run.is_empty() { system } else { format!("{system} ({})", self.run) }
    }

    /// Were instructions counted, rather than time taken?
    pub(super) fn counted(&self) -> bool {
        self.record.environment.host.is_none()
    }
}

/// What is on a page.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) entries: Vec<Entry>,
    /// Why some of it is not to be compared, if the user wants it all the same.
    pub(super) warning: Option<String>,
}

impl Input {
    /// Reads all records of these files. `force`: even if they are not to be compared.
    pub(super) fn read(files: &[PathBuf], force: bool) -> anyhow::Result<Self> {
        let mut records = Vec::new();
        for file in files {
            records.extend(results::read(file)?.into_iter().map(|record| (file.as_path(), record)));
        }
        let warning = differ(&records);
        match &warning {
            Some(why) if !force => bail!("{why}; --force puts them on one page all the same, and marks it"),
            _ => Ok(Self { entries: name_runs(&records), warning }),
        }
    }
}

/// Why not all of these are to be compared, as a sentence. Counted instructions and times say nothing about one another.
fn differ(records: &[(&Path, Record)]) -> Option<String> {
    let mut first: [Option<&(&Path, Record)>; 2] = [None; 2];
    records.iter().find_map(|pair| {
        let class = &mut first[usize::from(pair.1.environment.host.is_none())];
        let (one, two) = (class.get_or_insert(pair), pair);
        let why = one.1.environment.differs(&two.1.environment)?;
        let files = match (one.0, two.0) {
            (one, two) if one == two => format!("results in {}", one.display()),
            (one, two) => format!("{} and {}", one.display(), two.display()),
        };
        Some(format!("{files} are not to be compared: {why}"))
    })
}

/// Gives runs names if a benchmark was run more than once: by what differs among file, commit, and place in the file.
fn name_runs(records: &[(&Path, Record)]) -> Vec<Entry> {
    let mut again: Vec<usize> = Vec::with_capacity(records.len());
    let mut twice: BTreeMap<Benchmark, bool> = BTreeMap::new();
    for (at, (file, record)) in records.iter().enumerate() {
        let before = || records[..at].iter().filter(|(_, other)| same(record, other));
        again.push(before().filter(|(other, _)| other == file).count());
        *twice.entry(record.benchmark).or_default() |= before().next().is_some();
    }
    let name = |at: usize| -> String {
        let (file, record) = &records[at];
        if !twice[&record.benchmark] {
            return String::new();
        }
        let others = || records.iter().zip(&again).filter(|((_, other), _)| other.benchmark == record.benchmark);
        let mut parts = Vec::new();
        if others().any(|((other, _), _)| other != file) {
            parts.push(file.display().to_string());
        }
        if others().any(|((_, other), _)| other.environment.git != record.environment.git) {
            parts.push(revision(record));
        }
        if others().any(|(_, again)| *again > 0) {
            parts.push(format!("run {}", again[at] + 1));
        }
        parts.join(", ")
    };
    let names: Vec<_> = (0..records.len()).map(name).collect();
    records.iter().zip(names).map(|((_, record), run)| Entry { record: record.clone(), run }).collect()
}

/// Are they of the same thing?
fn same(one: &Record, other: &Record) -> bool {
    (one.benchmark, &one.system, &one.parameters) == (other.benchmark, &other.system, &other.parameters)
        && one.environment.host.is_some() == other.environment.host.is_some()
}

/// The checkout that a record was made in.
pub(super) fn revision(record: &Record) -> String {
    match &record.environment.git {
        Some(git) if git.clean => git.commit.clone(),
        Some(git) => format!("{} with changes", git.commit),
        None => "no checkout".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::boot;
    use super::*;

    fn runs(records: &[(&str, Record)]) -> Vec<String> {
        let records: Vec<_> = records.iter().map(|(file, record)| (Path::new(*file), record.clone())).collect();
        name_runs(&records).into_iter().map(|entry| entry.who()).collect()
    }

    #[test]
    fn runs_of_the_same_are_named_by_what_differs() {
        let peer = Record { system: "linux".to_owned(), ..boot() };
        assert_eq!(runs(&[("a", boot()), ("b", peer)]), ["Mayfly", "Linux"]);
        assert_eq!(runs(&[("a", boot()), ("b", boot())]), ["Mayfly (a)", "Mayfly (b)"]);
        assert_eq!(runs(&[("a", boot()), ("a", boot())]), ["Mayfly (run 1)", "Mayfly (run 2)"]);
        let mut later = boot();
        later.environment.git = None;
        assert_eq!(
            runs(&[("a", boot()), ("a", later)]),
            ["Mayfly (0123456789ab, run 1)", "Mayfly (no checkout, run 2)"]
        );
    }

    #[test]
    fn results_of_different_classes_are_told_apart_but_counts_and_times_may_be_on_one_page() {
        let mut kvm = boot();
        kvm.environment.accelerator = "kvm".to_owned();
        let why = differ(&[(Path::new("a"), boot()), (Path::new("b"), kvm.clone())]).expect("they differ");
        assert!(why.starts_with("a and b are not to be compared: they are of different classes"), "{why}");
        let why = differ(&[(Path::new("a"), boot()), (Path::new("a"), kvm)]).expect("they differ");
        assert!(why.starts_with("results in a are not to be compared"), "{why}");
        let mut counted = boot();
        counted.environment.host = None;
        assert_eq!(differ(&[(Path::new("a"), boot()), (Path::new("a"), counted)]), None);
    }
}
