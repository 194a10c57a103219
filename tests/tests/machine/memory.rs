//! Memory as machines have it: used before, and more of it than the image's page tables show.

use mayfly_abi::PAGE;
use mayfly_qemu::Launch;
use mayfly_tests::{Exchange, Guest, Request, images};

#[test]
fn memory_that_is_not_zero_when_the_machine_starts_changes_no_answer() {
    let guest = Guest::serving(Launch::new(images::all()).used_memory());
    let order = [("tea".to_owned(), 6, 2)];
    for exchange in [
        Exchange::hello("Ada"),
        Exchange::echo(vec![7; 1 << 20]),
        Exchange::sha256(b"abc".to_vec()),
        Exchange::qr("https://example.org/"),
        Exchange::json(&order),
        Exchange::wordcount("one two\nthree\n"),
    ] {
        exchange.check(&guest.ask(&exchange.request)).unwrap_or_else(|wrong| panic!("{wrong}"));
    }
    assert_eq!(guest.ask(&Request::get("/fault/null")).status, 502);
    guest.expect_hello();
    let ledger = guest.ledger().expect("it serves");
    assert!(ledger.stamps.is_sorted(), "a stamp is what memory held before: {:?}", ledger.stamps);
}

#[test]
fn memory_above_3_gib_is_used() {
    for mebibytes in [3 << 10, 5 << 10, 64 << 10] {
        let guest = Guest::serving(Launch::new(images::hello()).memory_mib(mebibytes));
        guest.expect_hello();
        let frames = guest.ledger().expect("it serves").frames_total;
        let all = u64::from(mebibytes) * (1 << 20) / PAGE;
        // The image, what lies below it, and edges of large pages are not among them.
        assert!((all - 2048..all).contains(&frames), "{frames} frames of {all} are used");
    }
}
