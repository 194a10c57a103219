//! `mayfly flash`: writes a disk or an ISO to a USB stick, with every question that should be asked before.

mod copy;
mod device;

use std::fs::File;
use std::io::{self, BufRead, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};

use crate::image_file::ImageFile;
use device::Device;

/// Where an ISO says that it is one (ECMA-119, 8.4).
const ISO_MAGIC: (usize, &[u8]) = (0x8001, b"CD001");
/// Where it says how many of its blocks there are (8.4.8), and their length.
const ISO_BLOCKS: usize = 0x8050;
const ISO_BLOCK: u64 = 2048;

/// Writes a disk image to a whole disk, such as a USB stick. EVERYTHING ON IT IS LOST.
///
/// Shows which disk that is, and asks. Refuses one that is in use, too small, or no whole disk; no option overrides that.
/// Afterwards the disk is read back and compared.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  mayfly build functions/hello --format disk\n  lsblk -o NAME,SIZE,MODEL,TRAN\n  sudo target/debug/mayfly \
                        flash build/mayfly.img /dev/sdX"
)]
pub struct Args {
    /// What `mayfly build --format disk` or `--format iso` wrote.
    image: PathBuf,
    /// The disk, such as /dev/sdb or /dev/disk/by-id/usb-…
    device: PathBuf,
    /// Do not ask. What would be refused still is.
    #[arg(long)]
    yes: bool,
}

/// Carries out `mayfly flash`.
pub fn main(args: Args) -> Result<ExitCode> {
    let len = check_image(&args.image)?;
    let device = Device::find(&args.device, Path::new("/"))?;
    device.check(len)?;
    println!("{device}");
    if !args.yes {
        confirm(&device, &args.image, len, &mut io::stdin().lock(), &mut io::stdout())?;
        // Whoever sees that it is the wrong one may have put in another meanwhile.
        let is_same = Device::find(&args.device, Path::new("/"))? == device;
        ensure!(is_same, "{} is another disk now, or used otherwise; nothing was written", device.path.display());
    }
    let mut image = File::open(&args.image).with_context(|| format!("cannot read {}", args.image.display()))?;
    copy::write(&mut image, len, &device.path)?;
    copy::compare(&mut image, len, &device.path)?;
    println!("{} is written and reads back right; it can be taken out.", device.path.display());
    Ok(ExitCode::SUCCESS)
}

/// The length of a file that can start a computer; an error for any other.
fn check_image(path: &Path) -> Result<u64> {
    let mut file = File::open(path).with_context(|| {
        format!("cannot read the image {}; `mayfly build --format disk -o {0}` makes one", path.display())
    })?;
    let mut start = Vec::new();
    Read::by_ref(&mut file).take(ISO_BLOCKS as u64 + 4).read_to_end(&mut start)?;
    let len = file.metadata()?.len();
    if start.starts_with(b"\x7fELF") {
        bail!(
            "{} is an ELF, which only machine monitors boot; `mayfly build --format disk` makes what firmware boots",
            path.display()
        );
    }
    if start.get(ISO_MAGIC.0..).is_none_or(|rest| !rest.starts_with(ISO_MAGIC.1)) {
        // A disk that is damaged is better found out now.
        ImageFile::open(path)?;
        return Ok(len);
    }
    let blocks = start.get(ISO_BLOCKS..).and_then(|rest| rest.first_chunk()).map(|blocks| u32::from_le_bytes(*blocks));
    let is_whole = blocks.is_some_and(|blocks| u64::from(blocks) * ISO_BLOCK <= len);
    ensure!(is_whole, "{} is cut off; `mayfly build --format iso` makes it again", path.display());
    Ok(len)
}

/// Asks, and fails unless the answer is the disk's name.
fn confirm(device: &Device, image: &Path, len: u64, answers: &mut impl BufRead, out: &mut impl Write) -> Result<()> {
    let mebibytes = len.div_ceil(1 << 20);
    writeln!(out, "EVERYTHING ON IT WILL BE LOST. {} ({mebibytes} MiB) will be written to it.", image.display())?;
    write!(out, "Type its name, {}, to go on: ", device.name)?;
    out.flush()?;
    let mut answer = String::new();
    answers.read_line(&mut answer)?;
    ensure!(answer.trim() == device.name, "nothing was written");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::sample;
    use crate::unfinished::Unfinished;
    use std::fs;

    #[test]
    fn only_the_disks_own_name_is_a_yes() {
        let mut device = Device::default();
        device.name.push_str("sdz");
        let ask = |answer: &str| {
            let mut shown = Vec::new();
            let outcome = confirm(&device, Path::new("x.img"), 36 << 20, &mut answer.as_bytes(), &mut shown);
            (outcome.is_ok(), String::from_utf8(shown).expect("text"))
        };
        let (yes, shown) = ask("sdz\n");
        assert!(yes && shown.contains("EVERYTHING ON IT WILL BE LOST. x.img (36 MiB)"), "{shown}");
        assert!(["", "\n", "y\n", "yes\n", "sd\n", "sdz1\n", "SDZ\n"].iter().all(|no| !ask(no).0));
    }

    #[test]
    fn only_what_firmware_boots_is_taken() {
        let folder = Unfinished::folder(&std::env::temp_dir()).expect("there is room");
        let check = |bytes: &[u8]| {
            let path = folder.path().join("image");
            fs::write(&path, bytes).expect("there is room");
            check_image(&path).map_err(|error| format!("{error:#}"))
        };
        assert!(check(&sample::image()).is_err_and(|why| why.contains("is an ELF, which only machine monitors boot")));
        assert!(check(&[0; 1 << 20]).is_err_and(|why| why.contains("is not an image that can be used")));
        assert!(check(b"").is_err());
        let mut iso = vec![0; 0x9000];
        iso[0x8001..0x8006].copy_from_slice(b"CD001");
        assert_eq!(check(&iso), Ok(0x9000));
        iso[0x8050..0x8054].copy_from_slice(&18_u32.to_le_bytes());
        assert_eq!(check(&iso), Ok(0x9000));
        assert!(check(&iso[..0x8fff]).is_err_and(|why| why.contains("is cut off")));
    }
}
