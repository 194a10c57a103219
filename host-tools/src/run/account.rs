//! `mayfly run --report FILE`: all that somebody else has to know of a run, in one text. docs/hardware.md

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result};
use mayfly_abi::ledger::{Ledger, Phase};
use mayfly_qemu::accelerator::Verdict;
use mayfly_qemu::{Launch, Machine, tsc_hz};

use crate::bench::session::command;
use crate::image_file::{ImageFile, text};
use crate::results::{Environment, Host, Image, Revision};
use crate::split::{self, POWER_ON, Part};

/// What stands in the file until the run has ended: then it was killed.
const UNFINISHED: &str = "it has not: it still runs, or was killed";
/// Functions that are named.
const NAMED: usize = 50;

/// A run's report, which is written anew at its end.
pub(super) struct Account {
    path: PathBuf,
    started: SystemTime,
    since: Instant,
}

/// What a run has come to know and to have.
#[derive(Default)]
pub(super) struct Known {
    /// Machine, card, memory in MiB.
    pub(super) machine: String,
    pub(super) functions: Vec<String>,
    pub(super) image: Option<Image>,
    pub(super) environment: Option<Environment>,
    /// QEMU's command line.
    pub(super) line: String,
    pub(super) running: Option<Machine>,
}

impl Known {
    /// Notes what is booted, on what. `launch`: how.
    pub(super) fn note(&mut self, path: &Path, image: &ImageFile, launch: &Launch, verdict: &Verdict) -> Result<()> {
        self.functions = image.functions.iter().map(|function| format!("/{}", text(&function.route))).collect();
        let image = self.image.insert(Image::of(path)?).clone();
        self.environment = Some(Environment::gather(image, launch, verdict)?);
        Ok(())
    }
}

impl Account {
    /// Makes the file, before anything is started: an error if that cannot be.
    pub(super) fn begin(path: &Path) -> Result<Self> {
        let account = Self { path: path.to_owned(), started: SystemTime::now(), since: Instant::now() };
        account.write(&Known::default(), UNFINISHED)?;
        Ok(account)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes everything. `ending`: how the run ended, in a sentence.
    pub(super) fn write(&self, known: &Known, ending: &str) -> Result<()> {
        let write = || fs::write(&self.path, self.render(known, ending));
        write().with_context(|| format!("the report cannot be written to {}", self.path.display()))
    }

    fn render(&self, known: &Known, ending: &str) -> String {
        let mut page = String::from("# A run of Mayfly\n\n");
        let mut row = |name: &str, what: &str| {
            // A table's cell is one line, and a bar would end it.
            let what = what.trim_end().replace('|', "\\|").replace('\n', "<br>");
            page += &format!("| {name} | {what} |\n");
        };
        row("", "");
        row("---", "---");
        row("ended", ending);
        let started = humantime::format_rfc3339_seconds(self.started);
        row("when", &format!("{started}, for {:.1} s", self.since.elapsed().as_secs_f64()));
        row("command", &command(env::args().skip(1)));
        row("mayfly", &version(known.environment.as_ref()));
        row("machine", &known.machine);
        if let Some(Environment { qemu, accelerator, accelerator_reason, .. }) = &known.environment {
            row("QEMU", &format!("{qemu}, accelerator {accelerator}: {accelerator_reason}"));
        }
        if let Some(Image { name, bytes, sha256 }) = &known.image {
            row("image", &format!("{name}, {bytes} bytes, SHA-256 {sha256}"));
            row("functions", &functions(&known.functions));
        }
        if let Some(Host { cpu, cores, kernel, .. }) = known.environment.as_ref().and_then(|known| known.host.as_ref())
        {
            row("host", &format!("{cpu}, {cores} cores, Linux {kernel}, {}", distribution()));
        }
        if let Some(machine) = &known.running {
            page += "\n## Where the time went\n\n";
            page += &times(machine.ledger().as_ref(), machine.memory().moved());
            page += &section("Console", &machine.console().text());
            page += &section("QEMU's own messages", &machine.messages().text());
        }
        if !known.line.is_empty() {
            page += &section("QEMU's command line", &known.line);
        }
        page
    }
}

/// This program's version, and the checkout that it was run in.
fn version(environment: Option<&Environment>) -> String {
    let checkout = match environment.and_then(|environment| environment.git.as_ref()) {
        Some(Revision { commit, clean: true }) => format!(", in a checkout of {commit}"),
        Some(Revision { commit, clean: false }) => format!(", in a checkout of {commit} with changes"),
        None => String::new(),
    };
    format!("{}{checkout}", env!("CARGO_PKG_VERSION"))
}

/// The first of the functions, and how many more there are.
fn functions(routes: &[String]) -> String {
    let more = routes.len().saturating_sub(NAMED);
    let named = routes[..routes.len() - more].join(" ");
    if more > 0 { format!("{named} and {more} more") } else { named }
}

/// What the host's system calls itself (os-release(5)).
fn distribution() -> String {
    let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.unwrap_or("unknown distribution").trim_matches('"').to_owned()
}

/// The stamps of a boot that is or was under way, counted from power-on.
struct Stamps<'a> {
    ledger: &'a Ledger,
    /// Ticks of its clock in a unit of time.
    rate: f64,
    unit: &'static str,
}

impl<'a> Stamps<'a> {
    fn of(ledger: &'a Ledger) -> Self {
        let told = Some(ledger.tsc_hz).filter(|hz| *hz != 0);
        let (rate, unit) = told.or_else(tsc_hz).map_or((1.0, "ticks"), |hz| (hz as f64 / 1e3, "ms"));
        Self { ledger, rate, unit }
    }

