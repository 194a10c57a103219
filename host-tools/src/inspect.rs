//! `mayfly inspect`: what is in an image, for people and for scripts.

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use mayfly_abi::PAGE;
use mayfly_abi::image::{FunctionRecord, SEGMENT_EXECUTE, SEGMENT_WRITE, SegmentRecord};
use serde::Serialize;

use crate::build::show_size;
use crate::image_file::{ImageFile, Section, text};

/// Shows what is in an image: its memory, its functions and their limits.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  mayfly inspect build/mayfly.elf\n  mayfly inspect build/mayfly.elf --json | jq '.functions[].route'"
)]
pub struct Args {
    /// The image.
    image: PathBuf,
    /// Print JSON, for scripts.
    #[arg(long)]
    json: bool,
}

/// Carries out `mayfly inspect`.
pub fn main(args: Args) -> Result<ExitCode> {
    let view = View::new(&ImageFile::open(&args.image)?);
    let text = if args.json {
        format!("{}\n", serde_json::to_string_pretty(&view)?)
    } else {
        format!("{}: {view}", args.image.display())
    };
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever reads has seen enough, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        written => written.context("cannot print what is in the image")?,
    }
    Ok(ExitCode::SUCCESS)
}

/// An image as it is shown. Addresses and lengths are in bytes.
#[derive(Serialize)]
struct View {
    file_len: u64,
    format_version: u32,
    abi_version: u32,
    isolation: &'static str,
    entry: u32,
    kernel_entry: u64,
    page_table: u64,
    image_end: u64,
    sections: Vec<Memory>,
    functions: Vec<FunctionView>,
}

/// A run of physical memory, or of a function's domain.
#[derive(Serialize)]
struct Memory {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'static str>,
    address: u64,
    end: u64,
    write: bool,
    execute: bool,
    memory_len: u64,
    file_len: u64,
}

#[derive(Serialize)]
struct FunctionView {
    route: String,
    name: String,
    entry: u64,
    memory_limit: u64,
    timeout_ms: u32,
    request_limit: u32,
    response_limit: u32,
    concurrency: u32,
    segments: Vec<Memory>,
}

impl View {
    fn new(image: &ImageFile) -> Self {
        Self {
            file_len: image.file_len,
            format_version: image.bundle.format_version,
            abi_version: image.bundle.abi_version,
            isolation: image.isolation.name(),
            entry: image.entry,
            kernel_entry: image.boot.kernel_entry,
            page_table: image.boot.page_table,
            image_end: image.boot.image_end,
            sections: image.sections.iter().map(Memory::of_section).collect(),
            functions: image.functions.iter().map(FunctionView::new).collect(),
        }
    }
}

impl Memory {
    fn of_section(section: &Section) -> Self {
        Self {
            name: Some(section.name),
            address: section.address,
            end: section.address + section.memory_len,
            write: section.write,
            execute: section.execute,
            memory_len: section.memory_len,
            file_len: section.file_len,
        }
    }

    fn of_segment(segment: &SegmentRecord) -> Self {
        Self {
            name: None,
            address: segment.address,
            end: segment.address + u64::from(segment.memory_len),
            write: segment.flags & SEGMENT_WRITE != 0,
            execute: segment.flags & SEGMENT_EXECUTE != 0,
            memory_len: u64::from(segment.memory_len),
            file_len: u64::from(segment.file_len),
        }
    }
}

impl FunctionView {
    fn new(record: &FunctionRecord) -> Self {
        Self {
            route: format!("/{}", text(&record.route)),
            name: text(&record.name),
            entry: record.entry,
            memory_limit: u64::from(record.memory_pages) * PAGE,
            timeout_ms: record.timeout_ms,
            request_limit: record.request_limit,
            response_limit: record.response_limit,
            concurrency: record.concurrency,
            segments: record.segments.iter().filter(|s| s.memory_len > 0).map(Memory::of_segment).collect(),
        }
    }
}

impl fmt::Display for View {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file_len, format_version, abi_version, isolation, entry, image_end, .. } = self;
        writeln!(out, "{file_len} bytes, format {format_version}, ABI version {abi_version}, isolation {isolation}")?;
        writeln!(out, "entered at {entry:#x}, memory behind {image_end:#x} is free")?;
        writeln!(out, "\n{HEAD}", HEAD = Memory::HEAD)?;
        for section in &self.sections {
            writeln!(out, "{section}")?;
        }
        for function in &self.functions {
            writeln!(out, "\n{function}")?;
            for segment in &function.segments {
                writeln!(out, "{segment}")?;
            }
        }
        Ok(())
    }
}

impl Memory {
    const HEAD: &str = "                       address             rights   in memory     in file";
}

impl fmt::Display for Memory {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, end, memory_len, file_len, .. } = self;
        let write = if self.write { 'w' } else { '-' };
        let execute = if self.execute { 'x' } else { '-' };
        let name = self.name.unwrap_or_default();
        write!(out, "  {name:<12} {address:#012x}..{end:#012x}  r{write}{execute}  {memory_len:>10}  {file_len:>10}")
    }
}

impl fmt::Display for FunctionView {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { route, name, entry, timeout_ms, concurrency, .. } = self;
        let memory = show_size(self.memory_limit);
        let (request, response) = (show_size(self.request_limit.into()), show_size(self.response_limit.into()));
        writeln!(out, "{route}: function {name}, entered at {entry:#x}")?;
        write!(
            out,
            "  limits: memory {memory}, time {timeout_ms} ms, request {request}, response {response}, at once {concurrency}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::sample;

    fn view() -> View {
        View::new(&ImageFile::parse(&sample::image()).expect("valid"))
    }

    #[test]
    fn the_table_names_every_section_and_function() {
        let shown = view().to_string();
        for expected in [
            "  loader       0x0000100000..0x0000100006  r-x           6           6\n",
            "  boot block   0x0000110000..0x0000112000  rw-        8192          96\n",
            "  kernel       0x0000120000..0x0000120004  r-x           4           4\n",
            "  bundle       0x0000122000..0x0000125000  r--       12288       12288\n",
            "  page tables  0x0000125000..",
            "/b: function b, entered at 0x241000\n  limits: memory 4M, time 1000 ms, request 1M, response 1M, at once 8\n",
            "               0x0000241000..0x0000241001  r-x           1           1\n",
        ] {
            assert!(shown.contains(expected), "{expected:?} in\n{shown}");
        }
    }

    #[test]
    fn the_json_says_the_same() {
        let json = serde_json::to_value(view()).expect("JSON");
        assert_eq!(json["abi_version"], mayfly_abi::ABI_VERSION);
        assert_eq!(json["sections"][0]["name"], "loader");
        assert_eq!(json["sections"][0]["address"], 0x10_0000);
        assert_eq!(json["functions"][0]["route"], "/a");
        assert_eq!(json["functions"][1]["timeout_ms"], 1000);
        assert_eq!(json["functions"][1]["segments"][0]["execute"], true);
        assert!(json["functions"][1]["segments"][0].get("name").is_none());
    }
}
