//! Handshakes: remembered ones, and those that their own sequence numbers remember.

use std::collections::HashMap;

use mayfly_core::tcp::connection::Opening;
use mayfly_core::tcp::handshake::{Ending, Handshakes};
use mayfly_core::tcp::{Flags, Header, Remote, Segment, Seq};
use proptest::prelude::*;
use smoltcp::wire::{EthernetAddress, Ipv4Address};

use crate::talk::{MS, SECOND};

const KEYS: [u64; 2] = [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210];

fn segment(from: u32, seq: u32, ack: u32, flags: Flags, options: &[u8]) -> Segment<'_> {
    Segment {
        hardware: EthernetAddress([2, 0, 0, 0, 0, 1]),
        remote: Remote { address: Ipv4Address::from(from), port: 1000 },
        port: 8080,
        seq: Seq(seq),
        ack: Seq(ack),
        flags,
        window: 1000,
        options,
        payload: &[],
    }
}

fn syn(handshakes: &mut Handshakes, from: u32, seq: u32, options: &[u8], now: u64) -> Header {
    handshakes.answer(&segment(from, seq, 0, Flags::SYN, options), None, now)
}

fn open(ending: Ending) -> Option<Opening> {
    match ending {
        Ending::Open(opening) => Some(opening),
        Ending::Early | Ending::Unknown => None,
    }
}

/// The peer's end of the handshake that `answer` is the middle of.
fn finish(handshakes: &mut Handshakes, from: u32, answer: &Header, now: u64) -> Option<Opening> {
    open(handshakes.finish(&segment(from, answer.ack.0, answer.seq.0.wrapping_add(1), Flags::ACK, &[]), now))
}

/// Begins so many handshakes that every place is taken.
fn flood(handshakes: &mut Handshakes, now: u64) {
    for from in 0..2000 {
        syn(handshakes, 0x0a00_0000 + from, from, &[], now);
    }
}

fn options(mss: u16, scale: Option<u8>) -> Vec<u8> {
    let [high, low] = mss.to_be_bytes();
    let mut options = vec![2, 4, high, low];
    options.extend(scale.map(|scale| [3, 3, scale]).into_iter().flatten());
    options
}

#[test]
fn a_handshake_is_finished_once_and_tells_how_long_it_took() {
    let mut handshakes = Handshakes::new(KEYS);
    let answer = syn(&mut handshakes, 1, 500, &options(1400, Some(7)), SECOND);
    assert_eq!((answer.ack, answer.flags), (Seq(501), Flags(Flags::SYN.0 | Flags::ACK.0)));
    assert!(answer.scale);
    let opening = finish(&mut handshakes, 1, &answer, SECOND + 3 * MS).expect("open");
    assert_eq!((opening.mss, opening.shift, opening.rtt), (1400, 7, Some(3 * MS)));
    assert_eq!((opening.receive, opening.send), (Seq(501), answer.seq.plus(1)));
    assert!(finish(&mut handshakes, 1, &answer, SECOND + 4 * MS).is_none());
}

#[test]
fn a_repeated_syn_gets_the_same_answer() {
    let mut handshakes = Handshakes::new(KEYS);
    let first = syn(&mut handshakes, 1, 500, &[], SECOND);
    let second = syn(&mut handshakes, 1, 500, &[], 2 * SECOND);
    assert_eq!(first.seq, second.seq);
    let opening = finish(&mut handshakes, 1, &first, 3 * SECOND).expect("open");
    assert_eq!(opening.rtt, None, "nobody knows which answer was heard");
    assert_eq!((opening.mss, opening.shift), (536, 0), "what a peer has that says nothing");
}

