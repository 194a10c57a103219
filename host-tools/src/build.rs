//! `mayfly build`: from folders with functions to one image that a machine monitor boots.

mod base;
mod bundle;
mod c;
mod cargo;
mod compose;
pub(crate) mod disk;
pub(crate) mod elf;
pub(crate) mod fat;
mod floor;
mod folder;
mod format;
mod freeze;
mod generated;
pub(crate) mod image;
mod iso;
mod manifest;
pub(crate) mod pe;
mod program;
mod progress;
mod quantity;
#[cfg(test)]
pub(crate) mod sample;
mod source;
mod symbols;
mod tables;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::few::Few;
use crate::unfinished::Unfinished;
use anyhow::{Context, Result, bail, ensure};
use folder::{Folder, Kind};
use mayfly_abi::image::Isolation;
use mayfly_abi::page_up;
use progress::Progress;
use symbols::{Executable, Origin};

pub(crate) use base::{Base, functions_of};
pub use compose::{ComposeError, compose};
pub use elf::ElfError;
pub use floor::floor_image;
pub use format::Format;
pub use generated::{Generated, Work};
pub use manifest::{Manifest, ManifestError, is_name, name_rule};
pub use program::{Function, Memory, ProgramError};
pub use quantity::show_size;
pub use source::{examples, source_root};
pub use symbols::{kernel_symbols, symbols};

/// Where an image goes if nothing else is said, and where `mayfly run` finds it.
pub const DEFAULT_IMAGE: &str = "build/mayfly.elf";

/// Builds an image from functions.
///
/// Each DIR holds one function: a mayfly.toml beside a Cargo.toml (Rust) or *.c files (C), or one that names an
/// executable; or it holds such folders, and means all of them. Without any DIR, the image holds the example functions
/// of the source tree.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  mayfly build functions/hello mine -o build/two.elf\n  mayfly build functions\n  \
                        mayfly build functions/hello --format disk --append 'ip=192.168.1.9/24 gw=192.168.1.1'")]
pub struct Args {
    /// Folders of functions, or folders that hold those.
    #[arg(value_name = "DIR")]
    dirs: Vec<PathBuf>,
    /// The image to write; build/mayfly.elf, .img or .iso if nothing is said.
    #[arg(short, long, value_name = "IMAGE")]
    output: Option<PathBuf>,
    /// What to write: the image itself, or a disk or an ISO that starts a computer with it.
    #[arg(long, value_name = "FORMAT", default_value = "elf")]
    format: Format,
    /// Words for the kernel's command line, such as `ip=192.168.1.9/24 gw=192.168.1.1`; docs/boot.md lists them.
    ///
    /// They go onto the disk or ISO: on a disk, into the file mayfly.cmd, which can be changed later. Whoever boots an ELF
    /// gives it its own.
    #[arg(long, value_name = "WORDS", default_value = "")]
    append: String,
    /// What holds functions apart, whatever their manifests say: tables, tables-pcid or none.
    ///
    /// none is UNSAFE: functions run in ring 0 and reach everything. It is there to measure what isolation costs.
    #[arg(long, value_name = "NAME", value_parser = isolation)]
    isolation: Option<Isolation>,
}

fn isolation(name: &str) -> Result<Isolation, String> {
    Isolation::named(name).ok_or_else(|| format!("it must be {}", manifest::isolation_rule()))
}

/// What was built.
#[derive(Debug)]
pub struct Report {
    /// Bytes of the image.
    pub image_len: u64,
    /// Its functions, by route.
    pub functions: Vec<Function>,
}

