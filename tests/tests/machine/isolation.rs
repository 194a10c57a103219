//! Functions that attack the kernel or each other: each gets its exact status and fault name, and nobody else notices.

use std::thread;
use std::time::{Duration, Instant};

use mayfly_tests::{Guest, Request, Response, images};

/// What each path of `fault` does.
const FAULTS: &[(&str, &str)] = &[
    ("/null", "null-access"),
    ("/wild-jump", "wild-jump"),
    ("/write-text", "write-protected"),
    ("/execute-stack", "no-execute"),
    ("/execute-data", "no-execute"),
    ("/privileged", "privileged-instruction"),
    ("/port", "privileged-instruction"),
    ("/msr", "privileged-instruction"),
    ("/interrupt", "general-protection"),
    ("/descriptors", "privileged-instruction"),
    ("/divide", "divide-error"),
    ("/illegal", "illegal-instruction"),
    ("/breakpoint", "breakpoint"),
    ("/single-step", "debug"),
    ("/step-into-call", "debug"),
    ("/float", "x87"),
    ("/panic", "panic"),
];

/// What each path of `peek` does.
const PEEKS: &[(&str, &str)] = &[
    ("/kernel-text", "kernel-address"),
    ("/write-kernel", "kernel-address"),
    ("/jump-kernel", "kernel-address"),
    ("/kernel-stack", "kernel-address"),
    ("/direct-map", "kernel-address"),
    ("/ledger", "kernel-address"),
    ("/write-ledger", "kernel-address"),
    ("/boot-block", "kernel-address"),
    ("/lapic", "kernel-address"),
    ("/noncanonical", "privileged-instruction"),
    ("/jump-noncanonical", "privileged-instruction"),
    ("/stack-guard", "stack-overflow"),
    ("/before-heap", "unmapped"),
    ("/write-request", "write-protected"),
    ("/execute-request", "no-execute"),
    ("/beyond", "unmapped"),
];

/// Each path of `function` ends in 502 with its fault's name, on a connection that can go on, and hello answers after.
fn expect_faults(function: &str, faults: &[(&str, &str)]) {
    let guest = Guest::boot(images::all());
    // What the table leaves out would not be noticed otherwise.
    let list = guest.ask(&Request::get(format!("/{function}"))).text();
    let paths: Vec<_> = list.lines().skip(1).collect();
    assert_eq!(paths, faults.iter().map(|(path, _)| *path).collect::<Vec<_>>());

    let mut connection = guest.connect();
    for (number, (path, fault)) in (1..).zip(faults) {
        let response = connection.ask(&Request::get(format!("/{function}{path}")));
        expect(&response, 502, &format!("{function} broke: {fault} (fault {number})\n"));
        guest.expect_line(&format!("mayfly: fault {number}: {function}: {fault}: "));
        let hello = connection.ask(&Request::get("/hello"));
        expect(&hello, 200, "hello, world\n");
    }
    guest.expect_hello();
}

#[track_caller]
fn expect(response: &Response, status: u16, text: &str) {
    assert_eq!((response.status, response.text().as_str()), (status, text));
    assert!(!response.closes(), "{response:?}");
}

#[test]
fn every_way_to_fault_gets_502_with_its_name() {
    expect_faults("fault", FAULTS);
}

#[test]
fn every_peek_at_foreign_memory_gets_502_with_its_name() {
    expect_faults("peek", PEEKS);
}

#[test]
fn a_panic_is_told_on_the_console_with_its_place() {
    let guest = Guest::boot(images::all());
    assert_eq!(guest.ask(&Request::get("/fault/panic")).status, 502);
    guest.expect_line("fault: functions/hostile/fault/src/main.rs:");
    guest.expect_line("index out of bounds: the len is 2 but the index is 2");
}

#[test]
fn recursion_without_end_gets_502_as_stack_overflow() {
    let guest = Guest::boot(images::all());
    expect(&guest.ask(&Request::get("/overflow")), 502, "overflow broke: stack-overflow (fault 1)\n");
    guest.expect_hello();
}

