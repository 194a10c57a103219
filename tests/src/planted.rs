//! A kernel with a planted truth, built from a copy of the source: a delay before the stamp of a phase, or a clock that runs
//! at another rate. What measures it must find just that.
//!
//! Loader and kernel are built once. What is planted is a few words in their data, which are changed in the image's bytes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use mayfly::build::{self, Function, Manifest, compose};
use mayfly::results::{self, Parameter, Record, Unit};
use mayfly_abi::ledger::Phase;

use crate::{SourceCopy, images};

/// What the words start with: once in the loader, once in the kernel.
const MAGIC: u64 = u64::from_le_bytes(*b"PLANTED!");
/// The phase of nothing.
const NOWHERE: u64 = u64::MAX;
/// The rate of a clock that is right.
const RIGHT: u64 = 1000;
/// What everything for the machine is built for.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// What is planted in an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plant {
    /// Before the stamp of this phase, so many ticks of the TSC pass.
    pub delay: Option<(Phase, u64)>,
    /// What the guest takes for a thousand ticks, from its first instruction on.
    pub rate: u64,
}

/// As a delay: the kernel panics instead.
pub const PANIC: u64 = u64::MAX;

/// Nothing: what all others are compared with.
pub const NOTHING: Plant = Plant { delay: None, rate: RIGHT };

/// The image with hello on a kernel with this plant.
pub fn image(plant: Plant) -> PathBuf {
    static IMAGE: LazyLock<Vec<u8>> = LazyLock::new(build);
    let mut image = IMAGE.clone();
    let places: Vec<_> = (0..image.len() - 32).filter(|at| image[*at..].starts_with(&MAGIC.to_le_bytes())).collect();
    assert_eq!(places.len(), 2, "the words are in the loader and in the kernel");
    let (phase, ticks) = plant.delay.map_or((NOWHERE, 0), |(phase, ticks)| (phase as u64, ticks));
    for place in places {
        for (word, at) in [phase, ticks, plant.rate].into_iter().zip((place + 8..).step_by(8)) {
            image[at..at + 8].copy_from_slice(&word.to_le_bytes());
        }
    }
    let path = images::place("planted.elf");
    fs::write(&path, &image).expect("there is room");
    path
}

/// What `mayfly bench boot` says of some boots with this plant, before each of which QEMU is held up for `late`: the result
/// as JSON has it, or how it refuses.
pub fn measure(plant: Plant, late: Duration, runs: u32) -> Result<Record, String> {
    let timed = ["--no-peers", "--accel", "tcg", "--runs", &runs.to_string()];
    Ok(bench(plant, late, &timed)?.pop().expect("there is one"))
}

/// Instructions by part and step, as `mayfly bench boot --metric insn` counts them with this plant.
pub fn count(plant: Plant) -> BTreeMap<(String, String), u64> {
    let records = bench(plant, Duration::ZERO, &["--metric", "insn"]).unwrap_or_else(|said| panic!("{said}"));
    let steps = records.iter().flat_map(|record| {
        let Some(Parameter::Word(part)) = record.parameters.get("part") else { panic!("no part: {record:?}") };
        let counted = record.series.iter().filter(|series| series.unit == Unit::Instructions && series.name != "total");
        counted.map(|series| ((part.clone(), series.name.clone()), series.values[0] as u64))
    });
    steps.collect()
}

fn bench(plant: Plant, late: Duration, arguments: &[&str]) -> Result<Vec<Record>, String> {
    let json = images::place("planted.jsonl");
    // Another boot's, if it was interrupted.
    let _ = fs::remove_file(&json);
    let mut command = images::mayfly();
    command.env("PATH", late_qemu(late)).args(["bench", "boot"]).args(arguments);
    command.arg("--image").arg(image(plant)).arg("--json").arg(&json);
    let output = command.output().expect("cargo runs");
    // On a busy host, the sum of a boot's parts can be off, which is a failure with a result.
    if !json.exists() {
        return Err(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned());
    }
    Ok(results::read(&json).expect("they are results"))
}

