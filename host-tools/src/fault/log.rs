//! The last faults of a machine, kept beside its image while it runs and after: what `mayfly explain` reads.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use mayfly_abi::fault::{FAULT_CALLERS, FaultRecord};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::build::write_whole;
use crate::image_file::{ImageFile, text};

/// Faults that are kept.
const KEPT: usize = 256;

/// The file, as it is being written.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    saved: Saved,
}

/// What the file holds.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Saved {
    /// Checksum of the bundle in the image that ran.
    image: String,
    /// By number.
    faults: VecDeque<SavedFault>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedFault(#[serde(with = "FaultRecordFields")] FaultRecord);

/// The fields of [`FaultRecord`], for serde.
#[derive(Serialize, Deserialize)]
#[serde(remote = "FaultRecord")]
struct FaultRecordFields {
    id: u64,
    function: u64,
    invocation: u64,
    #[serde(serialize_with = "write_name", deserialize_with = "read_name")]
    name: [u8; 24],
    vector: u64,
    error: u64,
    address: u64,
    page_table: u64,
    rip: u64,
    heap_pages: u64,
    flags: u64,
    rsp: u64,
    registers: [u64; 15],
    callers: [u64; FAULT_CALLERS],
    top: [u64; 2],
}

fn write_name<S: Serializer>(name: &[u8; 24], out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(&text(name))
}

fn read_name<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 24], D::Error> {
    let read = String::deserialize(from)?;
    let mut name = [0; 24];
    let start = name.get_mut(..read.len()).ok_or_else(|| serde::de::Error::custom("the name is too long"))?;
    start.copy_from_slice(read.as_bytes());
    Ok(name)
}

impl Log {
    /// Begins anew for the image at `path`. What an earlier machine has left is removed.
    pub fn start(path: &Path, image: &ImageFile) -> Result<Self> {
        let log = Self { path: place(path), saved: Saved { image: checksum(image), faults: VecDeque::new() } };
        match fs::remove_file(&log.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", log.path.display()))
            }
            _ => Ok(log),
        }
    }

    /// Keeps further faults; old ones go when there are too many.
    pub fn add(&mut self, faults: &[FaultRecord]) -> Result<()> {
        let Self { path, saved } = self;
        saved.faults.extend(faults.iter().copied().map(SavedFault));
        saved.faults.drain(..saved.faults.len().saturating_sub(KEPT));
        let json = serde_json::to_vec(saved)?;
        write_whole(path, &json).with_context(|| format!("cannot write {}", path.display()))
    }
}

impl Saved {
    /// Reads what was kept of the last machine that ran the image at `path`.
    pub fn read(path: &Path) -> Result<Self> {
        let place = place(path);
        match fs::read(&place) {
            Ok(json) => serde_json::from_slice(&json).with_context(|| {
                format!("{} is damaged; the next fault under `mayfly run` replaces it", place.display())
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", place.display())),
        }
    }

    /// The fault with this number, or the last one.
    pub fn find(&self, id: Option<u64>) -> Option<&FaultRecord> {
        let mut faults = self.faults.iter().rev().map(|saved| &saved.0);
        faults.find(|fault| id.is_none_or(|id| fault.id == id))
    }

    /// Numbers of the first and the last fault.
    pub fn range(&self) -> Option<(u64, u64)> {
        Some((self.faults.front()?.0.id, self.faults.back()?.0.id))
    }

    /// Whether this image is the one that ran.
    pub fn is_of(&self, image: &ImageFile) -> bool {
        self.image == checksum(image)
    }
}

fn place(image: &Path) -> PathBuf {
    image.with_extension("faults.json")
}

fn checksum(image: &ImageFile) -> String {
    format!("{:016x}", image.bundle.content_checksum)
}
