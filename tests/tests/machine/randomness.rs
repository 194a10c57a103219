//! Random numbers differ from one invocation to the next, and from one boot to the next.

use std::collections::HashSet;

use mayfly_qemu::Launch;
use mayfly_tests::{Guest, Request, images};

fn answers(guest: &Guest, count: usize) -> Vec<String> {
    let mut connection = guest.connect();
    let mut ask = || {
        let response = connection.ask(&Request::get("/random"));
        assert_eq!((response.status, response.body.len()), (200, 65), "{response:?}");
        response.text()
    };
    (0..count).map(|_| ask()).collect()
}

#[track_caller]
fn expect_distinct(answers: &[String]) {
    assert_eq!(answers.iter().collect::<HashSet<_>>().len(), answers.len());
    // Of 256 bits, each is set in half of the answers; far from that they are not random.
    let ones: u32 =
        answers.iter().flat_map(|text| text.chars()).filter_map(|c| c.to_digit(16)).map(u32::count_ones).sum();
    let bits = answers.len() as u32 * 256;
    assert!(ones.abs_diff(bits / 2) < bits / 20, "{ones} of {bits} bits are ones");
}

#[test]
fn no_two_invocations_of_two_boots_get_the_same_random_numbers() {
    let boot = || answers(&Guest::serving(Launch::new(images::measuring())), 100);
    expect_distinct(&[boot(), boot()].concat());
}

#[test]
fn without_a_generator_in_the_cpu_numbers_still_differ_and_the_console_warns() {
    let boot = || {
        let guest = Guest::serving(Launch::new(images::measuring()).cpu("qemu64"));
        let answers = answers(&guest, 20);
        guest.expect_line("this CPU has no random generator");
        answers
    };
    expect_distinct(&[boot(), boot()].concat());
}
