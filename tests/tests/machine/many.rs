//! Ten thousand functions in one image: it boots in as many instructions as with one, thousands of functions stay
//! resident, and each answers for itself. The `many` bench times the boots, and `mayfly bench cold` and `scale` the requests.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fastrand::Rng;
use mayfly_abi::PAGE;
use mayfly_abi::ledger::Phase;
use mayfly_qemu::Launch;
use mayfly_tests::{Connection, Exchange, Guest, Load, images, many};

/// Memory of the machines, in MiB.
const MEMORY: u32 = 128;
/// How much more ten thousand functions may cost than one, in percent.
const TOLERANCE: u64 = 5;
/// Page frames that a function may keep while it is resident and idle.
const RESIDENT_FRAMES: u64 = (24 << 10) / PAGE;
/// Longer than it takes a client's acknowledgement to arrive.
const QUIET: Duration = Duration::from_millis(20);

#[test]
fn ten_thousand_functions_boot_and_answer_first_in_as_many_instructions_as_one() {
    let [one, many] = [images::hello(), images::ten_thousand()].map(first_instructions);
    println!("instructions from entry to (listening, first answer): one function {one:?}, ten thousand {many:?}");
    for (one, many) in [(one.0, many.0), (one.1, many.1)] {
        assert!(many <= one + one * TOLERANCE / 100, "{many} instructions, and {one} with one function");
    }
}

/// Instructions from entry to listening, and of all work from entry until the first answer of hello is sent and cleaned
/// up after.
fn first_instructions(image: &Path) -> (u64, u64) {
    /// The client's acknowledgements are packets of their own in one boot and not in another: the cheapest counts.
    const BOOTS: usize = 3;
    let boots = (0..BOOTS).map(|_| {
        let guest = Guest::counting_on(Launch::new(image).memory_mib(MEMORY));
        let mut connection = guest.connect();
        check(&mut connection, &Exchange::hello("you"));
        let ledger = guest.settle(QUIET);
        let entry = ledger.stamps[Phase::Entry as usize];
        (ledger.stamps[Phase::Listening as usize] - entry, ledger.busy - entry)
    });
    boots.min_by_key(|(_, answered)| *answered).unwrap_or_default()
}

#[test]
fn two_thousand_functions_are_resident_at_once_in_128_mebibytes() {
    const RESIDENT: u32 = 2000;
    let guest = Guest::serving(Launch::new(images::ten_thousand()).memory_mib(MEMORY));
    let mut connection = guest.connect();
    // Frames in use after these functions were asked, once each.
    let mut after = |numbers: Range<u32>| {
        numbers.for_each(|number| check(&mut connection, &many::exchange(number)));
        guest.settle(QUIET).frames_used
    };
    // The first request of all brings windows that all later ones use.
    let nothing = after(RESIDENT..RESIDENT + 1);
    let one = after(0..1) - nothing;
    let all = after(0..RESIDENT) - nothing;
    println!("frames: {one} for one function, {all} for {RESIDENT}");
    assert!(one <= RESIDENT_FRAMES, "{one} frames for one function");
    assert_eq!(all, one * u64::from(RESIDENT), "every one is there, and costs the same");
    assert_eq!(after(0..RESIDENT) - nothing, all, "no one is made again");
}

#[test]
fn a_resident_hello_keeps_at_most_24_kibibytes() {
    let guest = Guest::serving(Launch::new(images::ten_thousand()).memory_mib(MEMORY));
    let mut connection = guest.connect();
    check(&mut connection, &many::exchange(0));
    let before = guest.settle(QUIET).frames_used;
    check(&mut connection, &Exchange::hello("you"));
    let frames = guest.settle(QUIET).frames_used - before;
    println!("{frames} frames");
    assert!((1..=RESIDENT_FRAMES).contains(&frames), "{frames} frames");
}

#[test]
fn any_of_ten_thousand_functions_answers_right_in_random_order() {
    let guest = Guest::serving(Launch::new(images::ten_thousand()).memory_mib(MEMORY));
    let mut order: Vec<u32> = (0..images::MANY).chain(0..images::MANY).collect();
    Rng::with_seed(0).shuffle(&mut order);
    let next = AtomicUsize::new(0);
    let load = Load { requests: order.len(), connections: 8, at_once: 4, longest_body: 0 };
    let outcome = load.ask(&guest, |_| Cow::Owned(many::exchange(order[next.fetch_add(1, Ordering::Relaxed)])));
    println!("{outcome}");
    assert_eq!((outcome.latencies.count(), outcome.failures), (load.requests, 0), "{outcome}");
    guest.expect_hello();
}

#[test]
fn a_first_request_takes_about_the_same_however_many_functions_are_resident() {
    /// How much more than a later request a first one may take, in instructions.
    const MOST: u64 = 8000;
    let guest = Guest::counting_on(Launch::new(images::ten_thousand()).memory_mib(MEMORY));
    let mut connection = guest.connect();
    let mut asked = 0;
    // The last one finds memory used up since long ago: others go for it.
    let figures = [10, 2000, 6000].map(|number| {
        (asked..number).for_each(|number| check(&mut connection, &many::exchange(number)));
        asked = number + 1;
        // Of the domains' work alone: what the network takes depends on when the client's packets come.
        let mut domains = || {
            let before = guest.settle(QUIET);
            check(&mut connection, &many::exchange(number));
            guest.settle_after(&before, QUIET).domains - before.domains
        };
        (domains(), domains())
    });
    println!("instructions of domains for the (first, second) request of number 10, 2000 and 6000: {figures:?}");
    for (first, second) in figures {
        assert!(first - second <= MOST, "{first} instructions, and {second} the second time");
    }
}

#[track_caller]
fn check(connection: &mut Connection, exchange: &Exchange) {
    let response = connection.ask(&exchange.request);
    exchange.check(&response).unwrap_or_else(|wrong| panic!("{wrong}"));
}
