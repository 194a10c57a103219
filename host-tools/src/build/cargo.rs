//! Builds Rust functions, and kernel and loader, with cargo, and reads the executables that come of it.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, IsTerminal, stderr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, thread};

use anyhow::{Context, Result, bail};
use mayfly_abi::wire::checksum;
use serde::Deserialize;

use super::progress::Progress;

/// What everything for the machine is built for. Naming it keeps the flags below from build scripts and macros.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// From addresses to names and lines, for debuggers and faults. It is not loaded, so not in the image.
const SYMBOLS: [&str; 2] = ["profile.release.debug=\"limited\"", "profile.release.strip=\"none\""];

/// Passed for functions, whose own profile says nothing about the machine.
const PROFILE: [&str; 4] = [
    "profile.release.opt-level=3",
    "profile.release.lto=\"fat\"",
    "profile.release.codegen-units=1",
    "profile.release.panic=\"abort\"",
];

/// How kernel and loaders are compiled. A CPU that translates code, as QEMU's does, takes time for each run of instructions up to
/// a branch that it meets for the first time, and little for the instructions themselves: a boot is mostly that. So these
/// ask LLVM for fewer branches on the way that code really goes. docs/boot.md says what they bring.
const FEWER_BRANCHES: [&str; 7] = [
    // A choice between two values is a move, not a branch around one of them.
    "x86-early-ifcvt",
    "stress-early-ifcvt",
    // Code follows the code that it is reached from; a short end of two ways is there twice, rather than jumped to.
    "enable-ext-tsp-block-placement",
    "enable-tail-merge=false",
    "tail-dup-size=3",
    "tail-dup-placement-threshold=6",
    "tail-dup-placement-aggressive-threshold=6",
];

/// Builds the packages in `dirs` as functions linked by `script` and gives each folder's executable. Packages of one
/// workspace are built at once.
pub(super) fn functions<'a>(dirs: &[&'a Path], script: &Path, target_dir: &Path) -> Result<HashMap<&'a Path, Vec<u8>>> {
    let mut waiting = Vec::new();
    for &dir in dirs {
        let manifest = dir.join("Cargo.toml");
        let manifest = fs::canonicalize(&manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
        waiting.push((dir, manifest));
    }
    let mut programs = HashMap::new();
    while let Some((_, first)) = waiting.first().cloned() {
        let workspace = metadata(&first)?.by_manifest();
        let is_here = |(_, manifest): &mut (&Path, PathBuf)| workspace.contains_key(manifest);
        let here: Vec<_> = waiting.extract_if(.., is_here).collect();
        if here.is_empty() {
            bail!("{} describes no package; `mayfly new NAME` shows what a function needs", first.display());
        }
        let packages: Vec<&Package> = here.iter().filter_map(|(_, manifest)| workspace.get(manifest)).collect();
        for package in &packages {
            package.check_binary()?;
        }
        let executables = build_functions(&first, &packages, script, target_dir)?;
        for (dir, manifest) in here {
            programs.insert(dir, read_executable(&executables, &manifest)?);
        }
    }
    Ok(programs)
}

/// Builds the loader and the kernel of the source tree and gives their executables.
pub(super) fn loader_and_kernel(root: &Path, target_dir: &Path) -> Result<(Vec<u8>, Vec<u8>)> {
    let packages = ["mayfly-loader", "mayfly-kernel"];
    let executables = build_machine_side(root, target_dir, &packages, "building the kernel and its loader")?;
    let loader = read_executable(&executables, &root.join("loader/Cargo.toml"))?;
    let kernel = read_executable(&executables, &root.join("kernel/Cargo.toml"))?;
    Ok((loader, kernel))
}

/// Builds the loader for UEFI firmware and gives its executable.
pub(super) fn uefi_loader(root: &Path, target_dir: &Path) -> Result<Vec<u8>> {
    let executables = build_machine_side(root, target_dir, &["mayfly-loader-uefi"], "building the UEFI loader")?;
    read_executable(&executables, &root.join("loader/uefi/Cargo.toml"))
}

/// Builds packages of the source tree that say themselves how they are linked.
fn build_machine_side(root: &Path, target_dir: &Path, packages: &[&str], what: &str) -> Result<Executables> {
    let flags = FEWER_BRANCHES.map(|flag| format!("-Cllvm-args=-{flag}")).join("\x1f");
    let mut cargo = cargo();
    // Nothing from the environment: their own build scripts say it.
    cargo.current_dir(root).env("CARGO_ENCODED_RUSTFLAGS", flags);
    cargo.args(["build", "--release", "--target", TARGET, "--target-dir"]).arg(target_dir);
    cargo.args(packages.iter().flat_map(|package| ["-p", package]));
    configure(&mut cargo, &SYMBOLS);
    run(cargo, what)
}

