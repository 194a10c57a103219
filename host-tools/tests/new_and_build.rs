//! From `mayfly new` to an image, with the real kernel: what a person does in the first five minutes.

use std::fs;
use std::path::Path;
use std::process::Command;

use mayfly::image_file::ImageFile;

fn mayfly(dir: &Path, args: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_mayfly")).current_dir(dir).args(args).output().expect("it runs");
    assert!(output.status.success(), "{args:?} said\n{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_new_function_is_built_into_an_image_twice_the_same() {
    // Always the same folder, so that cargo finds what it built there the last time.
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new_and_build");
    if dir.exists() {
        fs::remove_dir_all(&dir).expect("removed");
    }
    fs::create_dir(&dir).expect("made");
    mayfly(&dir, &["new", "mine"]);
    mayfly(&dir, &["build", "mine"]);
    mayfly(&dir, &["build", "mine", "-o", "again.elf"]);

    let first = dir.join("build/mayfly.elf");
    let image = ImageFile::open(&first).expect("a whole image");
    let [mine] = image.functions.as_slice() else { panic!("one function") };
    assert_eq!(&mine.route[..5], b"mine\0");
    let again = fs::read(dir.join("again.elf")).expect("built");
    assert!(fs::read(first).expect("built") == again, "two builds of the same sources differ");
}
