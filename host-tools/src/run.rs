//! `mayfly run`: boots an image, shows what it prints, and ends it on Ctrl-C.

mod account;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use mayfly_abi::image::Isolation;
use mayfly_qemu::wire::Impairments;
use mayfly_qemu::{Ending, Error, Launch, Machine, accelerator};

use self::account::{Account, Known};
use crate::build::kernel_symbols;
use crate::fault::Reporter;
use crate::few::Few;
use crate::image_file::{ImageFile, text};
use crate::machine_choice::MachineChoice;

/// Where a debugger finds the machine.
const GDB_PORT: u16 = 1234;
/// How soon Ctrl-C and faults are noticed at the latest.
const TICK: Duration = Duration::from_millis(100);
/// The same while a fault keeps the whole machine waiting for its core.
const SHORT_TICK: Duration = Duration::from_millis(5);
/// How long QEMU may take to end once its console is closed.
const LAST_BREATH: Duration = Duration::from_secs(5);

/// Boots an image and serves its functions until Ctrl-C.
///
/// Shows what the machine prints, and explains faults as they happen. The exit code is 0 after Ctrl-C, and 1 if the machine ended by itself.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  mayfly run &\n  curl http://127.0.0.1:8080/hello\n  mayfly run --port 9000 --memory 16M --accel tcg\n  \
        mayfly build functions/hello --format disk && mayfly run --machine uefi-usb --report build/report.md"
)]
pub struct Args {
    /// The image. Without it: build/mayfly.elf, .img or .iso, whichever the machine boots.
    image: Option<PathBuf>,
    /// TCP port on 127.0.0.1 to serve on; 0 picks a free one.
    #[arg(long, value_name = "N", default_value_t = 8080)]
    port: u16,
    #[command(flatten)]
    machine: MachineChoice,
    /// Processor that QEMU emulates, such as qemu64, if it is not the machine's.
    #[arg(long, value_name = "NAME")]
    cpu: Option<String>,
    /// Memory of the machine, such as 64M or 1G.
    #[arg(long, value_name = "SIZE", default_value = "64M", value_parser = mebibytes)]
    memory: u32,
    /// What executes the machine's instructions: auto, tcg or kvm.
    ///
    /// auto takes kvm only if a quick timing shows that the processor itself runs the guest.
    #[arg(long, value_name = "NAME", default_value = "auto")]
    accel: accelerator::Choice,
    /// Compare every domain with its template after each reset, and stop the machine on a difference.
    #[arg(long)]
    verify_reset: bool,
    /// Put a wire before the network card that does this to frames, such as loss=1%,reorder=2%,seed=7.
    ///
    /// There are loss, duplicate, reorder, corrupt and truncate, which are rates; delay and jitter, which are times; and
    /// seed, which chooses the frames.
    #[arg(long, value_name = "IMPAIRMENTS")]
    wire: Option<Impairments>,
    /// Write what the network card sends and receives to this file, for tcpdump, tshark or Wireshark.
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// Write an ELF core of every domain that breaks to this folder, for gdb. The machine waits for each.
    #[arg(long, value_name = "DIR")]
    core: Option<PathBuf>,
    /// However the run ends, write all that somebody has to know of it to this file, anew: versions, image, host, command line,
    /// how long firmware, loader and kernel took, the whole console, and the end.
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    report: Option<PathBuf>,
    /// Wait for gdb before the first instruction.
    #[arg(long)]
    gdb: bool,
    /// Print the exact QEMU command line, and do nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Carries out `mayfly run`.
pub fn main(args: Args) -> Result<ExitCode> {
    let account = args.report.as_deref().map(Account::begin).transpose()?;
    let mut known = Known::default();
    let outcome = run(args, &mut known);
    let Some(account) = account else { return outcome };
    let ending = match &outcome {
        Ok(_) => "by Ctrl-C".to_owned(),
        Err(error) => format!("{error:#}"),
    };
    let written = account.write(&known, &ending);
    // What went wrong first is said last.
    match (written, outcome) {
        (Err(error), Err(first)) => Err(first.context(error.to_string())),
        (Err(error), Ok(_)) => Err(error),
        (Ok(()), outcome) => {
            println!("report: {}", account.path().display());
            outcome
        }
    }
}

/// The same without its report, for which it notes what it comes to know.
fn run(args: Args, known: &mut Known) -> Result<ExitCode> {
    let path = args.machine.image(args.image);
    let card = args.machine.card()?;
    known.machine = format!("{}, {card}, {} MiB", args.machine.kind.name, args.memory);
    let image = ImageFile::open(&path)?;
    let verdict = accelerator::choose(args.accel)?;
    let mut launch = Launch::new(&path).memory_mib(args.memory).port(args.port).accelerator(verdict.accelerator);
    launch = args.machine.apply(launch);
    if let Some(name) = args.cpu {
        launch = launch.cpu(name);
    }
    if args.gdb {
        launch = launch.gdb(GDB_PORT);
    }
    if args.verify_reset {
        launch = launch.kernel_argument("verify_reset=1");
    }
    if args.core.is_some() {
        launch = launch.kernel_argument("hold_faults=1");
    }
    if let Some(impairments) = args.wire {
        launch = launch.wire(impairments);
    }
    if let Some(path) = args.pcap {
        launch = launch.capture(path);
    }
    if args.report.is_some() {
        known.note(&path, &image, &launch, &verdict)?;
    }
    check_memory(image.boot.image_end, args.memory)?;
    let plan = launch.plan()?;
    known.line = plan.command().to_string();
    if args.dry_run {
        println!("{}", plan.command());
        return Ok(ExitCode::SUCCESS);
    }

    let stop = Arc::new(AtomicBool::new(false));
    ctrlc::set_handler({
        let stop = Arc::clone(&stop);
        move || stop.store(true, Ordering::Relaxed)
    })
    .context("cannot catch Ctrl-C")?;
    let machine = known.running.insert(plan.start()?);
    println!("{verdict}");
    if image.isolation == Isolation::None {
        println!("UNSAFE: this image has isolation `none`: its functions reach everything. Use it to measure only.");
    }
    println!("{}, {} MiB, QEMU has process id {}", args.machine.kind.name, args.memory, machine.pid());
    let few = Few::of(&image.functions);
    for function in few.shown {
        println!("http://127.0.0.1:{}/{}", machine.port(), text(&function.route));
    }
    if let Some(more) = few.more() {
        println!("{more}; `mayfly inspect {}` lists them", path.display());
    }
    if args.gdb {
        let kernel = kernel_symbols(&path);
        println!("waiting for: gdb {} -ex 'target remote 127.0.0.1:{GDB_PORT}'", kernel.display());
    }
    if machine.wire().is_some() {
        println!("wire: {}", args.wire.unwrap_or_default());
    }
    println!("Ctrl-C ends it.");
    let reporter = Reporter::start(&path, image, args.core.as_deref())?;
    // Until the firmware is through, nothing answers.
    let is_slow = args.machine.kind.drive.is_some();
    if is_slow {
        println!("It serves once its firmware is through.");
    }
    serve(machine, &stop, io::stdout(), reporter, is_slow)
}

/// Shows what the machine prints and how its functions break, until `stop` is set, or the machine ends by itself. Where somebody
/// waits for it, also when it listens.
fn serve(
    machine: &mut Machine,
    stop: &AtomicBool,
    mut out: impl Write,
    mut reporter: Reporter,
    mut is_waited_for: bool,
) -> Result<ExitCode> {
    let tick = if reporter.writes_cores() { SHORT_TICK } else { TICK };
    let mut position = 0;
    loop {
        let printed = machine.console().follow(&mut position, tick);
        let text = printed.as_deref().unwrap_or_default();
        out.write_all(text)?;
        // Not in the middle of a line.
        if text.is_empty() || text.ends_with(b"\n") {
            reporter.report(machine.memory(), &mut out)?;
            if is_waited_for && let Some(line) = machine.ledger().as_ref().and_then(account::listens) {
                writeln!(out, "{line}")?;
                is_waited_for = false;
            }
        }
        out.flush()?;
        if printed.is_none() {
            break;
        }
        if stop.load(Ordering::Relaxed) {
            machine.stop();
            // What came while it was ended.
            while let Some(rest) = machine.console().follow(&mut position, TICK)
                && !rest.is_empty()
            {
                out.write_all(&rest)?;
            }
            end_wire(machine, &mut out)?;
            return Ok(ExitCode::SUCCESS);
        }
    }
    end_wire(machine, &mut out)?;
    let ending = machine.wait_for_exit(LAST_BREATH)?;
    if ending == Ending::Off {
        // A terminal's Ctrl-C goes to QEMU as well, which may have been faster than our own handler.
        thread::sleep(TICK);
        if stop.load(Ordering::Relaxed) {
            return Ok(ExitCode::SUCCESS);
        }
    }
    bail!(describe(machine, ending))
}

/// Says what became of the wire's frames, if there was a wire.
fn end_wire(machine: &mut Machine, out: &mut impl Write) -> Result<()> {
    if let Some(wire) = machine.take_wire() {
        writeln!(out, "wire: {}", wire.finish()?)?;
    }
    Ok(())
}

/// Why the machine ended, in a sentence; the console was shown already.
fn describe(machine: &Machine, ending: Ending) -> String {
    match machine.ended(ending) {
        Error::Ended { .. } => {
            let messages = machine.messages().text();
            let messages = messages.trim_end();
            if messages.is_empty() { ending.to_string() } else { format!("{ending}; QEMU says:\n{messages}") }
        }
        other => other.to_string(),
    }
}

/// A machine whose memory ends within the image could not even say so.
fn check_memory(image_end: u64, memory_mib: u32) -> Result<()> {
    let needed = image_end.div_ceil(1 << 20);
    ensure!(
        u64::from(memory_mib) >= needed,
        "{memory_mib}M of memory cannot hold the image, which alone needs {needed}M; give it more with --memory 16M"
    );
    Ok(())
}

/// Mebibytes that a size such as "64M" or "1G" stands for.
fn mebibytes(size: &str) -> Result<u32, String> {
    let (digits, factor) = match size.strip_suffix('G') {
        Some(digits) => (digits, 1024),
        None => (size.strip_suffix('M').unwrap_or_default(), 1),
    };
    let number = digits.parse::<u32>().ok().filter(|_| !digits.starts_with('+'));
    let mebibytes = number.and_then(|number| number.checked_mul(factor)).filter(|size| *size > 0);
    mebibytes.ok_or_else(|| "it is a whole number of mebibytes or gibibytes, such as 64M or 1G".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::sample;
    use crate::unfinished::Unfinished;
    use mayfly_abi::exit::Exit;
    use mayfly_qemu::guest::Guest;
    use std::fs;
    use std::path::Path;

    #[test]
    fn memory_is_given_in_mebibytes_or_gibibytes() {
        assert_eq!(mebibytes("64M"), Ok(64));
        assert_eq!(mebibytes("2G"), Ok(2048));
        for wrong in ["", "M", "64", "64K", "0M", "+1M", "-1M", "1.5G", "99999999G"] {
            assert!(mebibytes(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn memory_that_the_image_does_not_fit_into_is_refused_with_what_it_needs() {
        assert!(check_memory(0x40_0000, 4).is_ok());
        let error = check_memory(0x40_0001, 4).expect_err("one byte too many");
        assert!(error.to_string().starts_with("4M of memory cannot hold the image, which alone needs 5M"), "{error}");
    }

    /// Of an image that has nothing to do with the machine.
    fn reporter() -> Reporter {
        let image = ImageFile::parse(&sample::image()).expect("valid");
        Reporter::start(Path::new("no/such.elf"), image, None).expect("it writes nothing yet")
    }

    fn start(test: &str, guest: &Guest) -> Machine {
        let dir = Unfinished::folder(&std::env::temp_dir()).expect("there is room");
        let path = dir.path().join(test);
        fs::write(&path, guest.elf()).expect("there is room");
        let machine = Launch::new(path).start().unwrap_or_else(|error| panic!("{error}"));
        // QEMU reads the file when it starts; the directory must last until the guest has spoken.
        assert!(machine.console().wait_for("up", Duration::from_secs(20)), "{}", machine.report());
        machine
    }

    #[test]
    fn a_machine_that_ends_by_itself_is_a_failure_that_says_why() {
        let mut machine = start("panics", &Guest::new().print("up\n").exit(Exit::Panic as u32));
        let mut shown = Vec::new();
        let error =
            serve(&mut machine, &AtomicBool::new(false), &mut shown, reporter(), false).expect_err("nobody stopped it");
        assert_eq!(error.to_string(), "the kernel panicked");
        assert_eq!(shown, b"up\n");
    }

    #[test]
    fn a_machine_that_is_stopped_is_a_success() {
        let mut machine = start("stopped", &Guest::new().print("up\n"));
        let pid = machine.pid();
        let code = serve(&mut machine, &AtomicBool::new(true), io::sink(), reporter(), false).expect("it was stopped");
        assert_eq!(code, ExitCode::SUCCESS);
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }
}
