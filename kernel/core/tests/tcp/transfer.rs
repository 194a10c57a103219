//! Data both ways on an open connection: what is taken, when it is acknowledged, what is sent, and what a loss does.

use crate::talk::{ACK, ALL, MS, MSS, RST, SECOND, Said, Talk};
use mayfly_core::tcp::State;
use smoltcp::wire::EthernetAddress;

#[test]
fn a_request_is_acknowledged_by_its_answer() {
    let mut talk = Talk::new();
    assert_eq!(talk.hear(ACK, 0, 0, 100), (100, 0));
    assert_eq!(talk.say(), []);
    let said = talk.writes(50);
    assert_eq!(said, [Said { seq: 0, len: 50, flags: ACK, ack: 100, window: ALL }]);
}

#[test]
fn without_an_answer_the_acknowledgement_comes_after_20_ms() {
    let mut talk = Talk::new();
    talk.hear(ACK, 0, 0, 100);
    assert_eq!(talk.say(), []);
    let (waited, said) = talk.wait();
    assert_eq!(waited, 20 * MS);
    assert!(matches!(said[..], [ack] if ack.is_bare_ack() && ack.ack == 100));
}

#[test]
fn every_second_full_segment_is_acknowledged_at_once() {
    let mut talk = Talk::new();
    talk.hear(ACK, 0, 0, 1460);
    assert_eq!(talk.say(), []);
    talk.hear(ACK, 1460, 0, 1460);
    assert!(matches!(talk.say()[..], [ack] if ack.is_bare_ack() && ack.ack == 2920));
}

#[test]
fn bytes_that_came_before_are_not_given_out_again() {
    let mut talk = Talk::new();
    talk.hear(ACK, 0, 0, 100);
    assert_eq!(talk.hear(ACK, 0, 0, 100), (0, 0));
    assert_eq!(talk.say()[0].ack, 100, "its sender has missed our acknowledgement");
    assert_eq!(talk.hear(ACK, 50, 0, 100), (50, 0), "only the second half is new");
    assert_eq!(talk.say()[0].ack, 150);
}

#[test]
fn what_comes_early_is_answered_with_what_is_missing() {
    let mut talk = Talk::new();
    assert_eq!(talk.hear(ACK, 100, 0, 100), (0, 100));
    assert_eq!(talk.say()[0].ack, 0);
    assert_eq!(talk.hear(ACK, 300, 0, 100), (0, 100));
    assert_eq!(talk.say()[0].ack, 0);
}

#[test]
fn what_fills_a_hole_is_acknowledged_at_once() {
    let mut talk = Talk::new();
    talk.hear(ACK, 100, 0, 100);
    talk.say();
    talk.hear(ACK, 0, 0, 50);
    assert!(
        matches!(talk.say()[..], [ack] if ack.is_bare_ack() && ack.ack == 50),
        "a part of the hole (RFC 5681, 4.2)"
    );
}

#[test]
fn a_hole_is_forgotten_after_two_gigabytes_without_one() {
    /// As many bytes at once as a peer may send.
    const STEP: u32 = 65535;
    let mut talk = Talk::new();
    talk.hear(ACK, 100, 0, 100);
    let mut place = 0_u32;
    while place <= 1 << 31 {
        talk.hear(ACK, place.cast_signed(), 0, STEP as usize);
        talk.say();
        place += STEP;
    }
    talk.hear(ACK, place.cast_signed(), 0, 100);
    assert_eq!(talk.say(), [], "it fills no hole: its answer can carry the acknowledgement");
}

#[test]
fn bytes_beyond_the_window_are_not_taken() {
    let mut talk = Talk::new();
    talk.tcp.set_room(0);
    assert_eq!(talk.hear(ACK, 0, 0, 65535), (65535, 0));
    assert_eq!(talk.say()[0].window, 0);
    assert_eq!(talk.hear(ACK, 65535, 0, 10), (0, 0));
    let said = talk.say();
    assert_eq!((said[0].ack, said[0].window), (65535, 0));
}