/// What `cargo metadata` says about a workspace.
#[derive(Deserialize)]
struct Workspace {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

impl Package {
    /// Refuses a package that is not one program.
    fn check_binary(&self) -> Result<()> {
        let manifest = self.manifest_path.display();
        match self.targets.iter().filter(|target| target.kind == ["bin"]).count() {
            1 => Ok(()),
            0 => bail!("{manifest} describes no program; a function's code is in src/main.rs"),
            count => bail!("{manifest} describes {count} programs; a function is one"),
        }
    }
}

impl Workspace {
    /// Its packages by the path of their Cargo.toml.
    fn by_manifest(self) -> HashMap<PathBuf, Package> {
        self.packages.into_iter().map(|package| (package.manifest_path.clone(), package)).collect()
    }
}

fn metadata(manifest: &Path) -> Result<Workspace> {
    let output = cargo()
        .args(["metadata", "--no-deps", "--format-version=1", "--manifest-path"])
        .arg(manifest)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo; install Rust from https://rustup.rs")?;
    if !output.status.success() {
        bail!("cargo cannot use {}; its message above says why", manifest.display());
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("cargo's answer about {}", manifest.display()))
}

/// Builds `packages`, all of the workspace of the package at `manifest`.
fn build_functions(manifest: &Path, packages: &[&Package], script: &Path, target_dir: &Path) -> Result<Executables> {
    let mut flags = OsString::new();
    for flag in [
        "relocation-model=static",
        "panic=abort",
        // So that the kernel finds a function's callers.
        "force-frame-pointers=yes",
        "link-arg=-nostartfiles",
        "link-arg=-nostdlib",
        "link-arg=-static",
        "link-arg=-no-pie",
        "link-arg=-Wl,--build-id=none,--gc-sections,-z,max-page-size=4096",
    ] {
        flags.push(format!("-C{flag}\x1f"));
    }
    flags.push("-Clink-arg=-T");
    flags.push(script);
    // Cargo does not look into the linker script. A setting that nobody reads makes it link again when that changes.
    let contents = fs::read(script).with_context(|| format!("cannot read {}", script.display()))?;
    flags.push(format!("\x1f--cfg=linker_script=\"{:016x}\"", checksum(&contents)));

    let mut cargo = cargo();
    cargo
        .env("CARGO_ENCODED_RUSTFLAGS", flags)
        .args(["build", "--release", "--target", TARGET, "--bins", "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(target_dir);
    configure(&mut cargo, &PROFILE);
    configure(&mut cargo, &SYMBOLS);
    for package in packages {
        cargo.args(["-p", &package.id]);
    }
    let names: Vec<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    run(cargo, &format!("building {}", names.join(", ")))
}

fn configure(cargo: &mut Command, settings: &[&str]) {
    cargo.args(settings.iter().flat_map(|setting| ["--config", setting]));
}

fn cargo() -> Command {
    // Set when cargo runs us: its own path, so that the same toolchain goes on.
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The executables that cargo has built, by the path of their package's Cargo.toml.
type Executables = HashMap<PathBuf, PathBuf>;

/// The lines of `--message-format=json` that matter here.
#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Message {
    CompilerArtifact {
        manifest_path: PathBuf,
        target: Target,
        executable: Option<PathBuf>,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// Runs a `cargo build`, showing what it is at, and lists the executables.
fn run(mut cargo: Command, what: &str) -> Result<Executables> {
    let progress = Progress::start(what);
    cargo.args(["--quiet", "--message-format=json-render-diagnostics"]);
    if stderr().is_terminal() {
        cargo.env("CARGO_TERM_COLOR", "always");
    }
    let mut child = cargo
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run cargo; install Rust from https://rustup.rs")?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let executables = thread::scope(|scope| {
        // Both pipes are read as they fill, or cargo would wait for us.
        scope.spawn(|| {
            for line in stderr.into_iter().flat_map(|pipe| BufReader::new(pipe).lines()).map_while(Result::ok) {
                progress.print(&line);
            }
        });
        let mut executables = Executables::new();
        for line in stdout.into_iter().flat_map(|pipe| BufReader::new(pipe).lines()) {
            let line = line.context("cannot read what cargo says")?;
            let message = serde_json::from_str(&line).with_context(|| format!("cargo said {line}"))?;
            if let Message::CompilerArtifact { manifest_path, target, executable } = message {
                progress.detail(target.name);
                executables.extend(executable.map(|path| (manifest_path, path)));
            }
        }
        anyhow::Ok(executables)
    });
    let status = child.wait().context("cannot wait for cargo")?;
    drop(progress);
    if !status.success() {
        bail!("{what} failed; cargo's messages above say why");
    }
    executables
}

/// Reads the executable of the package at `manifest`.
fn read_executable(executables: &Executables, manifest: &Path) -> Result<Vec<u8>> {
    let path =
        executables.get(manifest).with_context(|| format!("cargo built no program of {}", manifest.display()))?;
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