#[test]
fn of_a_repeated_syn_the_last_one_counts() {
    // Some peers leave the options out once they were not heard with them, and do not scale their windows then.
    let mut handshakes = Handshakes::new(KEYS);
    syn(&mut handshakes, 1, 500, &options(1400, Some(7)), SECOND);
    let second = syn(&mut handshakes, 1, 500, &options(1300, None), 2 * SECOND);
    assert!(!second.scale);
    let opening = finish(&mut handshakes, 1, &second, 3 * SECOND).expect("open");
    assert_eq!((opening.mss, opening.shift), (1300, 0));
}

#[test]
fn a_connection_that_follows_another_begins_behind_all_that_it_has_sent() {
    let begin =
        |used: Option<Seq>, now| Handshakes::new(KEYS).answer(&segment(1, 500, 0, Flags::SYN, &[]), used, now).seq;
    let clock = begin(None, SECOND);
    // A stream that is faster than the clock is ahead of it, by less than half of all places.
    for sent in [1_u32, 1000, 10_000_000, 1 << 30] {
        let used = clock.plus(sent);
        let next = begin(Some(used), SECOND);
        assert!(
            next.since(used) > u32::from(u16::MAX) && next.since(used) < 1 << 17,
            "{sent}: {next:?} behind {used:?}"
        );
    }
    // The others are behind it.
    for left in [1 << 17, 1 << 30] {
        assert_eq!(begin(Some(Seq(clock.0.wrapping_sub(left))), SECOND), clock);
    }
}

#[test]
fn a_long_silence_before_the_first_data_is_not_a_round_trip() {
    let mut handshakes = Handshakes::new(KEYS);
    let answer = syn(&mut handshakes, 1, 500, &[], SECOND);
    let mut first = segment(1, answer.ack.0, answer.seq.0.wrapping_add(1), Flags::ACK, &[]);
    first.payload = b"GET";
    let opening = open(handshakes.finish(&first, 90 * SECOND)).expect("open");
    assert_eq!(opening.rtt, None, "the acknowledgement itself was lost");
}

#[test]
fn the_first_data_may_overtake_the_acknowledgement() {
    let mut handshakes = Handshakes::new(KEYS);
    let answer = syn(&mut handshakes, 1, 500, &[], 0);
    let later = segment(1, 501 + 2920, answer.seq.0.wrapping_add(1), Flags::ACK, &[]);
    assert_eq!(open(handshakes.finish(&later, MS)).expect("open").receive, Seq(501));
}

#[test]
fn data_that_overtakes_a_cookie_is_not_answered_with_a_reset() {
    let mut handshakes = Handshakes::new(KEYS);
    flood(&mut handshakes, 0);
    let answer = syn(&mut handshakes, 1, 500, &[], 0);
    let later = segment(1, 501 + 2920, answer.seq.0.wrapping_add(1), Flags::ACK, &[]);
    assert!(matches!(handshakes.finish(&later, MS), Ending::Early));
    let wrong = segment(1, 501_u32.wrapping_sub(2920), answer.seq.0.wrapping_add(1), Flags::ACK, &[]);
    assert!(matches!(handshakes.finish(&wrong, MS), Ending::Unknown));
    let opening = finish(&mut handshakes, 1, &answer, 2 * MS).expect("the first bytes come again");
    assert_eq!(opening.receive, Seq(501));
}

#[test]
fn a_forged_acknowledgement_opens_nothing() {
    let mut handshakes = Handshakes::new(KEYS);
    let answer = syn(&mut handshakes, 1, 500, &[], 0);
    for now in [0, 1, 31 * SECOND, 33 * SECOND, 65 * SECOND] {
        flood(&mut handshakes, now);
        for guess in 0..20_000_u32 {
            let forged = segment(2, 77, guess.wrapping_mul(0x9e37_79b9), Flags::ACK, &[]);
            assert!(open(handshakes.finish(&forged, now)).is_none(), "{guess} at {now}");
        }
    }
    // Another's sequence number is no good either, nor is one from outside the window.
    let forged = segment(2, 501, answer.seq.0.wrapping_add(1), Flags::ACK, &[]);
    assert!(matches!(handshakes.finish(&forged, 1), Ending::Unknown));
    let forged = segment(1, 501 + 70_000, answer.seq.0.wrapping_add(1), Flags::ACK, &[]);
    assert!(matches!(handshakes.finish(&forged, 1), Ending::Unknown));
}

