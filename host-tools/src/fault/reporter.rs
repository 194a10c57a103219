//! Tells of a machine's faults as they happen: on the terminal, in the log for `mayfly explain`, and as cores.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use mayfly_abi::fault::{FaultRecord, READY};
use mayfly_qemu::Memory;

use super::core_file::core_file;
use super::explanation::Explanation;
use super::log::Log;
use super::pages::mapped;
use crate::build::{symbols, write_whole};
use crate::image_file::{ImageFile, text};

/// Follows the faults of one machine.
#[derive(Debug)]
pub struct Reporter {
    image: ImageFile,
    path: PathBuf,
    log: Option<Log>,
    cores: Option<PathBuf>,
    /// Number of the last fault that was told of.
    seen: u64,
}

impl Reporter {
    /// For a machine that boots the image at `path`, and holds its faults if there is a folder for `cores`.
    pub fn start(path: &Path, image: ImageFile, cores: Option<&Path>) -> Result<Self> {
        if let Some(folder) = cores {
            fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        let log = Log::start(path, &image);
        let log = log.inspect_err(|error| eprintln!("`mayfly explain` will not know of faults: {error:#}")).ok();
        Ok(Self { image, path: path.to_owned(), log, cores: cores.map(Path::to_owned), seen: 0 })
    }

    /// Whether the machine waits for it at every fault.
    pub fn writes_cores(&self) -> bool {
        self.cores.is_some()
    }

    /// Tells of the faults since the last time.
    pub fn report(&mut self, memory: &Memory, out: &mut impl Write) -> Result<()> {
        let faults = memory.faults_since(self.seen).context("cannot read the machine's memory")?;
        if faults.missed > 0 {
            let count = faults.missed;
            writeln!(
                out,
                "mayfly: {count} faults left no record: they came too fast, or there was no memory to run at all"
            )?;
        }
        let mut records = faults.records;
        for held in records.extract_if(.., |record| text(&record.name) == READY) {
            memory.release_fault(held.id).context("cannot write to the machine's memory")?;
        }
        for fault in &records {
            let explanation = Explanation::new(fault, &self.path, &self.image);
            write!(out, "{explanation}")?;
            if let Some(folder) = &self.cores {
                match self.write_core(fault, &explanation.function, folder, memory) {
                    Ok(said) => writeln!(out, "  {said}")?,
                    Err(error) => writeln!(out, "  there is no core of it: {error:#}")?,
                }
                memory.release_fault(fault.id).context("cannot write to the machine's memory")?;
            }
        }
        self.seen = faults.newest;
        if !records.is_empty()
            && let Some(log) = &mut self.log
            && let Err(error) = log.add(&records)
        {
            writeln!(out, "`mayfly explain` will not know of faults: {error:#}")?;
            self.log = None;
        }
        Ok(())
    }

    /// Writes the core of a domain that is being held, and says how to open it.
    fn write_core(&self, fault: &FaultRecord, function: &str, folder: &Path, memory: &Memory) -> Result<String> {
        let pages = mapped(&|address, out: &mut [u8]| memory.read(address, out), fault.page_table)
            .context("its page tables lead out of the machine's memory")?;
        let core = core_file(fault, function, pages)?;
        let path = folder.join(format!("{function}-{}.core", fault.id));
        write_whole(&path, &core).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(format!("gdb {} {}", symbols(&self.path, function).display(), path.display()))
    }
}