    /// When a phase was reached; `None` if it was not.
    fn at(&self, phase: Phase) -> Option<f64> {
        Some(self.ledger.stamp(phase) as f64 / self.rate).filter(|at| *at > 0.0)
    }

    /// Firmware, loader and kernel, as far as it went.
    fn parts(&self) -> impl Iterator<Item = Part> {
        let point = |name: &str| match name {
            // The clock counts from there, and what was before it does not know.
            POWER_ON => Some(0.0),
            _ => Phase::BOOT.into_iter().find(|phase| phase.name() == name).and_then(|phase| self.at(phase)),
        };
        split::parts(point).into_iter().skip(1)
    }
}

/// Who had the time until a machine listened, in a line; `None` if it does not yet.
pub(super) fn listens(ledger: &Ledger) -> Option<String> {
    let stamps = Stamps::of(ledger);
    let at = stamps.at(Phase::Listening)?;
    let parts: Vec<_> = stamps.parts().map(|Part { name, took }| format!("{name} {took:.1}")).collect();
    Some(format!("it listens {at:.1} {} after power-on: {}", stamps.unit, parts.join(", ")))
}

/// Who had the time from power-on until the kernel listened, and when each phase was reached, as far as it went.
fn times(ledger: Option<&Ledger>, moved: Option<u64>) -> String {
    let Some(ledger) = ledger else {
        return "Nothing is known: the kernel has not started. Until then, firmware and loader have the time.\n"
            .to_owned();
    };
    let stamps = Stamps::of(ledger);
    let unit = stamps.unit;
    let mut text = format!("| part | {unit} |\n|---|---|\n");
    text.extend(stamps.parts().map(|Part { name, took }| format!("| {name} | {took:.3} |\n")));
    if stamps.at(Phase::Listening).is_none() {
        text += "| kernel | it does not listen |\n";
    }
    let reached =
        Phase::BOOT.into_iter().filter_map(|phase| Some(format!("{} {:.3}", phase.name(), stamps.at(phase)?)));
    let place = match moved {
        Some(0) | None => "where it is linked".to_owned(),
        Some(by) => format!("{} MiB above where it is linked", by >> 20),
    };
    let reached = reached.collect::<Vec<_>>().join(" · ");
    format!("{text}\nStamps, in {unit} from power-on: {reached}. The image lies {place}.\n")
}

/// A text as it is, whatever is in it.
fn section(title: &str, text: &str) -> String {
    if text.trim().is_empty() {
        return format!("\n## {title}\n\nNothing.\n");
    }
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("\n## {title}\n\n{fence}text\n{}\n{fence}\n", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unfinished::Unfinished;
    use mayfly_abi::wire::Wire;

    fn ledger(stamps: &[(Phase, u64)]) -> Ledger {
        let mut page = [0; Ledger::SIZE];
        stamps.iter().for_each(|(phase, ticks)| ticks.put(&mut page[phase.offset()..]));
        Ledger { tsc_hz: 1_000_000, ..Ledger::get(&page) }
    }

    #[test]
    fn the_time_is_split_as_far_as_the_boot_went() {
        let stamps = [(Phase::Entry, 1_500_000), (Phase::Paging, 1_750_000), (Phase::Traps, 1_750_500)];
        let refused = times(Some(&ledger(&stamps)), Some(0));
        assert_eq!(
            refused,
            "| part | ms |\n|---|---|\n| firmware | 1500.000 |\n| loader | 250.000 |\n| kernel | it does not listen |\n\n\
             Stamps, in ms from power-on: entry 1500.000 · paging 1750.000 · traps 1750.500. The image lies where it is linked.\n"
        );
        let served = times(Some(&ledger(&[&stamps[..], &[(Phase::Listening, 1_760_000)]].concat())), Some(4 << 20));
        assert!(served.contains("| loader | 250.000 |\n| kernel | 10.000 |\n\n"), "{served}");
        assert!(served.ends_with("listening 1760.000. The image lies 4 MiB above where it is linked.\n"), "{served}");
        assert!(times(None, None).contains("the kernel has not started"));
        assert_eq!(listens(&ledger(&stamps)), None);
        let line = listens(&ledger(&[&stamps[..], &[(Phase::Listening, 1_760_000)]].concat())).expect("it listens");
        assert_eq!(line, "it listens 1760.0 ms after power-on: firmware 1500.0, loader 250.0, kernel 10.0");
    }

    #[test]
    fn nothing_that_is_printed_ends_its_section() {
        assert_eq!(section("Console", "a\n```\nb\n"), "\n## Console\n\n````text\na\n```\nb\n````\n");
        assert_eq!(section("Console", "a"), "\n## Console\n\n```text\na\n```\n");
        assert_eq!(section("Console", "\n"), "\n## Console\n\nNothing.\n");
    }

    #[test]
    fn a_place_that_cannot_be_written_to_is_refused_and_another_has_a_report_at_once() {
        let folder = Unfinished::folder(&env::temp_dir()).expect("a folder");
        let error = Account::begin(&folder.path().join("no/such/report.md")).err().expect("no such folder");
        assert!(error.to_string().starts_with("the report cannot be written to "), "{error}");
        let path = folder.path().join("report.md");
        let account = Account::begin(&path).expect("there is room");
        let read = || fs::read_to_string(&path).expect("it is there");
        assert!(read().contains("| ended | it has not: it still runs, or was killed |\n"), "{}", read());
        let known = Known { functions: (0..60).map(|at| format!("/f{at}")).collect(), ..Known::default() };
        assert!(functions(&known.functions).ends_with(" /f49 and 10 more"));
        account.write(&known, "one | two\nthree").expect("there is room");
        assert!(read().contains("| ended | one \\| two<br>three |\n"), "{}", read());
    }
}
