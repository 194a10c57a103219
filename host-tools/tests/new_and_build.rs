//! From `mayfly new` to an image, with the real kernel: what a person does in the first five minutes.

use std::fs;
use std::path::Path;
use std::process::Command;

use mayfly::build::source_root;
use mayfly::image_file::ImageFile;
use mayfly::unfinished::Unfinished;

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

#[test]
fn executables_are_built_into_an_image_by_the_folder_that_holds_them() {
    let dir = Unfinished::folder(&std::env::temp_dir()).expect("a folder");
    for name in ["one", "other"] {
        let folder = dir.path().join("all").join(name);
        fs::create_dir_all(&folder).expect("made");
        let manifest = format!("name = \"{name}\"\nprogram = \"{name}.elf\"");
        fs::write(folder.join("mayfly.toml"), manifest).expect("written");
        // Somebody else's build. That there are C files is none of `mayfly build`'s business then.
        fs::write(folder.join("main.c"), "void _start(void) { for (;;); }").expect("written");
        let script = source_root().expect("the source tree").join("sdk/function.ld");
        let status = Command::new("cc")
            .current_dir(&folder)
            .args(["-ffreestanding", "-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none", "-T"])
            .arg(script)
            .args(["-o", &format!("{name}.elf"), "main.c"])
            .status();
        assert!(status.expect("cc runs").success());
        fs::write(folder.join("main.c"), "no C at all").expect("written");
    }
    fs::create_dir(dir.path().join("all/notes")).expect("made");
    mayfly(dir.path(), &["build", "all"]);
    mayfly(dir.path(), &["build", "all/other", "all/one", "-o", "named.elf"]);

    let image = dir.path().join("build/mayfly.elf");
    assert_eq!(ImageFile::open(&image).expect("a whole image").functions.len(), 2);
    let named = fs::read(dir.path().join("named.elf")).expect("built");
    assert!(fs::read(image).expect("built") == named, "a folder means the folders in it");
}