#[test]
fn the_window_that_was_promised_is_never_taken_back() {
    let mut talk = Talk::new();
    talk.tcp.set_room(10);
    talk.hear(ACK, 0, 0, 3000);
    let said = talk.say();
    assert_eq!((said[0].ack, said[0].window), (3000, ALL - 3000));
}

#[test]
fn a_window_that_opens_again_is_told_once_it_is_worth_telling() {
    let mut talk = Talk::new();
    talk.tcp.set_room(0);
    talk.hear(ACK, 0, 0, 65535);
    talk.say();
    talk.tcp.set_room(100);
    assert_eq!(talk.say(), []);
    talk.tcp.set_room(20_000);
    assert_eq!(talk.say()[0].window, 20_000);
}

#[test]
fn bytes_that_could_not_be_taken_are_not_passed_over_in_silence() {
    let mut talk = Talk::new();
    assert_eq!(talk.hear_taking(ACK, 0, 0, 500, 0), (0, 0));
    assert!(matches!(talk.say()[..], [ack] if ack.is_bare_ack() && ack.ack == 0), "else the peer gives us up");
}

#[test]
fn an_acknowledgement_from_behind_a_full_window_counts() {
    let mut talk = Talk::new();
    talk.writes(1000);
    // The peer has used all of its window, and the first of it was lost.
    talk.hear(ACK, 1460, 0, 64075);
    talk.say();
    talk.hear(ACK, 65535, 1000, 0);
    assert_eq!(talk.tcp.unacknowledged(), 0);
}

#[test]
fn the_first_flight_is_ten_segments() {
    let mut talk = Talk::new();
    let said = talk.writes(100_000);
    assert_eq!(said.len(), 10);
    assert!(said.iter().zip(0..).all(|(segment, at)| segment.run() == (at * 1460, MSS)));
    talk.acks(1460);
    assert_eq!(talk.say().len(), 2, "slow start: one for the one that left, and one more");
}

#[test]
fn the_third_repeated_acknowledgement_sends_the_lost_segment_again() {
    let mut talk = Talk::new();
    talk.writes(14600);
    talk.acks(0);
    talk.acks(0);
    assert_eq!(talk.say(), []);
    talk.acks(0);
    assert_eq!(talk.say()[0].run(), (0, MSS));
    // The next hole is known as soon as the first is filled.
    talk.acks(2920);
    assert_eq!(talk.say()[0].run(), (2920, MSS));
    talk.acks(14600);
    assert_eq!(talk.tcp.unacknowledged(), 0);
}

#[test]
fn a_loss_is_found_after_two_gigabytes_without_one() {
    let mut talk = Talk::new();
    let mut acked = 0_i32;
    for _ in 0..3 {
        let mut sent = talk.writes(0x3000_0000);
        while let Some(last) = sent.last() {
            acked = last.seq.wrapping_add(last.len.cast_signed());
            talk.acks(acked);
            sent = talk.say();
        }
    }
    assert_eq!(acked.cast_unsigned(), 0x9000_0000);
    talk.writes(14600);
    (0..3).for_each(|_| talk.acks(acked));
    assert_eq!(talk.say()[0].run(), (acked, MSS));
}

#[test]
fn a_window_that_is_not_used_does_not_grow() {
    let mut talk = Talk::new();
    let mut acked = 0;
    for _ in 0..1000 {
        talk.writes(100);
        acked += 100;
        talk.acks(acked);
    }
    assert_eq!(talk.writes(1_000_000).len(), 10, "a client that asked often gets no burst (RFC 7661)");
}

#[test]
fn without_an_acknowledgement_everything_is_sent_again_one_segment_first() {
    let mut talk = Talk::new();
    talk.writes(4380);
    let (waited, said) = talk.wait();
    assert_eq!(waited, 200 * MS);
    assert_eq!(said.iter().map(Said::run).collect::<Vec<_>>(), [(0, MSS)]);
    let (waited, said) = talk.wait();
    assert_eq!((waited, said.len()), (400 * MS, 1), "each wait is twice as long");
    talk.acks(1460);
    let runs: Vec<_> = talk.say().iter().map(Said::run).collect();
    assert_eq!(runs, [(1460, MSS), (2920, MSS)]);
}

