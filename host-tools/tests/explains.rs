//! Faults of a function in C, built with the real kernel: records as the kernel leaves them, and what is said of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use mayfly::build::symbols;
use mayfly::fault::{Explanation, Log};
use mayfly::image_file::ImageFile;
use mayfly_abi::fault::FaultRecord;
use mayfly_abi::wire::Wire;

/// The linker calls for `_start`, and the image's table says where both are.
const CODE: &str = "\
static volatile int *volatile nowhere;
__attribute__((noinline)) void mayfly_init(void) {
    *nowhere = 1;
}
void _start(void) {
    for (;;) mayfly_init();
}
";

/// Somewhere behind the start of the call in `_start`, which makes a frame, and of the store in `mayfly_init`, which
/// needs none.
const INTO_CALL: u64 = 9;
const INTO_STORE: u64 = 12;

/// An image of [`CODE`], in the folder in which it was built.
static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("explains");
    fs::create_dir_all(dir.join("crash")).expect("made");
    fs::write(dir.join("crash/mayfly.toml"), "name = \"crash\"").expect("written");
    fs::write(dir.join("crash/main.c"), CODE).expect("written");
    let built = mayfly(&dir, &["build", "crash", "-o", "crash.elf"]);
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    dir
});

fn mayfly(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mayfly")).current_dir(dir).args(args).output().expect("it runs")
}

/// A copy of the image and what lies beside it, for one test.
fn image(test: &str) -> (PathBuf, ImageFile) {
    let dir = BUILT.join(test);
    let copy = dir.join("crash.elf");
    fs::create_dir_all(symbols(&copy, "crash").parent().expect("a folder")).expect("made");
    let built = BUILT.join("crash.elf");
    fs::copy(&built, &copy).expect("copied");
    fs::copy(symbols(&built, "crash"), symbols(&copy, "crash")).expect("copied");
    let image = ImageFile::open(&copy).expect("an image");
    (copy, image)
}

/// A write through a null pointer in the initialisation, called by the function.
fn fault(image: &ImageFile, id: u64) -> FaultRecord {
    let [crash] = image.functions.as_slice() else { panic!("one function") };
    let mut fault = FaultRecord::get(&[0; FaultRecord::SIZE]);
    fault.name[..11].copy_from_slice(b"null-access");
    let registers = std::array::from_fn(|at| at as u64);
    FaultRecord { id, invocation: 5, vector: 14, error: 6, rip: crash.init + INTO_STORE, registers, ..fault }
}

fn frames(fault: &FaultRecord, (path, image): &(PathBuf, ImageFile)) -> Vec<(String, Option<u32>)> {
    let explanation = Explanation::new(fault, path, image);
    assert_eq!(explanation.note, None);
    explanation.frames.into_iter().map(|frame| (frame.function.unwrap_or_default(), frame.line)).collect()
}

#[test]
fn a_fault_is_explained_with_functions_files_and_lines() {
    let image = image("explained");
    let mut fault = fault(&image.1, 1);
    fault.callers[0] = image.1.functions[0].entry + INTO_CALL;
    let shown = Explanation::new(&fault, &image.0, &image.1).to_string();
    let at = fault.rip;
    let expected = [
        format!("fault 1: crash: null-access: write to 0x0 at {at:#x}, in invocation 5\n"),
        format!("  at {at:#x}  mayfly_init  "),
        "crash/main.c:3\n".to_owned(),
        format!("  by {:#x}  _start       ", fault.callers[0]),
        "crash/main.c:6\n".to_owned(),
        "  rax 0000000000000000  rbx 0000000000000001  rcx 0000000000000002  rdx 0000000000000003\n".to_owned(),
    ];
    for part in expected {
        assert!(shown.contains(&part), "{part:?} is not in\n{shown}");
    }
}