/// Carries out `mayfly build`.
pub fn main(args: Args) -> Result<ExitCode> {
    let dirs = if args.dirs.is_empty() { examples()? } else { args.dirs };
    let Args { format, append, .. } = args;
    let output = args.output.unwrap_or_else(|| format.default_output().into());
    ensure!(
        append.is_empty() || format != Format::Elf,
        "--append is for --format disk and --format iso; whoever boots an ELF gives it its command line"
    );
    format::check_words(&append)?;
    let report = build_as(format, &append, &dirs, &output, args.isolation)?;
    println!("{}: {} bytes", output.display(), report.image_len);
    let few = Few::of(&report.functions);
    for function in few.shown {
        let Manifest { name, route, memory, timeout_ms, .. } = &function.manifest;
        let (size, memory) = (show_size(function.image_len()), show_size(*memory));
        println!("  /{route:<16} {name:<16} {size:>6} in the image, at most {memory} and {timeout_ms} ms");
    }
    if let Some(more) = few.more() {
        let size = show_size(report.functions.iter().map(Function::image_len).sum());
        println!("  {more}, {size} together; `mayfly inspect {}` lists them", output.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds the functions that `dirs` mean, the kernel and the loader, and writes their image to `output`: all of it or,
/// on an error, nothing. `isolation` counts more than what the manifests say.
pub fn build(dirs: &[PathBuf], output: &Path, isolation: Option<Isolation>) -> Result<Report> {
    build_as(Format::Elf, "", dirs, output, isolation)
}

/// The same, wrapped in a file of another format with words for the kernel's command line.
fn build_as(
    format: Format,
    command_line: &str,
    dirs: &[PathBuf],
    output: &Path,
    isolation: Option<Isolation>,
) -> Result<Report> {
    let progress = Progress::brief("reading manifests");
    let folders = folder::read_all(dirs, isolation)?;
    drop(progress);
    if folders.is_empty() {
        bail!("there is no function to build; `mayfly new NAME` makes one");
    }

    let root = source::source_root()?;
    let target_dir = source::target_dir(&root)?;
    let (mut functions, mut executables) = build_functions(folders, &root.join("sdk"), &target_dir.join("functions"))?;
    functions.sort_by(|a, b| a.manifest.route.cmp(&b.manifest.route));

    let (loader, kernel) = cargo::loader_and_kernel(&root, &target_dir)?;
    freeze::initialise(&loader, &kernel, &mut functions)?;
    let application = application(format, &root, &target_dir)?;
    let _progress = Progress::brief("writing the image");
    let image = format.wrap(compose(&loader, &kernel, &functions)?, &application, command_line)?;
    executables.push(Executable { name: symbols::KERNEL.to_owned(), origin: Origin::Built(kernel) });
    symbols::keep(output, &executables)?;
    write_whole(output, &image).with_context(|| format!("cannot write the image {}", output.display()))?;
    Ok(Report { image_len: image.len() as u64, functions })
}

/// Wraps an image that is there already in a file of another format, as [`build`] would have.
pub fn wrap(format: Format, image: Vec<u8>, command_line: &str) -> Result<Vec<u8>> {
    let root = source::source_root()?;
    format.wrap(image, &application(format, &root, &source::target_dir(&root)?)?, command_line)
}

/// The UEFI loader, for a format that has one.
fn application(format: Format, root: &Path, target_dir: &Path) -> Result<Vec<u8>> {
    match format {
        Format::Elf => Ok(Vec::new()),
        Format::Disk | Format::Iso => {
            let loader = cargo::uefi_loader(root, target_dir)?;
            pe::application(&loader).context("the UEFI loader cannot be put onto a disk")
        }
    }
}

/// Builds or reads the functions of `folders`, in whatever order. What is compiled is kept in `target_dir`, so that
/// functions in different places share one build of the SDK. Also gives their executables.
fn build_functions(folders: Vec<Folder>, sdk: &Path, target_dir: &Path) -> Result<(Vec<Function>, Vec<Executable>)> {
    let rust: Vec<&Path> = folders.iter().filter(|f| f.kind == Kind::Rust).map(|f| f.dir.as_path()).collect();
    let mut rust_programs = cargo::functions(&rust, &sdk.join("function.ld"), target_dir)?;
    let (mut functions, mut executables) = (Vec::with_capacity(folders.len()), Vec::with_capacity(folders.len()));
    for Folder { dir, manifest, kind } in &folders {
        // One program at a time: of thousands that are there already, only the segments are kept.
        let program = match kind {
            Kind::Program(program) => folder::read_program(manifest, program)?,
            Kind::Rust => {
                let built = rust_programs.remove(dir.as_path());
                built.with_context(|| format!("cargo built no program in {}", dir.display()))?
            }
            Kind::C => c::function(&manifest.name, dir, sdk, &target_dir.join("c"))?,
        };
        let function = Function::new(manifest.clone(), &program)
            .with_context(|| format!("the program of {} cannot be a function", dir.display()))?;
        let origin = match kind {
            Kind::Program(path) => Origin::There(path.clone()),
            Kind::Rust | Kind::C => Origin::Built(program),
        };
        executables.push(Executable { name: manifest.name.clone(), origin });
        functions.push(function);
    }
    Ok((functions, executables))
}

/// The folder that a file is in.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes a file so that nobody ever sees a part of it.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let dir = folder_of(path);
    fs::create_dir_all(dir)?;
    let (unfinished, mut file) = Unfinished::file(dir)?;
    file.write_all(bytes)?;
    unfinished.finish(path)?;
    Ok(())
}

impl Function {
    /// Bytes that its segments take in an image.
    pub fn image_len(&self) -> u64 {
        self.segments.iter().map(|memory| page_up(memory.bytes.len() as u64)).sum()
    }
}