#[test]
fn segments_that_a_router_on_the_way_may_find_too_long_become_shorter() {
    let mut talk = Talk::new();
    talk.writes(4380);
    for len in [MSS, MSS, 536, 536] {
        assert_eq!(talk.wait().1.iter().map(Said::run).collect::<Vec<_>>(), [(0, len)]);
    }
    talk.acks(536);
    let runs: Vec<_> = talk.say().iter().map(Said::run).collect();
    assert_eq!(runs, [(536, 536), (1072, 536)]);
}

#[test]
fn a_repeated_acknowledgement_after_a_timeout_is_not_a_new_loss() {
    let mut talk = Talk::new();
    talk.writes(14600);
    talk.wait();
    (0..5).for_each(|_| talk.acks(0));
    assert!(talk.say().iter().all(|segment| segment.seq > 0));
}

#[test]
fn a_lost_retransmission_is_found_by_time() {
    let mut talk = Talk::new();
    talk.writes(14600);
    (0..3).for_each(|_| talk.acks(0));
    talk.say();
    let (waited, said) = talk.wait();
    assert!(waited <= SECOND);
    assert_eq!(said[0].run(), (0, MSS));
}

#[test]
fn a_lost_segment_is_sent_again_though_the_window_is_small() {
    let mut talk = Talk::new();
    talk.writes(1000);
    talk.window = 700;
    talk.acks(1000);
    assert_eq!(talk.writes(500)[0].run(), (1000, 500));
    // More is waiting by now than the window takes, and the window is less than a full segment.
    assert_eq!(talk.writes(5000), []);
    let (waited, said) = talk.wait();
    assert!(waited <= SECOND);
    assert_eq!(said.len(), 1);
    assert_eq!((said[0].seq, said[0].len >= 500), (1000, true), "{said:?}");
}

#[test]
fn a_peer_that_never_answers_is_given_up_after_more_than_100_seconds() {
    let mut talk = Talk::new();
    talk.writes(100);
    let start = talk.now;
    while talk.state() == State::Open {
        talk.wait();
    }
    let took = talk.now - start;
    assert!(took > 100 * SECOND && took < 300 * SECOND, "{took}");
}

#[test]
fn a_closed_window_is_probed_for_as_long_as_the_peer_answers() {
    let mut talk = Talk::with_window(0);
    assert_eq!(talk.writes(5000), []);
    for _ in 0..50 {
        let (waited, said) = talk.wait();
        assert!(waited <= 60 * SECOND);
        assert_eq!(said[0].run(), (0, 1));
        talk.acks(0);
        assert_eq!(talk.say(), []);
    }
    talk.window = 10_000;
    talk.acks(0);
    assert_eq!(talk.say().iter().map(|segment| segment.len).sum::<u32>(), 5000);
    let (waited, said) = talk.wait();
    assert!(waited <= SECOND, "the long wait was for the window, not for this: {waited}");
    assert_eq!(said[0].run(), (0, MSS));
}

#[test]
fn a_window_that_opened_unheard_is_found_by_the_next_probe() {
    let mut talk = Talk::new();
    talk.writes(1000);
    talk.window = 0;
    talk.acks(1000);
    assert_eq!(talk.writes(3000), []);
    talk.wait();
    talk.window = 20_000;
    talk.acks(1001);
    let runs: Vec<_> = talk.say().iter().map(Said::run).collect();
    assert_eq!(runs, [(1001, MSS), (2461, MSS), (3921, 79)]);
    talk.acks(4000);
    assert_eq!(talk.tcp.unacknowledged(), 0);
}

#[test]
fn an_old_acknowledgement_does_not_change_the_window() {
    let mut talk = Talk::new();
    talk.hear(ACK, 0, 0, 100);
    talk.writes(1000);
    talk.hear(ACK, 100, 1000, 0);
    talk.window = 0;
    // Sent before the one above, and before its own data was answered.
    talk.hear(ACK, 0, 0, 100);
    talk.hear(ACK, 100, 500, 0);
    talk.say();
    assert_eq!(talk.writes(100).len(), 1);
}

