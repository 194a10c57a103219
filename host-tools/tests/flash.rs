//! `mayfly flash` as a person types it, on a loop device where one can be had.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn mayfly(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mayfly")).args(arguments).output().expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A file of this test.
fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// A file with an ISO's magic number and length in blocks: flashing looks no further.
fn iso(name: &str) -> PathBuf {
    let mut bytes: Vec<u8> = (0..5_000_000_u32).map(|at| (at % 253) as u8).collect();
    bytes[0x8001..0x8006].copy_from_slice(b"CD001");
    let blocks = bytes.len() / 2048;
    bytes.truncate(blocks * 2048);
    bytes[0x8050..0x8054].copy_from_slice(&(blocks as u32).to_le_bytes());
    let path = place(name);
    fs::write(&path, bytes).expect("there is room");
    path
}

/// A loop device, which goes with its owner.
struct Loop(String);

impl Loop {
    /// `None` without the rights or the kernel for it.
    fn over(file: &Path) -> Option<Self> {
        let output = Command::new("losetup").args(["--find", "--show"]).arg(file).output().ok()?;
        output.status.success().then(|| Self(text(&output.stdout).trim().to_owned()))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["--detach", &self.0]).status();
    }
}

#[test]
fn a_file_is_no_disk_and_is_not_touched() {
    let (image, target) = (iso("image.iso"), place("no-disk"));
    fs::write(&target, b"precious").expect("there is room");
    let output = mayfly(&["flash", "--yes", &image.to_string_lossy(), &target.to_string_lossy()]);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("is no disk; `lsblk` lists the disks that there are"), "{output:?}");
    assert_eq!(fs::read(&target).expect("it is there"), b"precious");
}

#[test]
fn a_loop_device_gets_the_image_once_it_was_confirmed() {
    let (image, backing) = (iso("image-for-loop.iso"), place("loop"));
    let before = vec![0xee; 6 << 20];
    fs::write(&backing, &before).expect("there is room");
    let Some(device) = Loop::over(&backing) else {
        eprintln!("no loop device can be had here: nothing was tested");
        return;
    };
    // Nobody answers: standard input is empty.
    let output = mayfly(&["flash", &image.to_string_lossy(), &device.0]);
    assert!(!output.status.success() && text(&output.stderr).contains("nothing was written"), "{output:?}");
    assert!(text(&output.stdout).contains("EVERYTHING ON IT WILL BE LOST"), "{output:?}");
    assert!(fs::read(&backing).expect("it is there") == before);

    let output = mayfly(&["flash", "--yes", &image.to_string_lossy(), &device.0]);
    assert!(output.status.success() && text(&output.stdout).contains("reads back right"), "{output:?}");
    let (written, expected) = (fs::read(&backing).expect("it is there"), fs::read(&image).expect("it is there"));
    assert!(written.starts_with(&expected) && written[expected.len()..].iter().all(|byte| *byte == 0xee));

    fs::write(&image, [expected, vec![0; 2 << 20]].concat()).expect("there is room");
    let output = mayfly(&["flash", "--yes", &image.to_string_lossy(), &device.0]);
    assert!(text(&output.stderr).contains("is too small"), "{output:?}");
}