#[test]
fn a_flood_drives_no_young_handshake_out() {
    let mut handshakes = Handshakes::new(KEYS);
    let answer = syn(&mut handshakes, 1, 500, &options(1460, Some(9)), SECOND);
    flood(&mut handshakes, SECOND + MS);
    // Not even from the same address and port.
    let forged = syn(&mut handshakes, 1, 999_999, &[], SECOND + MS);
    assert_ne!(forged.seq, answer.seq);
    let opening = finish(&mut handshakes, 1, &answer, SECOND + 2 * MS).expect("open");
    assert_eq!((opening.mss, opening.shift, opening.rtt), (1460, 9, Some(2 * MS)));
}

#[test]
fn without_a_flood_no_cookie_is_believed() {
    let (mut flooded, mut calm) = (Handshakes::new(KEYS), Handshakes::new(KEYS));
    flood(&mut flooded, 0);
    let cookie = syn(&mut flooded, 1, 500, &[], MS);
    assert!(finish(&mut calm, 1, &cookie, 2 * MS).is_none());
    assert!(finish(&mut flooded, 1, &cookie, 2 * MS).is_some());
}

#[test]
fn sequence_numbers_go_on_with_time_and_differ_from_peer_to_peer() {
    let first: HashMap<u32, u32> =
        (0..50).map(|from| (from, syn(&mut Handshakes::new(KEYS), from, 0, &[], SECOND).seq.0)).collect();
    let later = |from| syn(&mut Handshakes::new(KEYS), from, 0, &[], 2 * SECOND).seq.0;
    assert!(first.iter().all(|(from, seq)| later(*from).wrapping_sub(*seq) == 244_140 || later(*from).wrapping_sub(*seq) == 244_141));
    let mut values: Vec<u32> = first.into_values().collect();
    values.sort_unstable();
    values.dedup();
    assert_eq!(values.len(), 50);
    assert_ne!(syn(&mut Handshakes::new([1, 2]), 1, 0, &[], 0).seq, syn(&mut Handshakes::new(KEYS), 1, 0, &[], 0).seq);
}

proptest! {
    #[test]
    fn a_cookie_brings_back_what_the_peer_offered(
        mss in 64_u16..9000, scale in prop::option::of(0_u8..=20), start in 0..200 * SECOND, wait in 0..32 * SECOND,
        theirs in any::<u32>(),
    ) {
        let mut handshakes = Handshakes::new(KEYS);
        flood(&mut handshakes, start);
        let cookie = syn(&mut handshakes, 1, theirs, &options(mss, scale), start);
        let opening = finish(&mut handshakes, 1, &cookie, start + wait).expect("a cookie is good for 32 seconds");
        let largest = [64, 536, 1024, 1220, 1360, 1400, 1440, 1460].into_iter().filter(|size| *size <= mss).max();
        prop_assert_eq!((Some(opening.mss), opening.shift), (largest, scale.unwrap_or(0).min(14)));
        prop_assert_eq!((opening.receive, opening.send, opening.rtt), (cookie.ack, cookie.seq.plus(1), None));
        prop_assert!(finish(&mut handshakes, 2, &cookie, start + wait).is_none());
    }

    #[test]
    fn an_old_cookie_is_not_believed(start in 0..200 * SECOND) {
        let mut handshakes = Handshakes::new(KEYS);
        flood(&mut handshakes, start);
        let cookie = syn(&mut handshakes, 1, 7, &[], start);
        // The flood goes on.
        flood(&mut handshakes, start + 60 * SECOND);
        let late = start + 64 * SECOND + MS;
        prop_assert!(finish(&mut handshakes, 1, &cookie, late).is_none());
    }
}
