//! `mayfly trace`: a boot and single requests as a timeline of guest and host on one clock. docs/trace.md

mod event;
mod observe;
mod timeline;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use mayfly_qemu::{Launch, accelerator, tsc_hz};

use self::event::Trace;
use crate::bench;
use crate::build::{DEFAULT_IMAGE, write_whole};
use crate::image_file::ImageFile;
use crate::results::{Environment, Image};

/// Where a timeline goes if nothing else is said.
const DEFAULT_OUTPUT: &str = "build/trace.json";

/// Writes a timeline of a boot and of single requests.
///
/// Boots the image, asks it once as soon as it can be asked, and then again and again, each time when it has come to rest. What
/// the guest stamped and what the client saw are put on one clock, in microseconds since QEMU was started. Open the file at
/// https://ui.perfetto.dev, which keeps it on this machine, or at chrome://tracing; neither needs anything else.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  mayfly trace --path /hello --requests 10 -o build/trace.json")]
pub struct Args {
    /// The image to boot.
    #[arg(long, value_name = "IMAGE", default_value = DEFAULT_IMAGE)]
    image: PathBuf,
    /// What to ask the image for. The answer must be a success.
    #[arg(long, default_value = "/hello", value_parser = bench::path)]
    path: String,
    /// How many requests to ask after the first one, each on a connection of its own.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    requests: u32,
    /// Boot once more on a machine that counts, and say of each step how many instructions it took there.
    #[arg(long)]
    instructions: bool,
    /// The file to write.
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_OUTPUT)]
    output: PathBuf,
    /// What executes the machine's instructions: auto, tcg or kvm.
    #[arg(long, value_name = "NAME", default_value = "auto")]
    accel: accelerator::Choice,
}

/// Carries out `mayfly trace`.
pub fn main(args: Args) -> anyhow::Result<ExitCode> {
    ImageFile::open(&args.image)?;
    let hz = tsc_hz().context("this host's TSC has no steady rate, so guest and host have no clock in common")?;
    let verdict = accelerator::choose(args.accel)?;
    let launch = Launch::new(&args.image).accelerator(verdict.accelerator);
    let mut environment = Environment::gather(Image::of(&args.image)?, &launch, &verdict)?;
    let bar = bench::progress((1 + u32::from(args.instructions)) * (1 + args.requests))?;
    let exchanges = observe::exchanges(launch, hz, &args.path, args.requests, &bar)?;
    environment.end();
    let counted = match args.instructions {
        true => observe::counted(Launch::new(&args.image).icount(), &args.path, args.requests, &bar)?,
        false => Vec::new(),
    };
    bar.finish_and_clear();

    let spans = timeline::spans(&exchanges, &counted, &args.path);
    let most = exchanges.iter().map(|exchange| exchange.clock.uncertainty()).max().unwrap_or_default();
    let text = serde_json::to_vec(&Trace::new(&spans, environment))?;
    write_whole(&args.output, &text).with_context(|| format!("cannot write {}", args.output.display()))?;
    println!(
        "{}: a boot and {} requests after it, {} spans; guest times are exact to ±{:.0} µs or better",
        args.output.display(),
        args.requests,
        spans.len(),
        bench::microseconds(most)
    );
    println!("open it at https://ui.perfetto.dev or chrome://tracing; docs/trace.md says what is what");
    Ok(ExitCode::SUCCESS)
}
