//! `mayfly run --report`: however a run ends, its report says what was run, on what, how far it came, and how it ended.

use std::fs;
use std::path::{Path, PathBuf};

use mayfly_tests::{Run, images};

/// A place for a report, where none is.
fn place(name: &str) -> PathBuf {
    let path = images::place(name);
    // Of an earlier run of this test.
    let _ = fs::remove_file(&path);
    path
}

/// A run with these arguments that ends by itself: what it said, and its report.
fn failed(name: &str, arguments: &[&str]) -> (String, String) {
    let path = place(name);
    let mut command = images::mayfly();
    command.args(["run", "--port", "0", "--accel", "tcg", "--report"]).arg(&path).args(arguments);
    let output = command.output().expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{said}");
    (said, fs::read_to_string(&path).expect("there is a report"))
}

/// What stands in a line of the report's tables.
#[track_caller]
fn cell<'a>(report: &'a str, name: &str) -> &'a str {
    let start = format!("| {name} | ");
    let line = report.lines().find_map(|line| line.strip_prefix(&start));
    line.unwrap_or_else(|| panic!("there is no {name} in\n{report}")).trim_end_matches(" |")
}

/// Milliseconds of a part.
#[track_caller]
fn took(report: &str, part: &str) -> f64 {
    cell(report, part).parse().expect("a number")
}

fn name(image: &Path) -> &str {
    image.to_str().expect("its name is ASCII")
}

#[test]
fn a_machine_that_is_refused_has_a_report_with_its_sentence_and_how_far_it_came() {
    let image = name(images::hello());
    let (_, report) = failed("refused.md", &[image, "--machine", "q35", "--nic", "e1000e", "--memory", "4M"]);
    assert!(cell(&report, "ended").starts_with("the kernel refused to run on this machine"), "{report}");
    assert_eq!(cell(&report, "machine"), "q35, e1000e, 4 MiB");
    assert!(cell(&report, "image").contains("hello.elf, ") && cell(&report, "image").contains(" bytes, SHA-256 "));
    assert_eq!(cell(&report, "functions"), "/hello");
    assert!(cell(&report, "QEMU").ends_with("accelerator tcg: as asked"), "{report}");
    assert!(cell(&report, "host").contains(" cores, Linux "), "{report}");
    assert!(cell(&report, "command").starts_with("mayfly run --port 0 --accel tcg --report "), "{report}");
    assert!(took(&report, "firmware") > 0.0 && took(&report, "loader") > 0.0, "{report}");
    assert_eq!(cell(&report, "kernel"), "it does not listen");
    let console = report.split("## Console").nth(1).expect("it has the console");
    assert!(console.contains("mayfly: ") && console.contains("memory"), "{report}");
    assert!(report.contains("## QEMU's command line\n\n```text\nqemu-system-x86_64 -M q35,"), "{report}");
}

#[test]
fn a_run_that_qemu_or_the_tool_itself_ends_has_a_report_too() {
    let image = name(images::hello());
    let (said, report) = failed("no-cpu.md", &[image, "--cpu", "a-fine-one"]);
    assert!(said.contains("QEMU ended with status 1") && said.contains("a-fine-one"), "{said}");
    assert!(cell(&report, "ended").starts_with("QEMU ended with status 1"), "{report}");
    assert!(report.contains("Nothing is known: the kernel has not started."), "{report}");
    assert!(report.split("## QEMU's own messages").nth(1).is_some_and(|text| text.contains("a-fine-one")), "{report}");

    let (said, report) = failed("wrong-image.md", &[image, "--machine", "uefi-usb"]);
    let sentence = "is not what the machine uefi-usb boots: build it with `mayfly build --format disk`";
    assert!(said.contains(sentence) && cell(&report, "ended").contains(sentence), "{said}\n{report}");
    assert_eq!(cell(&report, "machine"), "uefi-usb, virtio-net-pci, 64 MiB");
}

#[test]
fn a_report_that_cannot_be_written_is_refused_before_anything_is_started() {
    let mut command = images::mayfly();
    let path = images::place("no/such/folder/report.md");
    command.args(["run", name(images::hello()), "--port", "0", "--report"]).arg(&path);
    let output = command.output().expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && output.stdout.is_empty(), "{said}");
    assert!(said.contains("mayfly: the report cannot be written to ") && said.contains("No such file"), "{said}");
}

#[test]
fn a_run_from_a_stick_that_served_has_a_report_of_firmware_loader_and_kernel() {
    let path = place("served.md");
    let report = path.to_str().expect("its name is ASCII");
    let run = Run::start(&[name(images::disk()), "--machine", "uefi-usb", "--accel", "tcg", "--report", report]);
    let so_far = fs::read_to_string(&path).expect("it is there from the start");
    assert!(cell(&so_far, "ended").contains("it still runs, or was killed"), "{so_far}");
    let listens = run.until("it listens ");
    assert!(listens.contains(" ms after power-on: firmware "), "{listens}");
    run.expect_status("/hello", 200);
    drop(run);

    let report = fs::read_to_string(&path).expect("there is a report");
    assert_eq!(cell(&report, "ended"), "by Ctrl-C");
    for part in ["firmware", "loader", "kernel"] {
        assert!(took(&report, part) > 0.0, "{part} in\n{report}");
    }
    assert!(report.contains(" listening ") && report.contains(" function left "), "{report}");
    assert!(report.contains("The image lies where it is linked."), "{report}");
}
