//! On what a figure was measured. Figures of different machines or accelerators are not to be compared.

use std::fmt;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::SystemTime;

use mayfly_qemu::accelerator::Verdict;
use mayfly_qemu::{MachineType, Version};
use serde::Serialize;

/// Where and with what a measurement was made.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Context {
    machine: String,
    accelerator: String,
    accelerator_reason: String,
    qemu: String,
    cpu: String,
    cores: usize,
    /// Revision of the checkout that the command runs in, with `+` if files differ from it.
    git: Option<String>,
    /// UTC, RFC 3339.
    date: String,
    image: String,
    image_bytes: u64,
}

impl Context {
    /// Looks around. `image_bytes`: length of the image's file.
    pub(super) fn gather(image: String, image_bytes: u64, verdict: &Verdict) -> anyhow::Result<Self> {
        let machine = &MachineType::all()[0];
        Ok(Self {
            machine: machine.name.clone(),
            accelerator: verdict.accelerator.to_string(),
            accelerator_reason: verdict.reason.clone(),
            qemu: Version::of(machine)?.to_string(),
            cpu: cpu_model(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default()).to_owned(),
            cores: thread::available_parallelism().map_or(1, usize::from),
            git: git_revision(),
            date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            image,
            image_bytes,
        })
    }
}

impl fmt::Display for Context {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { machine, accelerator, accelerator_reason, qemu, cpu, cores, date, image, image_bytes, .. } = self;
        writeln!(out, "image {image}, {:.1} KB", *image_bytes as f64 / 1e3)?;
        writeln!(out, "accelerator {accelerator}: {accelerator_reason}")?;
        write!(out, "{machine} · QEMU {qemu} · {cpu}, {cores} cores")?;
        if let Some(git) = &self.git {
            write!(out, " · git {git}")?;
        }
        write!(out, " · {date}")
    }
}

fn cpu_model(cpuinfo: &str) -> &str {
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or("unknown CPU", |(_, name)| name.trim())
}

fn git_revision() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let revision = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|files| !files.is_empty());
    Some(if changed { revision + "+" } else { revision })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_is_named_as_linux_names_it() {
        assert_eq!(cpu_model("processor\t: 0\nmodel name\t: AMD EPYC 7B13\nflags\t: x"), "AMD EPYC 7B13");
        assert_eq!(cpu_model(""), "unknown CPU");
    }
}
