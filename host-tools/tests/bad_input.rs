//! The command as people meet it when something is wrong: a sentence, a non-zero exit, nothing half-written.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use mayfly::build::{DEFAULT_IMAGE, Function, Manifest, compose};
use mayfly::unfinished::Unfinished;
use mayfly_abi::boot::{KERNEL, KERNEL_MAP, LOADER};
use mayfly_abi::domain::PROGRAM_BASE;

fn mayfly(dir: &Unfinished, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mayfly")).current_dir(dir.path()).args(args).output().expect("the command runs")
}

/// Runs the command, which must fail, and gives the last line it says.
fn failure(dir: &Unfinished, args: &[&str]) -> String {
    let output = mayfly(dir, args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{args:?} said {said}");
    assert!(output.stdout.is_empty(), "{args:?} printed {}", String::from_utf8_lossy(&output.stdout));
    let last = said.lines().last().expect("a sentence").to_owned();
    last.strip_prefix("mayfly: ").expect("who says it").to_owned()
}

fn folder() -> Unfinished {
    Unfinished::folder(&std::env::temp_dir()).expect("a folder")
}

/// Writes a C function `name` with `manifest` below `dir`.
fn c_function(dir: &Unfinished, name: &str, manifest: &str, code: &str) {
    let folder = dir.path().join(name);
    fs::create_dir(&folder).expect("made");
    fs::write(folder.join("mayfly.toml"), manifest).expect("written");
    fs::write(folder.join("main.c"), code).expect("written");
}

/// One page of code at `address`, by the system's compiler.
fn executable(dir: &Path, address: u64) -> Vec<u8> {
    let (source, script, program) = (dir.join("code.s"), dir.join("code.ld"), dir.join("code.elf"));
    fs::write(&source, ".globl _start\n_start: hlt\n.section .note.GNU-stack\n").expect("written");
    let sections = format!(
        "PHDRS {{ text PT_LOAD FLAGS(5); }} SECTIONS {{ . = {address:#x}; .text : {{ *(.text) }} :text /DISCARD/ : {{ *(*) }} }}"
    );
    fs::write(&script, sections).expect("written");
    let flags = ["-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none", "-Wl,-z,max-page-size=4096", "-T"];
    let status = Command::new("cc").args(flags).arg(&script).arg("-o").arg(&program).arg(&source).status();
    assert!(status.expect("cc runs").success());
    fs::read(&program).expect("built")
}

/// An image with one function.
fn image() -> Vec<u8> {
    let dir = folder();
    let manifest = Manifest::parse("name = \"f\"", Path::new("mayfly.toml")).expect("valid");
    let function = Function::new(manifest, &executable(dir.path(), PROGRAM_BASE)).expect("valid");
    let kernel = executable(dir.path(), KERNEL_MAP + KERNEL);
    compose(&executable(dir.path(), LOADER), &kernel, &[function]).expect("composed")
}

/// What `inspect` says about an image that `change` has damaged. `change` gets the image and the bundle's offset.
fn inspect_damaged(change: fn(&mut Vec<u8>, usize)) -> String {
    let dir = folder();
    let mut image = image();
    let bundle = image.windows(8).position(|window| window == b"MAYFLYB1").expect("a bundle");
    change(&mut image, bundle);
    fs::write(dir.path().join("image.elf"), image).expect("written");
    let said = failure(&dir, &["inspect", "image.elf"]);
    said.strip_prefix("image.elf is not an image that can be used: ").expect("which image").to_owned()
}

#[test]
fn a_whole_image_is_shown() {
    let dir = folder();
    fs::write(dir.path().join("image.elf"), image()).expect("written");
    let output = mayfly(&dir, &["inspect", "image.elf", "--json"]);
    assert!(output.status.success());
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(json["functions"][0]["route"], "/f");
    let output = mayfly(&dir, &["inspect", "image.elf"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("/f: function f, entered at 0x241000"));
}

#[test]
fn a_missing_image_is_named() {
    let said = failure(&folder(), &["inspect", "no.elf"]);
    assert_eq!(said, "there is no image no.elf; `mayfly build -o no.elf` makes one");
    let said = failure(&folder(), &["run", "--machine", "uefi-usb"]);
    let build = "`mayfly build --format disk -o build/mayfly.img` makes one";
    assert_eq!(said, format!("there is no image build/mayfly.img; {build}"));
}

#[test]
fn a_peer_that_there_is_not_is_named_with_those_there_are() {
    let said = failure(&folder(), &["bench", "--prepare", "solaris"]);
    assert_eq!(said, "there is no peer `solaris`; there are: firecracker, hermit, linux, nanos, osv, unikraft");
    let dir = folder();
    fs::write(dir.path().join("image.elf"), image()).expect("written");
    let said = failure(&dir, &["bench", "load", "--image", "image.elf", "--peer", "solaris"]);
    assert_eq!(said, "there is no peer `solaris`; there are: firecracker, hermit, linux, nanos, osv, unikraft");
}

/// A result: the example of docs/results.md as a line.
fn result() -> String {
    let docs = include_str!("../../docs/results.md");
    let (_, rest) = docs.split_once("```json\n").expect("there is an example");
    let (example, _) = rest.split_once("```").expect("it ends");
    example.lines().map(str::trim).collect()
}

#[test]
fn files_that_hold_no_results_are_refused_and_no_page_is_written() {
    let dir = folder();
    let said = failure(&dir, &["report", "no.jsonl"]);
    assert!(said.starts_with("cannot read no.jsonl: No such file or directory"), "{said}");
    let said_of = |text: &str| {
        fs::write(dir.path().join("r.jsonl"), text).expect("written");
        failure(&dir, &["report", "r.jsonl"])
    };
    assert_eq!(said_of("\n"), "r.jsonl has no results: `mayfly bench boot --json r.jsonl` makes some");
    let said = said_of(&format!("{}\n{{\"schema\": 1}}\n", result()));
    assert!(said.starts_with("line 2 of r.jsonl is not a result of mayfly bench: missing field"), "{said}");
    assert!(said_of("hello").starts_with("line 1 of r.jsonl is not a result of mayfly bench: expected value"));
    let said = said_of(&result().replace("\"schema\": 1", "\"schema\": 7"));
    assert!(said.ends_with("its format has version 7, and this command reads version 1"), "{said}");
    assert!(!dir.path().join("build").exists(), "nothing is written");
}

#[test]
fn results_of_different_classes_are_on_one_page_only_by_force_and_marked() {
    let dir = folder();
    fs::write(dir.path().join("tcg.jsonl"), result()).expect("written");
    let kvm = result().replace("\"accelerator\": \"tcg\"", "\"accelerator\": \"kvm\"");
    fs::write(dir.path().join("kvm.jsonl"), kvm).expect("written");
    let said = failure(&dir, &["report", "tcg.jsonl", "kvm.jsonl"]);
    let why = "tcg.jsonl and kvm.jsonl are not to be compared: they are of different classes: one's accelerator is tcg, \
               the other's kvm";
    assert_eq!(said, format!("{why}; --force puts them on one page all the same, and marks it"));
    let page = |args: &[&str]| {
        let output = mayfly(&dir, &[&["report", "-o", "page.html"], args].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read_to_string(dir.path().join("page.html")).expect("written")
    };
    assert!(!dir.path().join("build").exists(), "a page that is refused is not written");
    let forced = page(&["tcg.jsonl", "kvm.jsonl", "--force"]);
    let (_, warning) = forced.split_once("<p class=\"warning\">").expect("it is marked");
    assert!(warning.starts_with(&format!("Not to be compared: {why}.</p>")), "{}", &warning[..200]);
    assert!(forced.contains("Mayfly (tcg.jsonl)") && forced.contains("Mayfly (kvm.jsonl)"), "which is which");
    let same = page(&["tcg.jsonl", "tcg.jsonl"]);
    assert!(!same.contains("class=\"warning\"") && same.contains("Mayfly (run 2)"));
    assert_eq!(same, page(&["tcg.jsonl", "tcg.jsonl"]), "the same input gives the same bytes");
}

#[test]
fn a_page_that_cannot_be_written_is_named() {
    let dir = folder();
    fs::write(dir.path().join("r.jsonl"), result()).expect("written");
    let said = failure(&dir, &["report", "r.jsonl", "-o", "r.jsonl/page.html"]);
    assert!(said.starts_with("the page cannot be written to r.jsonl/page.html: "), "{said}");
    fs::create_dir(dir.path().join("page.html")).expect("made");
    let said = failure(&dir, &["report", "r.jsonl", "-o", "page.html"]);
    assert!(said.starts_with("the page cannot be written to page.html: "), "{said}");
    assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 2, "nothing half-written is left");
}

#[test]
fn a_damaged_image_is_described() {
    let said = inspect_damaged(|image, _| image.truncate(image.len() / 2));
    assert!(said.starts_with("it is truncated or damaged"), "{said}");
    let said = inspect_damaged(|image, _| image[0] = b'!');
    assert_eq!(said, "it is not an ELF file");
    let said = inspect_damaged(|image, bundle| image[bundle] = b'!');
    assert!(said.starts_with("its bundle has the wrong magic number"), "{said}");
    let said = inspect_damaged(|image, bundle| image[bundle + 12] = 9);
    assert!(said.starts_with("its functions were built for ABI version 9, but this tool is for 2"), "{said}");
    let said = inspect_damaged(|image, bundle| image[bundle + 100] ^= 4);
    assert!(said.starts_with("record 0 of its table of functions is damaged"), "{said}");
}

#[test]
fn a_manifest_with_an_unknown_key_or_an_impossible_limit_is_refused() {
    let dir = folder();
    c_function(&dir, "f", "name = \"f\"\nmemroy = \"4M\"", "");
    let said = failure(&dir, &["build", "f"]);
    assert!(said.starts_with("f/mayfly.toml, line 2: unknown key `memroy`, expected one of `name`"), "{said}");
    c_function(&dir, "g", "name = \"g\"\nmemory = \"4G\"", "");
    let said = failure(&dir, &["build", "g"]);
    let expected = "g/mayfly.toml: `memory = \"4G\"` is not possible; memory must be a size from \"64K\" to \"512M\"";
    assert_eq!(said, expected);
    assert!(!dir.path().join("build").exists(), "nothing is written");
}

#[test]
fn two_functions_with_one_route_are_refused() {
    let dir = folder();
    c_function(&dir, "f", "name = \"f\"", "");
    c_function(&dir, "g", "name = \"g\"\nroute = \"/f\"", "");
    let said = failure(&dir, &["build", "f", "g"]);
    assert_eq!(said, "f/mayfly.toml and g/mayfly.toml both say route `/f`; change one of them");
}

#[test]
fn a_folder_that_is_no_function_is_refused() {
    let dir = folder();
    assert_eq!(failure(&dir, &["build", "f"]), "there is no folder f");
    fs::create_dir(dir.path().join("f")).expect("made");
    let said = failure(&dir, &["build", "f"]);
    assert_eq!(said, "neither f nor a folder in it has a mayfly.toml; `mayfly new NAME` makes a function's folder");
    fs::write(dir.path().join("f/mayfly.toml"), "name = \"f\"").expect("written");
    let said = failure(&dir, &["build", "f"]);
    assert!(said.starts_with("f has neither a Cargo.toml nor *.c files"), "{said}");
}

#[test]
fn a_program_that_cannot_be_a_function_is_refused() {
    let dir = folder();
    let f = dir.path().join("f");
    fs::create_dir(&f).expect("made");
    fs::write(f.join("mayfly.toml"), "name = \"f\"\nprogram = \"f.elf\"").expect("written");
    let said = failure(&dir, &["build", "f"]);
    let expected = "f/mayfly.toml names a `program` that cannot be read: f/f.elf: No such file or directory";
    assert!(said.starts_with(expected), "{said}");
    fs::write(f.join("f.elf"), "#!/bin/sh\n").expect("written");
    let said = failure(&dir, &["build", "f"]);
    assert_eq!(said, "the program of f cannot be a function: it is not an ELF file");
    fs::write(f.join("f.elf"), executable(dir.path(), LOADER)).expect("written");
    // The folder above it means the same.
    for folder in ["f", "."] {
        let said = failure(&dir, &["build", folder]);
        assert!(said.contains("cannot be a function: its segment 0x100000..0x100001 does not lie in"), "{said}");
    }
    fs::write(f.join("Cargo.toml"), "[package]\nname = \"f\"\n").expect("written");
    let said = failure(&dir, &["build", "f"]);
    assert!(said.starts_with("f/mayfly.toml names a `program`, but there is a Cargo.toml beside it"), "{said}");
    assert!(!dir.path().join("build").exists(), "nothing is written");
}

#[test]
fn a_crate_that_is_not_one_program_is_refused() {
    let dir = folder();
    let cargo = "[package]\nname = \"f\"\n[workspace]\n";
    c_function(&dir, "f", "name = \"f\"", "");
    fs::write(dir.path().join("f/Cargo.toml"), cargo).expect("written");
    fs::create_dir_all(dir.path().join("f/src/bin")).expect("made");
    fs::write(dir.path().join("f/src/lib.rs"), "").expect("written");
    let said = failure(&dir, &["build", "f"]);
    assert!(said.ends_with("f/Cargo.toml describes no program; a function's code is in src/main.rs"), "{said}");
    for name in ["a", "b"] {
        fs::write(dir.path().join(format!("f/src/bin/{name}.rs")), "fn main() {}").expect("written");
    }
    let said = failure(&dir, &["build", "f"]);
    assert!(said.ends_with("f/Cargo.toml describes 2 programs; a function is one"), "{said}");
    fs::write(dir.path().join("f/Cargo.toml"), "[workspace]\n").expect("written");
    let said = failure(&dir, &["build", "f"]);
    assert!(said.contains("f/Cargo.toml describes no package"), "{said}");
    fs::write(dir.path().join("f/Cargo.toml"), "[package]\n").expect("written");
    let said = failure(&dir, &["build", "f"]);
    assert!(said.ends_with("f/Cargo.toml; its message above says why"), "{said}");
}

#[test]
fn a_function_that_does_not_compile_or_fit_leaves_the_old_image_alone() {
    let dir = folder();
    fs::create_dir(dir.path().join("build")).expect("made");
    fs::write(dir.path().join(DEFAULT_IMAGE), "the old image").expect("written");
    c_function(&dir, "broken", "name = \"broken\"", "int _start(void) { return x; }");
    let said = failure(&dir, &["build", "broken"]);
    assert_eq!(said, "building broken failed; the C compiler's messages above say why");
    let code = "volatile char big[5 << 20]; void _start(void) { for (;;) big[0]++; }";
    c_function(&dir, "big", "name = \"big\"", code);
    let said = failure(&dir, &["build", "big"]);
    assert!(said.starts_with("the program of big cannot be a function: its static data and one page"), "{said}");
    assert_eq!(fs::read_to_string(dir.path().join(DEFAULT_IMAGE)).expect("read"), "the old image");
    assert_eq!(fs::read_dir(dir.path().join("build")).expect("listed").count(), 1);
}

#[test]
fn a_bad_name_or_an_existing_folder_makes_nothing_new() {
    let dir = folder();
    let said = failure(&dir, &["new", "No_Good"]);
    assert!(said.starts_with("`No_Good` cannot be a function's name; a name must start with a letter"), "{said}");
    fs::create_dir(dir.path().join("taken")).expect("made");
    let said = failure(&dir, &["new", "taken"]);
    assert_eq!(said, "there is already a folder taken here; take another name or remove it");
    assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 1);
}

#[test]
fn wrong_usage_exits_with_2_and_shows_what_is_possible() {
    for args in [&["explode"][..], &["inspect"], &["new"], &["build", "--fast"], &[]] {
        let output = mayfly(&folder(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("Usage: mayfly"), "{args:?}");
    }
}

#[test]
fn every_command_explains_itself_with_an_example() {
    for args in [
        &["new"][..],
        &["build"],
        &["run"],
        &["invoke"],
        &["inspect"],
        &["explain"],
        &["bench", "boot"],
        &["report"],
        &["demo"],
    ] {
        let output = mayfly(&folder(), &[args, &["--help"]].concat());
        assert!(output.status.success(), "{args:?}");
        let help = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(help.contains("Example"), "{args:?} shows no example:\n{help}");
    }
}