/// A PATH on which the first QEMU is one that waits before it starts.
fn late_qemu(late: Duration) -> OsString {
    let folder = images::place("late-qemu");
    fs::create_dir_all(&folder).expect("there is room");
    let path = std::env::var("PATH").expect("there is one");
    let script = folder.join("qemu-system-x86_64");
    // Always, so that what starting `sleep` takes is in all boots.
    let text = format!("#!/bin/sh\nsleep {}\nPATH='{path}' exec qemu-system-x86_64 \"$@\"\n", late.as_secs_f64());
    fs::write(&script, text).expect("there is room");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let folders = [folder].into_iter().chain(std::env::split_paths(&path));
    std::env::join_paths(folders).expect("none of them has a colon")
}

/// By how many milliseconds the steps of a boot take longer with a plant than without, as `mayfly bench boot` says: the least of
/// each, because what else goes on on the host can only make one longer. A step is named by the point at its end.
#[derive(Clone, Debug, Default)]
pub struct Growth {
    usual: BTreeMap<String, f64>,
    planted: BTreeMap<String, f64>,
}

impl Growth {
    /// Adds `runs` boots without the plant and as many with it.
    pub fn measure(&mut self, plant: Plant, late: Duration, runs: u32) {
        for (least, plant, late) in [(&mut self.usual, NOTHING, Duration::ZERO), (&mut self.planted, plant, late)] {
            let record = measure(plant, late, runs).unwrap_or_else(|said| panic!("{said}"));
            for (name, took) in steps(&record) {
                least.entry(name).and_modify(|least| *least = took.min(*least)).or_insert(took);
            }
        }
    }

    /// That of the step to this point.
    pub fn of(&self, point: &str) -> f64 {
        let growth = |point: &str| self.planted[point] - self.usual[point];
        match point {
            // A client that is late to see the port open makes the step from there to the entry shorter, not longer.
            "entry" => growth("entry") - growth("port open"),
            _ => growth(point),
        }
    }

    /// The greatest of any other step, up or down, and which that is.
    pub fn elsewhere(&self, point: &str) -> (f64, &str) {
        let others = self.usual.keys().filter(|name| *name != point).map(|name| (self.of(name), name.as_str()));
        others.max_by(|(one, _), (two, _)| one.abs().total_cmp(&two.abs())).expect("a boot has many steps")
    }

    /// Is a delay of 5 ms found before this point, and nowhere else?
    pub fn is_of(&self, point: &str) -> bool {
        (3.5..6.5).contains(&self.of(point)) && self.elsewhere(point).0.abs() < 2.0
    }
}

/// Milliseconds to each point of a boot from the one that it comes after: not always the one before it, because guest and
/// client go on at the same time. To the first of each, from the start of QEMU. All runs.
fn steps(record: &Record) -> Vec<(String, f64)> {
    let times = |name: &str| record.series(name).map_or([].as_slice(), |series| &series.values);
    let phases = Phase::BOOT.windows(2).map(|pair| (pair[1].name(), pair[0].name()));
    let points = [
        ("request sent", "port open"),
        // The response is on its way before it is noted.
        ("first byte", "function left"),
        ("last byte", "first byte"),
    ];
    let steps = points.into_iter().chain(phases).flat_map(|(name, before)| {
        times(name).iter().zip(times(before)).map(|(at, before)| (name.to_owned(), at - before))
    });
    let firsts =
        ["port open", "entry"].into_iter().flat_map(|name| times(name).iter().map(|at| (name.to_owned(), *at)));
    steps.chain(firsts).collect()
}