#[test]
fn who_called_code_without_a_frame_is_found_on_the_stack() {
    let image = image("frameless");
    let entry = image.1.functions[0].entry;
    let caller = ("_start".to_owned(), Some(6));
    let mut fault = fault(&image.1, 1);
    fault.top = [entry + INTO_CALL, 0];
    assert_eq!(frames(&fault, &image).last(), Some(&caller), "a function that makes none");
    fault.rip = 0x1234_5678;
    assert_eq!(frames(&fault, &image), [(String::new(), None), caller], "a wild jump");
    fault.top = [0x2000, 0];
    assert_eq!(frames(&fault, &image).len(), 1, "what leads into no code is no return address");

    // As if `_start` had been called from another place.
    for (instruction, top, found) in
        [(0, [entry + 2, 0], 2), (1, [entry + 2, 0], 1), (1, [0, entry + 2], 2), (4, [entry + 2; 2], 1)]
    {
        (fault.rip, fault.top) = (entry + instruction, top);
        assert_eq!(frames(&fault, &image).len(), found, "{instruction} bytes into a function that makes one");
    }
}

#[test]
fn frames_at_the_same_place_are_shown_once() {
    let image = image("recursion");
    let mut fault = fault(&image.1, 1);
    fault.callers[..3].fill(fault.rip + 1);
    let shown = Explanation::new(&fault, &image.0, &image.1).to_string();
    assert_eq!(shown.matches("main.c:").count(), 1, "{shown}");
    assert!(shown.contains("     and 3 more like this\n"), "{shown}");
}

#[test]
fn symbols_that_are_gone_or_of_another_program_are_not_used() {
    let (path, image) = image("other");
    let kept = symbols(&path, "crash");
    let mut program = fs::read(&kept).expect("kept");
    // A byte of the text: it lies where the only function of the file starts, as in the image.
    let text = image.bytes_of(&image.functions[0].segments[0]).expect("text");
    let at = program.windows(text.len()).position(|window| window == text).expect("the same text");
    program[at] ^= 1;
    fs::write(&kept, program).expect("written");
    let explanation = Explanation::new(&fault(&image, 1), &path, &image);
    assert_eq!(explanation.frames[0].function, None);
    let note = explanation.note.expect("a reason");
    assert!(note.contains("crash.symbols/crash.elf is not what the image was made from"), "{note}");
    fs::remove_file(&kept).expect("removed");
    let note = Explanation::new(&fault(&image, 1), &path, &image).note.expect("a reason");
    assert!(note.starts_with("there is no ") && note.contains("crash.symbols/crash.elf"), "{note}");
}

#[test]
fn faults_that_were_kept_are_explained_later() {
    let (path, image) = image("later");
    let dir = path.parent().expect("a folder");
    let ask = |args: &[&str]| {
        let said = mayfly(dir, &[&["explain", "--image", "crash.elf"], args].concat());
        (String::from_utf8_lossy(&said.stdout).into_owned(), String::from_utf8_lossy(&said.stderr).into_owned())
    };
    let mut log = Log::start(&path, &image).expect("started");
    let (_, error) = ask(&[]);
    assert_eq!(error, "mayfly: no fault of crash.elf is known; faults are kept while `mayfly run` runs it\n");

    let faults: Vec<_> = (1..=300).map(|id| fault(&image, id)).collect();
    faults.chunks(7).for_each(|some| log.add(some).expect("written"));
    assert!(ask(&[]).0.starts_with("fault 300: crash: "), "without a number it is the last");
    assert!(ask(&["45"]).0.starts_with("fault 45: crash: "));
    assert_eq!(ask(&["44"]).1, "mayfly: fault 44 is not known; known are 45 to 300\n");
    let json: serde_json::Value = serde_json::from_str(&ask(&["100", "--json"]).0).expect("JSON");
    assert_eq!((&json["id"], &json["fault"]), (&100.into(), &"null-access".into()));
    assert_eq!((&json["frames"][0]["function"], &json["frames"][0]["line"]), (&"mayfly_init".into(), &3.into()));
    assert_eq!(json["registers"]["r15"], "0xe");

    // Another function in the place of the one that ran.
    fs::write(dir.join("other.c"), "void _start(void) { for (;;); }").expect("written");
    fs::write(dir.join("mayfly.toml"), "name = \"crash\"").expect("written");
    assert!(mayfly(dir, &["build", ".", "-o", "crash.elf"]).status.success());
    let (_, error) = ask(&[]);
    assert!(error.starts_with("mayfly: crash.elf was built anew since it ran"), "{error}");
}
