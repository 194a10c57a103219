//! The other ways to hold functions apart than the default: what they say, and what still works. docs/isolation.md

use std::time::Duration;

use mayfly_abi::exit::Exit;
use mayfly_abi::image::Isolation;
use mayfly_qemu::{Ending, Launch};
use mayfly_tests::{Guest, Request, images};

/// What a path gets.
#[track_caller]
fn expect(guest: &Guest, path: &str, status: u16, text: &str) {
    let response = guest.ask(&Request::get(path));
    assert_eq!((response.status, response.text().as_str()), (status, text), "{path}");
}

#[test]
fn without_isolation_the_console_warns_and_functions_run() {
    let guest = Guest::boot(&images::isolated(Isolation::None));
    guest.expect_line("mayfly: UNSAFE: this image runs functions in ring 0, with no isolation at all");
    guest.expect_hello();
}

#[test]
fn without_isolation_a_function_that_loops_is_still_preempted_and_ended() {
    let guest = Guest::boot(&images::isolated(Isolation::None));
    let (mut spinning, mut other) = (guest.connect_and_ask(), guest.connect_and_ask());
    spinning.send(&Request::get("/spin").to_bytes());
    // It is not that spin has ended before: nothing of its answer is there yet.
    assert_eq!(other.ask(&Request::get("/hello")).status, 200);
    assert!(!spinning.has_bytes(Duration::from_millis(1)), "spin runs for half a second");
    let response = spinning.receive();
    assert_eq!((response.status, response.text().as_str()), (504, "spin ran past its limit of 500 ms (fault 1)\n"));
    guest.expect_hello();
}

#[test]
fn without_isolation_page_rights_still_hold() {
    let guest = Guest::boot(&images::isolated(Isolation::None));
    expect(&guest, "/fault/null", 502, "fault broke: null-access (fault 1)\n");
    expect(&guest, "/fault/write-text", 502, "fault broke: write-protected (fault 2)\n");
    expect(&guest, "/fault/execute-stack", 502, "fault broke: no-execute (fault 3)\n");
    guest.expect_hello();
}

#[test]
fn without_isolation_nothing_keeps_a_function_from_what_is_the_kernels() {
    let guest = Guest::boot(&images::isolated(Isolation::None));
    // That it can is why the image is unsafe. If it could not, `none` would not measure what it is said to measure.
    for attack in ["/rdmsr", "/read-cr3", "/cli"] {
        expect(&guest, &format!("/instruction{attack}"), 200, &format!("nothing stopped it: {attack}\n"));
    }
}

#[test]
fn isolation_that_the_cpu_cannot_do_is_refused_with_a_sentence() {
    // QEMU's translator has no PCID.
    let mut guest = Guest::start(Launch::new(images::isolated(Isolation::TablesPcid)));
    assert_eq!(guest.expect_ending(), Ending::Kernel(Exit::Refused));
    let console = guest.machine().console().text();
    let sentence =
        "mayfly: the image asks for isolation `tables-pcid`, but this CPU has no PCID; build it with `tables`";
    assert!(console.contains(sentence), "{console}");
}
