//! Writes a file to a disk, and reads the disk back.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Read, Seek, SeekFrom, Write, stderr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

/// Bytes written at once, after which the disk has to catch up: so that the bar tells the truth.
const PIECE: usize = 4 << 20;
/// `O_EXCL` of Linux: a disk that anybody uses is not opened, whatever was known about it a moment ago.
const EXCLUSIVE: i32 = 0o200;
/// `O_DIRECT`: from the disk itself, not from what Linux remembers of having written it.
const DIRECT: i32 = 0o40000;
/// Where such reads have to go to.
const ALIGN: usize = 4096;

/// Writes the first `len` bytes of `image` to the disk at `path`, and waits until they are there.
pub(super) fn write(image: &mut File, len: u64, path: &Path) -> Result<()> {
    let mut disk = OpenOptions::new()
        .write(true)
        .custom_flags(EXCLUSIVE)
        .open(path)
        .with_context(|| format!("cannot open {} to write to it; it takes root's rights", path.display()))?;
    let bar = bar("writing", len);
    image.seek(SeekFrom::Start(0))?;
    let mut piece = vec![0; PIECE];
    let mut done = 0;
    while done < len {
        let now = piece_len(len - done);
        image.read_exact(&mut piece[..now]).context("cannot read the image")?;
        let written = disk.write_all(&piece[..now]).and_then(|()| disk.sync_data());
        written.with_context(|| format!("cannot write to {}, {done} bytes from its start", path.display()))?;
        done += now as u64;
        bar.set_position(done);
    }
    disk.sync_all().with_context(|| format!("cannot finish writing to {}", path.display()))?;
    bar.finish_and_clear();
    Ok(())
}

/// Reads the disk at `path` back, and fails unless it has what the image has.
pub(super) fn compare(image: &mut File, len: u64, path: &Path) -> Result<()> {
    let open = |flags| OpenOptions::new().read(true).custom_flags(flags).open(path);
    // Not everything can be read this way, such as a file that stands for a disk in a test.
    let disk = open(DIRECT).or_else(|_| open(0));
    let mut disk = disk.with_context(|| format!("cannot open {} to read it back", path.display()))?;
    let bar = bar("reading back", len);
    image.seek(SeekFrom::Start(0))?;
    let mut expected = vec![0; PIECE];
    let mut room = vec![0; PIECE + ALIGN];
    let start = room.as_ptr().align_offset(ALIGN);
    let found = &mut room[start..start + PIECE];
    let mut done = 0;
    while done < len {
        let now = piece_len(len - done);
        image.read_exact(&mut expected[..now]).context("cannot read the image")?;
        // Whole blocks, even where the image ends in one.
        fill(&mut disk, found, now).with_context(|| format!("cannot read {} back", path.display()))?;
        if let Some(at) = (0..now).find(|at| found[*at] != expected[*at]) {
            bail!(
                "{} does not keep what is written to it: byte {} is another; use another disk",
                path.display(),
                done + at as u64
            );
        }
        done += now as u64;
        bar.set_position(done);
    }
    bar.finish_and_clear();
    Ok(())
}

/// Reads at least `least` bytes into `out`.
fn fill(disk: &mut File, out: &mut [u8], least: usize) -> io::Result<()> {
    let mut have = 0;
    while have < least {
        match disk.read(&mut out[have..])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            more => have += more,
        }
    }
    Ok(())
}

fn piece_len(rest: u64) -> usize {
    usize::try_from(rest).map_or(PIECE, |rest| rest.min(PIECE))
}

/// How far a step is: a bar where a person watches, a line where nobody does.
fn bar(what: &'static str, len: u64) -> ProgressBar {
    if !stderr().is_terminal() {
        eprintln!("{what}");
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(len).with_prefix(what);
    match ProgressStyle::with_template("{prefix:12} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unfinished::Unfinished;
    use std::fs;
    use std::os::unix::fs::FileExt;

    const LEN: u64 = 2 * PIECE as u64 + 2048;

    /// An image, and a larger file in a disk's place.
    fn files() -> (Unfinished, File, std::path::PathBuf) {
        let folder = Unfinished::folder(&std::env::temp_dir()).expect("there is room");
        let (image, disk) = (folder.path().join("image"), folder.path().join("disk"));
        let bytes: Vec<u8> = (0..LEN).map(|at| (at % 251) as u8).collect();
        fs::write(&image, &bytes).expect("there is room");
        fs::write(&disk, vec![0xee; bytes.len() + 10_000]).expect("there is room");
        let image = File::open(&image).expect("it is there");
        (folder, image, disk)
    }

    #[test]
    fn what_was_written_reads_back_and_what_lies_behind_it_stays() {
        let (_folder, mut image, disk) = files();
        write(&mut image, LEN, &disk).expect("written");
        compare(&mut image, LEN, &disk).expect("the same");
        let bytes = fs::read(&disk).expect("readable");
        assert_eq!((bytes[LEN as usize - 1], bytes[LEN as usize]), (((LEN - 1) % 251) as u8, 0xee));
        assert_eq!(bytes.len() as u64, LEN + 10_000);
    }

    #[test]
    fn a_disk_that_forgets_is_found_out() {
        let (_folder, mut image, disk) = files();
        write(&mut image, LEN, &disk).expect("written");
        let at = LEN - 1000;
        let file = OpenOptions::new().write(true).open(&disk).expect("writable");
        file.write_all_at(&[0xff], at).expect("writable");
        let error = compare(&mut image, LEN, &disk).expect_err("a byte is another").to_string();
        assert!(error.contains(&format!("byte {at} is another")), "{error}");
        file.set_len(LEN - 1).expect("writable");
        assert!(compare(&mut image, LEN, &disk).is_err(), "it has become shorter");
    }
}
