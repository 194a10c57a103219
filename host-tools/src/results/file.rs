//! Files of results: each line a record.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, ensure};

use super::{Record, SCHEMA};

/// Adds records to the file at `path`, which need not be there. All of them, or none.
pub fn append(path: &Path, records: &[Record]) -> anyhow::Result<()> {
    let write = || -> anyhow::Result<()> {
        let mut lines = Vec::new();
        for record in records {
            serde_json::to_writer(&mut lines, record)?;
            lines.push(b'\n');
        }
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        let before = file.metadata()?.len();
        file.write_all(&lines).inspect_err(|_| {
            // What cannot be taken back either is told when it is read.
            let _ = file.set_len(before);
        })?;
        Ok(())
    };
    write().with_context(|| format!("the results cannot be written to {}", path.display()))
}

/// Whether records could be added to the file at `path`: an error if not. Leaves nothing behind.
pub(crate) fn check_place(path: &Path) -> anyhow::Result<()> {
    let is_there = path.exists();
    append(path, &[])?;
    if !is_there {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// Reads all records of a file.
pub fn read(path: &Path) -> anyhow::Result<Vec<Record>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let records = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(|(at, line)| {
        parse(line).with_context(|| format!("line {} of {} is not a result of mayfly bench", at + 1, path.display()))
    });
    let records: Vec<_> = records.collect::<anyhow::Result<_>>()?;
    ensure!(!records.is_empty(), "{} has no results: `mayfly bench boot --json {0}` makes some", path.display());
    Ok(records)
}

fn parse(line: &str) -> anyhow::Result<Record> {
    /// What every version has.
    #[derive(serde::Deserialize)]
    struct Version {
        schema: u32,
    }
    let Version { schema } = serde_json::from_str(line)?;
    ensure!(schema == SCHEMA, "its format has version {schema}, and this command reads version {SCHEMA}");
    Ok(serde_json::from_str(line)?)
}
