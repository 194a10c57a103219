//! Initialises functions while their image is built, so that what the initialisation leaves is part of it.
//!
//! A machine boots an image of these functions alone, with the kernel that they will run on, and holds each domain when its
//! initialisation is over. Its pages are read from the machine's memory and become the function's data and heap.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mayfly_abi::PAGE;
use mayfly_abi::domain::{HEAP_BASE, PROGRAM_BASE, PROGRAM_END};
use mayfly_abi::fault::{FaultRecord, READY};
use mayfly_abi::image::SEGMENTS;
use mayfly_qemu::{Launch, Machine};

use super::compose::compose;
use super::program::{Function, Memory};
use super::progress::Progress;
use crate::fault::mapped;
use crate::image_file::text;
use crate::unfinished::Unfinished;

/// Memory of the machine beside the image and the functions' limits, in MiB.
const MACHINE_MIB: u64 = 64;
/// How long the machine may take to boot.
const BOOT: Duration = Duration::from_secs(20);
/// Between two looks for the end of an initialisation.
const PAUSE: Duration = Duration::from_millis(1);

/// Initialises those of `functions` whose manifests ask for it to be done at this time.
pub(super) fn initialise(loader: &[u8], kernel: &[u8], functions: &mut [Function]) -> Result<()> {
    let asked: Vec<usize> = (0..functions.len()).filter(|at| functions[*at].manifest.init_at_build).collect();
    if asked.is_empty() {
        return Ok(());
    }
    let progress = Progress::start("initialising functions");
    for &at in &asked {
        let Function { manifest, init, segments, .. } = &functions[at];
        let file = manifest.file.display();
        ensure!(*init != 0, "{file} says `init = \"build\"`, but the function has no initialisation");
        ensure!(segments.len() < SEGMENTS, "{file} says `init = \"build\"`, but there is no segment left for its heap");
    }
    // One folder, so that the image is gone when this is over, however it ends.
    let folder = Unfinished::folder(&std::env::temp_dir()).context("cannot make a folder for the machine's image")?;
    let path = folder.path().join("image.elf");
    let chosen: Vec<Function> = asked.iter().map(|at| functions[*at].clone()).collect();
    let image = compose(loader, kernel, &chosen)?;
    fs::write(&path, &image).with_context(|| format!("cannot write {}", path.display()))?;
    let limits: u64 = chosen.iter().map(|function| function.manifest.memory).max().unwrap_or(0);
    let mebibytes = MACHINE_MIB + (image.len() as u64 + 2 * limits).div_ceil(1 << 20);
    let mut machine = Launch::new(&path)
        .memory_mib(mebibytes as u32)
        .kernel_argument("hold_faults=1")
        .start()
        .context("no machine")?;
    let mut seen = 0;
    for (&at, function) in asked.iter().zip(&chosen) {
        let name = &function.manifest.name;
        progress.detail(name.clone());
        let record =
            ready(&mut machine, function, &mut seen).with_context(|| format!("the initialisation of {name} failed"))?;
        let memory = machine.memory();
        let pages = mapped(&|address, out: &mut [u8]| memory.read(address, out), record.page_table)?;
        let pages = pages
            .iter()
            .filter(|run| run.write)
            .flat_map(|run| (run.address..).step_by(PAGE as usize).zip(run.bytes.chunks(PAGE as usize)));
        functions[at].freeze(&pages.collect(), record.heap_pages);
        memory.release_fault(record.id)?;
    }
    machine.stop();
    Ok(())
}

/// Has the machine initialise a function by asking for it, and waits until it is held.
fn ready(machine: &mut Machine, function: &Function, seen: &mut u64) -> Result<FaultRecord> {
    let mut connection: TcpStream = machine.connect(BOOT)?;
    let request = format!("GET /{} HTTP/1.1\r\nHost: mayfly\r\nConnection: close\r\n\r\n", function.manifest.route);
    connection.write_all(request.as_bytes()).context("the request cannot be sent")?;
    // While it runs, the time limit counts on the machine; a busy host takes longer.
    let patience = BOOT + Duration::from_millis(u64::from(function.manifest.timeout_ms)) * 10;
    let deadline = Instant::now() + patience;
    loop {
        let faults = machine.memory().faults_since(*seen)?;
        *seen = faults.newest;
        if let Some(record) = faults.records.into_iter().next() {
            let name = text(&record.name);
            ensure!(name == READY, "{name}; the machine says:\n{}", machine.console().text());
            return Ok(record);
        }
        machine.check()?;
        if Instant::now() > deadline {
            bail!("it did not end within {} s\n{}", patience.as_secs(), machine.report());
        }
        thread::sleep(PAUSE);
    }
}

impl Function {
    /// Makes `pages`, by address, what the function starts with, and drops its initialisation.
    fn freeze(&mut self, pages: &BTreeMap<u64, &[u8]>, heap_pages: u64) {
        for segment in self.segments.iter_mut().filter(|segment| segment.write) {
            overlay(segment, pages.range(PROGRAM_BASE..PROGRAM_END));
        }
        if heap_pages > 0 {
            let mut heap = Memory {
                address: HEAP_BASE,
                // Less than a GiB.
                memory_len: (heap_pages * PAGE) as u32,
                write: true,
                execute: false,
                bytes: Vec::new(),
            };
            overlay(&mut heap, pages.range(HEAP_BASE..));
            self.segments.push(heap);
        }
        self.init = 0;
    }
}

/// Writes those of `pages` that lie in a segment over what it starts with. Zeros at its end are left out.
fn overlay<'a>(segment: &mut Memory, pages: impl Iterator<Item = (&'a u64, &'a &'a [u8])>) {
    let end = segment.address + u64::from(segment.memory_len);
    let mut bytes = std::mem::take(&mut segment.bytes);
    bytes.resize(segment.memory_len as usize, 0);
    for (&address, page) in pages.filter(|(address, _)| (segment.address..end).contains(*address)) {
        let at = (address - segment.address) as usize;
        let len = page.len().min(bytes.len() - at);
        bytes[at..at + len].copy_from_slice(&page[..len]);
    }
    bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
    segment.bytes = bytes;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::sample;

    #[test]
    fn what_was_written_becomes_data_and_heap() {
        let mut function = sample::function("f");
        function.init = 1;
        let data = Memory {
            address: PROGRAM_BASE + PAGE,
            memory_len: 9000,
            write: true,
            execute: false,
            bytes: b"old".into(),
        };
        function.segments.push(data);
        let (first, second) = ([1; PAGE as usize], [2; PAGE as usize]);
        let pages: [(u64, &[u8]); 3] =
            [(PROGRAM_BASE + 3 * PAGE, &first), (HEAP_BASE + PAGE, &second), (0x20_1000, &first)];
        function.freeze(&BTreeMap::from(pages), 4);
        assert_eq!(function.init, 0);
        let [_, data, heap] = function.segments.as_slice() else { panic!("three segments") };
        assert_eq!(data.bytes.len(), 9000);
        assert_eq!((&data.bytes[..4], data.bytes[8191], data.bytes[8192]), (b"old\0".as_slice(), 0, 1));
        assert_eq!((heap.address, heap.memory_len, heap.bytes.len()), (HEAP_BASE, 4 * 4096, 2 * 4096));
        assert_eq!((heap.bytes[4095], heap.bytes[4096]), (0, 2));
    }

    #[test]
    fn without_heap_there_is_no_segment_for_it() {
        let mut function = sample::function("f");
        function.freeze(&BTreeMap::new(), 0);
        assert_eq!(function.segments.len(), 1);
    }
}
