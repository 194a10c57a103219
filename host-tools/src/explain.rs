//! `mayfly explain`: what a fault's number means, after `mayfly run` has seen the fault.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};

use crate::build::DEFAULT_IMAGE;
use crate::fault::{Explanation, Saved};
use crate::image_file::ImageFile;

/// Explains a fault: what the function did, in which line, called from where, with which registers.
///
/// The client gets a fault's number with its 502, 504 or 507. `mayfly run` keeps the last 256 faults beside the image.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  mayfly explain\n  mayfly explain 3 --json | jq '.frames[0].line'")]
pub struct Args {
    /// The fault's number; without one, the last fault.
    id: Option<u64>,
    /// The image that ran.
    #[arg(long, value_name = "IMAGE", default_value = DEFAULT_IMAGE)]
    image: PathBuf,
    /// Print JSON, for scripts.
    #[arg(long)]
    json: bool,
}

/// Carries out `mayfly explain`.
pub fn main(args: Args) -> Result<ExitCode> {
    let image = ImageFile::open(&args.image)?;
    let saved = Saved::read(&args.image)?;
    let (first, last) = saved.range().with_context(|| {
        format!("no fault of {} is known; faults are kept while `mayfly run` runs it", args.image.display())
    })?;
    ensure!(
        saved.is_of(&image),
        "{} was built anew since it ran, and the faults of then mean nothing in it; run it again",
        args.image.display()
    );
    let fault = saved
        .find(args.id)
        .with_context(|| format!("fault {} is not known; known are {first} to {last}", args.id.unwrap_or_default()))?;
    let explanation = Explanation::new(fault, &args.image, &image);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&explanation)?);
    } else {
        print!("{explanation}");
    }
    Ok(ExitCode::SUCCESS)
}
