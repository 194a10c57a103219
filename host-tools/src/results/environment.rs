//! Where and with what a figure was measured. Figures of different machines or accelerators are not to be compared.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::SystemTime;

use anyhow::Context;
use mayfly_qemu::accelerator::Verdict;
use mayfly_qemu::{Launch, Version, tsc_hz};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Everything about a measurement but its figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// The checkout that the command ran in, if it was one.
    pub git: Option<Revision>,
    /// What was booted.
    pub image: Image,
    /// The kind of machine, by its name among `mayfly`'s.
    pub machine: String,
    /// QEMU's version.
    pub qemu: String,
    /// QEMU's command line, but for `{port}` and `{ram}`, which differ from run to run.
    pub line: String,
    /// What executed the guest's instructions.
    pub accelerator: String,
    /// How that was found out.
    pub accelerator_reason: String,
    /// What it ran on. Not there if only instructions were counted, which are the same everywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<Host>,
}

/// A state of the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Revision {
    /// The commit.
    pub commit: String,
    /// No file that git knows differed from it.
    pub clean: bool,
}

/// What was booted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// Its file, or what it was made of.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: String,
}

/// The machine that everything ran on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Its processor, as Linux names it.
    pub cpu: String,
    /// How many of its cores the command could use.
    pub cores: usize,
    /// Its kernel.
    pub kernel: String,
    /// Who decides how fast its cores run, if Linux does.
    pub governor: Option<String>,
    /// Ticks a second of its TSC, if they are steady.
    pub tsc_hz: Option<u64>,
    /// How many threads wanted to run before, on the average of 1, 5 and 15 minutes.
    pub load_before: [f64; 3],
    /// And after.
    pub load_after: [f64; 3],
    /// UTC, RFC 3339.
    pub date: String,
}

impl Image {
    /// The image in a file.
    pub fn of(path: &Path) -> anyhow::Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { name: path.display().to_string(), bytes: bytes.len() as u64, sha256 })
    }
}

impl Environment {
    /// Looks around before a measurement of `image` by `launch`.
    pub fn gather(image: Image, launch: &Launch, verdict: &Verdict) -> anyhow::Result<Self> {
        let machine = launch.machine_type();
        Ok(Self {
            git: revision(),
            image,
            machine: machine.name.clone(),
            qemu: Version::of(machine)?.to_string(),
            line: launch.template().to_string(),
            accelerator: verdict.accelerator.to_string(),
            accelerator_reason: verdict.reason.clone(),
            host: Some(Host::gather()),
        })
    }

    /// Notes how busy the host is after the measurement.
    pub fn end(&mut self) {
        if let Some(host) = &mut self.host {
            host.load_after = load();
        }
    }

    /// Why figures of the two are not to be compared, as a sentence; `None` if they may be.
    pub fn differs(&self, other: &Self) -> Option<String> {
        let host = |environment: &Self| {
            environment
                .host
                .as_ref()
                .map_or_else(|| "no clock".to_owned(), |host| format!("{}, {} cores", host.cpu, host.cores))
        };
        [
            ("accelerator", self.accelerator.clone(), other.accelerator.clone()),
            ("QEMU", self.qemu.clone(), other.qemu.clone()),
            ("machine", self.machine.clone(), other.machine.clone()),
            ("host", host(self), host(other)),
        ]
        .into_iter()
        .find(|(_, one, two)| one != two)
        .map(|(what, one, two)| format!("they are of different classes: one's {what} is {one}, the other's {two}"))
    }
}

impl Host {
    fn gather() -> Self {
        let read = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
        let load = load();
        Self {
            cpu: cpu_model(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default()).to_owned(),
            cores: thread::available_parallelism().map_or(1, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").unwrap_or_default(),
            governor: read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            tsc_hz: tsc_hz(),
            load_before: load,
            load_after: load,
            date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { image, machine, qemu, accelerator, accelerator_reason, .. } = self;
        writeln!(out, "image {}, {:.1} KB", image.name, image.bytes as f64 / 1e3)?;
        writeln!(out, "accelerator {accelerator}: {accelerator_reason}")?;
        write!(out, "{machine} · QEMU {qemu}")?;
        if let Some(Host { cpu, cores, date, .. }) = &self.host {
            write!(out, " · {cpu}, {cores} cores · {date}")?;
        }
        match &self.git {
            Some(Revision { commit, clean: true }) => write!(out, " · git {commit}"),
            Some(Revision { commit, clean: false }) => write!(out, " · git {commit}, with changes"),
            None => Ok(()),
        }
    }
}

fn load() -> [f64; 3] {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let mut numbers = text.split(' ').map(|number| number.parse().unwrap_or(0.0));
    std::array::from_fn(|_| numbers.next().unwrap_or(0.0))
}

fn cpu_model(cpuinfo: &str) -> &str {
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or("unknown CPU", |(_, name)| name.trim())
}

fn revision() -> Option<Revision> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let clean = git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Some(Revision { commit, clean })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An environment that nobody was in.
    pub(crate) fn environment() -> Environment {
        Environment {
            git: Some(Revision { commit: "0123456789ab".to_owned(), clean: true }),
            image: Image { name: "hello.elf".to_owned(), bytes: 1000, sha256: "00".repeat(32) },
            machine: "microvm".to_owned(),
            qemu: "7.2.0".to_owned(),
            line: "qemu -m 64M".to_owned(),
            accelerator: "tcg".to_owned(),
            accelerator_reason: "as asked".to_owned(),
            host: Some(Host {
                cpu: "A fine CPU".to_owned(),
                cores: 2,
                kernel: "6.1".to_owned(),
                governor: None,
                tsc_hz: Some(2_000_000_000),
                load_before: [0.0; 3],
                load_after: [0.5; 3],
                date: "2026-01-01T00:00:00Z".to_owned(),
            }),
        }
    }

    #[test]
    fn the_cpu_is_named_as_linux_names_it() {
        assert_eq!(cpu_model("processor\t: 0\nmodel name\t: AMD EPYC 7B13\nflags\t: x"), "AMD EPYC 7B13");
        assert_eq!(cpu_model(""), "unknown CPU");
    }

    #[test]
    fn different_classes_are_told_apart_by_what_differs() {
        let one = environment();
        assert_eq!(one.differs(&one), None);
        let mut later = one.clone();
        later.image.sha256 = "11".repeat(32);
        later.end();
        assert_eq!(one.differs(&later), None, "another image on the same machine may be compared");
        let kvm = Environment { accelerator: "kvm".to_owned(), ..one.clone() };
        assert!(one.differs(&kvm).is_some_and(|why| why.contains("accelerator is tcg, the other's kvm")));
        let counted = Environment { host: None, ..one.clone() };
        assert!(one.differs(&counted).is_some_and(|why| why.contains("no clock")));
    }
}