#[test]
fn memory_without_end_gets_507() {
    let guest = Guest::boot(images::all());
    for (number, path) in [(1, "/hog"), (2, "/hog/touch"), (3, "/hog")] {
        let text = format!("hog asked for more memory than its limit of 2048 KiB (fault {number})\n");
        expect(&guest.ask(&Request::get(path)), 507, &text);
        guest.expect_hello();
    }
}

#[test]
fn no_wrong_call_is_accepted() {
    let guest = Guest::boot(images::all());
    let response = guest.ask(&Request::get("/badcall"));
    assert_eq!(response.status, 200, "{response:?}");
    let text = response.text();
    assert!(text.lines().count() > 100, "{text}");
    for line in ["call, number -1: UnknownCall", "Log, kernel: BadPointer", "Respond, Content-Length: BadHeaders"] {
        assert!(text.lines().any(|found| found == line), "`{line}` is not in\n{text}");
    }
    assert!(!text.lines().any(|line| line.ends_with(": no")), "{text}");
    guest.expect_hello();
}

#[test]
fn a_function_that_loops_forever_is_ended_at_its_limit() {
    let guest = Guest::boot(images::all());
    let asked = Instant::now();
    let response = guest.ask(&Request::get("/spin"));
    let took = asked.elapsed();
    expect(&response, 504, "spin ran past its limit of 500 ms (fault 1)\n");
    assert!((Duration::from_millis(490)..Duration::from_secs(3)).contains(&took), "{took:?}");
    guest.expect_hello();
}

#[test]
fn others_answer_while_functions_loop() {
    const SPINNING: usize = 4;
    let guest = Guest::boot(images::all());
    let mut connection = guest.connect_and_ask();
    let spinning: Vec<_> = (0..SPINNING).map(|_| guest.connect_and_ask()).collect();
    thread::scope(|scope| {
        let spinners: Vec<_> = spinning
            .into_iter()
            .map(|mut connection| scope.spawn(move || connection.ask(&Request::get("/spin")).status))
            .collect();
        let mut answered = 0;
        while spinners.iter().any(|spinner| !spinner.is_finished()) {
            let asked = Instant::now();
            expect(&connection.ask(&Request::get("/hello")), 200, "hello, world\n");
            assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
            answered += 1;
        }
        assert!(answered > 5, "only {answered} answers");
        for spinner in spinners {
            assert_eq!(spinner.join().expect("it got an answer"), 504);
        }
    });
}

#[test]
fn more_invocations_than_the_manifest_allows_wait_for_their_turn() {
    /// More than the eight at once that are allowed if the manifest says nothing.
    const ASKED: usize = 12;
    let guest = Guest::boot(images::all());
    let mut connections: Vec<_> = (0..ASKED).map(|_| guest.connect_and_ask()).collect();
    for connection in &mut connections {
        connection.send(&Request::get("/spin").to_bytes());
    }
    for connection in &mut connections {
        assert_eq!(connection.receive().status, 504);
    }
    guest.expect_hello();
}

#[test]
fn nothing_is_left_of_an_invocation_for_the_next_one() {
    let guest = Guest::boot(images::all());
    let marks = b"REMEMBER".repeat(1024);
    let mut connection = guest.connect();
    for round in 0..100 {
        // A long body full of the mark, then a short one behind whose end the mark must not show.
        for body in [&marks[..], &marks[..3]] {
            let response = connection.ask(&Request::post("/remember", body));
            assert_eq!((response.status, response.text().as_str()), (200, "nothing\n"), "round {round}");
        }
    }
}

#[test]
fn nothing_is_left_after_an_invocation_that_broke() {
    let guest = Guest::boot(images::all());
    for (path, status) in [("/overflow", 502), ("/hog/touch", 507), ("/spin", 504), ("/fault/panic", 502)] {
        for _ in 0..3 {
            let response = guest.ask(&Request::get(path));
            assert_eq!(response.status, status, "{response:?}");
            let response = guest.ask(&Request::get("/remember"));
            assert_eq!((response.status, response.text().as_str()), (200, "nothing\n"), "after {path}");
        }
    }
}