/// Builds loader and kernel of a changed copy, and an image of them and hello.
fn build() -> Vec<u8> {
    let copy = SourceCopy::new("planted", change);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(copy.tree()).env("CARGO_ENCODED_RUSTFLAGS", "").env("CARGO_TARGET_DIR", copy.target());
    command.args(["build", "--release", "--target", TARGET, "-p", "mayfly-loader", "-p", "mayfly-kernel"]);
    let output = command.output().expect("cargo runs");
    assert!(output.status.success(), "the planted kernel cannot be built\n{}", String::from_utf8_lossy(&output.stderr));

    let read = |path: PathBuf| fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let [loader, kernel] = ["loader", "kernel"]
        .map(|name| read(copy.target().join(TARGET).join("release").join(format!("mayfly-{name}"))));
    let hello = Manifest::read(&images::source_root().join("functions/hello")).expect("it has a manifest");
    let hello = Function::new(hello, &read(build::symbols(images::hello(), "hello"))).expect("it is a function");
    compose(&loader, &kernel, &[hello]).expect("it is an image")
}

/// A file of the source with what plants.
fn change(file: &str, bytes: Vec<u8>) -> Vec<u8> {
    let words = format!("{MAGIC}, {NOWHERE}, 0, {RIGHT}");
    let changes = match file {
        "loader/src/entry.rs" => vec![
            ("\"pvh_entry:\",", format!("\"pvh_entry:\", {}", wait(Phase::Entry))),
            ("\"3:\",", format!("\"3:\", {}", wait(Phase::Paging))),
            ("\"2: .quad", format!("\"plant: .quad {words}\", \"2: .quad")),
        ],
        "kernel/src/hw/ledger.rs" => vec![
            (".write(ticks())", ".write(late(phase))".to_owned()),
            ("/// Says that the kernel runs.", format!("{LATE}static PLANT: [u64; 4] = [{words}];\n\n/// Says so.")),
        ],
        "kernel/src/hw/cpu.rs" => {
            vec![("unsafe { _rdtsc() }", "super::ledger::at_rate(unsafe { _rdtsc() })".to_owned())]
        }
        _ => return bytes,
    };
    let source = String::from_utf8(bytes).expect("Rust is UTF-8");
    let changed = changes.into_iter().fold(source, |source, (find, replace)| {
        assert!(source.contains(find), "{file} has no `{find}` any more: the plant needs another place");
        source.replace(find, &replace)
    });
    changed.into_bytes()
}

/// Waits if the words say this phase. Takes EAX, EDX and ESI, which nobody has a use for there.
fn wait(phase: Phase) -> String {
    let (name, number) = (format!("plant_{}", phase.name()), phase as u32);
    [
        format!("cmpl ${number}, plant + 8"),
        format!("jne {name}_over"),
        "rdtsc".to_owned(),
        "movl %eax, %esi".to_owned(),
        format!("{name}: rdtsc"),
        "subl %esi, %eax".to_owned(),
        "cmpl plant + 16, %eax".to_owned(),
        format!("jb {name}"),
        format!("{name}_over:"),
    ]
    .map(|line| format!("\"{line}\","))
    .concat()
}

/// What the kernel does with the words.
const LATE: &str = "
fn plant(word: usize) -> u64 {
    // SAFETY: a word of a static; the image may have another value there than the compiler knows.
    unsafe { (&raw const PLANT[word]).read_volatile() }
}

fn counter() -> u64 {
    // SAFETY: every x86-64 CPU has it.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// The time at which a phase is stamped, after the delay if it is the one.
fn late(phase: Phase) -> u64 {
    if plant(1) == phase as u64 {
        assert!(plant(2) != u64::MAX);
        let start = counter();
        while counter() - start < plant(2) {}
    }
    ticks()
}

/// What a clock of the planted rate shows, which was right when the loader stamped its entry.
pub(crate) fn at_rate(now: u64) -> u64 {
    let entry = word(Phase::Entry.offset()).read();
    entry + (now - entry) * plant(3) / 1000
}

#[used]
";