#[test]
fn a_small_part_of_a_segment_is_not_sent_before_its_time() {
    let mut talk = Talk::new();
    talk.writes(1000);
    talk.window = 200;
    talk.acks(1000);
    assert_eq!(talk.writes(5000), [], "a silly window");
    let (_, said) = talk.wait();
    assert_eq!(said[0].run(), (1000, 200), "but after a while it is better than nothing");
}

#[test]
fn the_clock_of_a_segment_starts_when_it_is_sent() {
    let mut talk = Talk::new();
    talk.writes(1000);
    talk.window = 200;
    talk.acks(1000);
    assert_eq!(talk.writes(5000), []);
    talk.now += 190 * MS;
    talk.window = 10_000;
    talk.acks(1000);
    assert_eq!(talk.say().len(), 4);
    let (waited, _) = talk.wait();
    assert!(waited >= 200 * MS, "sent {waited} ns ago, and lost already");
}

#[test]
fn an_idle_peer_is_asked_three_times_whether_it_is_there() {
    let mut talk = Talk::new();
    for _ in 0..3 {
        let (waited, said) = talk.wait();
        assert_eq!(waited, 75 * SECOND);
        assert_eq!(said[0].run(), (-1, 0));
    }
    let (_, said) = talk.wait();
    assert!(said[0].flags.has(RST));
    assert_eq!(talk.state(), State::Closed);
}

#[test]
fn after_hours_without_a_clock_the_peer_is_asked_before_it_is_given_up() {
    let mut talk = Talk::new();
    talk.now += 5 * 3600 * SECOND;
    talk.tcp.tick(talk.now);
    assert_eq!(talk.say()[0].run(), (-1, 0));
    talk.acks(0);
    assert_eq!(talk.state(), State::Open);
    assert_eq!(talk.wait().0, 75 * SECOND);
}

#[test]
fn a_question_whether_we_are_there_is_answered() {
    let mut talk = Talk::new();
    talk.hear(ACK, 0, 0, 100);
    talk.writes(10);
    talk.hear(ACK, 100, 10, 0);
    talk.hear(ACK, 99, 10, 0);
    assert!(matches!(talk.say()[..], [ack] if ack.is_bare_ack() && ack.run() == (10, 0) && ack.ack == 100));
    // As older systems ask: with a byte that we have.
    talk.hear(ACK, 99, 10, 1);
    assert!(matches!(talk.say()[..], [ack] if ack.is_bare_ack() && ack.ack == 100));
}

#[test]
fn one_segment_from_another_card_does_not_turn_the_answers_there() {
    let mut talk = Talk::new();
    let (right, wrong) = (talk.hardware, EthernetAddress([2, 0, 0, 0, 0, 0x81]));
    // Neither checksum covers that address.
    for (at, from) in (0..).zip([wrong, right, wrong, right]) {
        talk.hardware = from;
        talk.hear(ACK, at, at, 1);
        talk.writes(1);
        assert_eq!(talk.sent_to, right);
    }
    talk.hardware = wrong;
    talk.hear(ACK, 4, 4, 1);
    talk.hear(ACK, 5, 4, 1);
    talk.writes(1);
    assert_eq!(talk.sent_to, wrong, "two in a row are the peer's");
}

#[test]
fn a_peer_that_only_repeats_itself_is_answered_where_it_is() {
    let mut talk = Talk::new();
    talk.hear(ACK, 0, 0, 100);
    talk.writes(1000);
    // The handshake's last segment had a wrong address, so that no answer has ever arrived.
    talk.hardware = EthernetAddress([2, 0, 0, 0, 0, 3]);
    talk.hear(ACK, 0, 0, 100);
    talk.hear(ACK, 0, 0, 100);
    talk.say();
    assert_eq!(talk.sent_to, talk.hardware);
}
