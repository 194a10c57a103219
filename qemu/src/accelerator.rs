//! What executes the guest: TCG translates its instructions, KVM lets the processor run them.

use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use mayfly_abi::ledger::Phase;

use crate::guest::Guest;
use crate::scratch::{self, Scratch};
use crate::{Error, Launch, Machine};

/// What executes the guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accelerator {
    /// QEMU's own translator. Works everywhere.
    Tcg,
    /// The Linux kernel's virtual machines.
    Kvm,
}

impl fmt::Display for Accelerator {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Tcg => "tcg",
            Self::Kvm => "kvm",
        })
    }
}

/// What a user asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// KVM if the processor really runs the guest, else TCG.
    Auto,
    /// This one and no other.
    Fixed(Accelerator),
}

impl FromStr for Choice {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "auto" => Ok(Self::Auto),
            "tcg" => Ok(Self::Fixed(Accelerator::Tcg)),
            "kvm" => Ok(Self::Fixed(Accelerator::Kvm)),
            _ => Err("it is one of auto, tcg, kvm"),
        }
    }
}

/// The accelerator taken, and why. `Display` is a line for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The accelerator.
    pub accelerator: Accelerator,
    /// Why it was taken.
    pub reason: String,
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "accelerator: {} ({})", self.accelerator, self.reason)
    }
}

/// Decides which accelerator to use. `Auto` boots a tiny guest under KVM, which takes about a tenth of a second.
pub fn choose(choice: Choice) -> Result<Verdict, Error> {
    match choice {
        Choice::Fixed(accelerator) => {
            if accelerator == Accelerator::Kvm {
                open_kvm().map_err(|source| Error::NoKvm { source })?;
            }
            Ok(Verdict { accelerator, reason: "as asked".to_owned() })
        }
        Choice::Auto => {
            let (accelerator, reason) = match open_kvm() {
                Err(error) => (Accelerator::Tcg, format!("/dev/kvm cannot be opened: {error}")),
                Ok(()) => match probe()? {
                    Ok(took) => (Accelerator::Kvm, format!("{} took {took:.1?} under kvm", loop_name())),
                    Err(why) => (Accelerator::Tcg, why),
                },
            };
            Ok(Verdict { accelerator, reason })
        }
    }
}

/// Iterations of the probe's loop: about a millisecond for a processor.
const ITERATIONS: u32 = 2_000_000;
/// A KVM that interprets ring 0 needs more than a second; a processor shared with others stays far below this.
const LIMIT: Duration = Duration::from_millis(50);
/// How long QEMU and its firmware may take to reach the probe.
const BOOT_LIMIT: Duration = Duration::from_secs(2);

fn loop_name() -> String {
    format!("a ring-0 loop of {} M steps", ITERATIONS / 1_000_000)
}

fn open_kvm() -> Result<(), std::io::Error> {
    OpenOptions::new().read(true).write(true).open("/dev/kvm").map(drop)
}

/// Times a loop in ring 0 under KVM: how long it took, or why KVM is not to be used.
fn probe() -> Result<Result<Duration, String>, Error> {
    let image = Scratch::create(&scratch::fresh_path("elf"))?;
    let guest = Guest::new().stamp(Phase::Entry).count(ITERATIONS).stamp(Phase::Paging);
    image.file().write_all(&guest.elf()).map_err(Error::io("write the accelerator's probe"))?;
    let launch = Launch::new(image.path()).accelerator(Accelerator::Kvm).memory_mib(16).without_network();
    let mut machine = launch.start()?;
    let mut ended = None;
    let entered = wait(BOOT_LIMIT, || {
        ended = machine.check().err();
        ended.is_some() || reached(&machine, Phase::Entry)
    });
    let Some(entered) = entered else {
        return Ok(Err(format!("kvm did not start a machine within {BOOT_LIMIT:?}")));
    };
    if let Some(Error::Ended { ending, .. }) = ended {
        return Ok(Err(format!("kvm cannot run a machine here: {ending}")));
    }
    Ok(match wait(LIMIT, || reached(&machine, Phase::Paging)) {
        Some(left) => Ok(left - entered),
        None => Err(format!("kvm interprets ring 0 here: {} took over {LIMIT:?}", loop_name())),
    })
}

fn reached(machine: &Machine, phase: Phase) -> bool {
    machine.ledger().is_some_and(|ledger| ledger.stamp(phase) != 0)
}

/// Looks every 100 µs whether something holds: when it did, or `None` if it did not within `limit`.
fn wait(limit: Duration, mut holds: impl FnMut() -> bool) -> Option<Instant> {
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        if holds() {
            return Some(Instant::now());
        }
        thread::sleep(Duration::from_micros(100));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_choices_are_understood_and_others_are_not() {
        assert_eq!("auto".parse(), Ok(Choice::Auto));
        assert_eq!("tcg".parse(), Ok(Choice::Fixed(Accelerator::Tcg)));
        assert_eq!("kvm".parse(), Ok(Choice::Fixed(Accelerator::Kvm)));
        assert!("xen".parse::<Choice>().is_err());
    }

    #[test]
    fn a_verdict_reads_as_a_line() {
        let verdict = Verdict { accelerator: Accelerator::Tcg, reason: "as asked".to_owned() };
        assert_eq!(verdict.to_string(), "accelerator: tcg (as asked)");
    }
}
