//! How connections end: both ways, in every order, and by force (RFC 9293, 3.6 and 3.10.7; RFC 5961).

use crate::talk::{ACK, FIN, MS, RST, SECOND, Talk};
use mayfly_core::tcp::connection::NEVER;
use mayfly_core::tcp::{Flags, State};

#[test]
fn the_peer_ends_first_and_we_keep_nothing() {
    let mut talk = Talk::new();
    talk.hear(FIN, 0, 0, 0);
    assert!(talk.tcp.peer_closed());
    assert!(matches!(talk.say()[..], [ack] if ack.is_bare_ack() && ack.ack == 1));
    assert!(matches!(talk.closes()[..], [fin] if fin.has_fin() && fin.seq == 0));
    talk.hear(ACK, 1, 1, 0);
    assert_eq!(talk.state(), State::Closed);
    assert_eq!(talk.say(), []);
    assert_eq!(talk.tcp.wake_at(), NEVER);
}

#[test]
fn we_end_first_and_wait_for_late_segments() {
    let mut talk = Talk::new();
    talk.tcp.write(100);
    let said = talk.closes();
    assert!(matches!(said[..], [fin] if fin.has_fin() && fin.run() == (0, 100)), "the last data carries it");
    talk.hear(ACK, 0, 101, 0);
    assert_eq!(talk.state(), State::Open);
    talk.hear(FIN, 0, 101, 0);
    assert_eq!(talk.state(), State::TimeWait);
    assert!(matches!(talk.say()[..], [ack] if ack.is_bare_ack() && ack.run() == (101, 0) && ack.ack == 1));
    // The last acknowledgement was lost.
    talk.now += SECOND;
    talk.hear(FIN, 0, 101, 0);
    assert_eq!(talk.say()[0].ack, 1);
    assert_eq!(talk.wait().0, 2 * SECOND, "counted anew");
    assert_eq!(talk.state(), State::Closed);
}

#[test]
fn a_connection_that_waits_for_late_segments_gives_way_to_a_newer_syn_and_tells_where_it_has_ended() {
    let mut talk = Talk::new();
    talk.tcp.write(100);
    talk.closes();
    talk.hear(ACK, 0, 101, 50);
    assert_eq!(talk.gives_way_to(Flags::SYN, 1000), None, "it is open");
    talk.hear(FIN, 50, 101, 0);
    assert_eq!(talk.state(), State::TimeWait);
    assert_eq!(talk.gives_way_to(Flags::SYN, 51), None, "it is as old as the last");
    assert_eq!(talk.gives_way_to(ACK, 52), None, "it opens nothing");
    assert_eq!(talk.gives_way_to(Flags::SYN, 52), Some(101), "with the place of the FIN");
}

#[test]
fn an_old_syn_does_not_make_a_connection_that_waits_for_late_segments_wait_longer() {
    let mut talk = Talk::new();
    talk.closes();
    talk.hear(FIN, 0, 1, 0);
    talk.say();
    talk.now += SECOND;
    talk.hear(Flags::SYN, -1000, 0, 0);
    talk.say();
    assert_eq!(talk.wait().0, SECOND, "only a repeated FIN says that the last acknowledgement was lost");
    assert_eq!(talk.state(), State::Closed);
}

#[test]
fn both_end_at_once() {
    let mut talk = Talk::new();
    talk.closes();
    talk.hear(FIN, 0, 0, 0);
    assert_eq!(talk.state(), State::Open);
    assert!(matches!(talk.say()[..], [ack] if ack.is_bare_ack() && ack.ack == 1));
    talk.hear(ACK, 1, 1, 0);
    assert_eq!(talk.state(), State::TimeWait);
}

#[test]
fn a_lost_fin_is_sent_again_though_nothing_else_is_outstanding() {
    let mut talk = Talk::new();
    talk.writes(100);
    talk.acks(100);
    talk.closes();
    for _ in 0..3 {
        let (_, said) = talk.wait();
        assert!(matches!(said[..], [fin] if fin.has_fin() && fin.run() == (100, 0)));
    }
    talk.acks(101);
    talk.hear(FIN, 0, 101, 0);
    assert_eq!(talk.state(), State::TimeWait);
}

#[test]
fn a_lost_fin_is_sent_again_though_the_peer_takes_no_data() {
    let mut talk = Talk::new();
    talk.writes(100);
    talk.window = 0;
    talk.acks(100);
    assert!(talk.closes()[0].has_fin());
    assert!(talk.wait().1[0].has_fin());
}

#[test]
fn a_fin_behind_a_closed_window_follows_its_data() {
    let mut talk = Talk::with_window(0);
    talk.tcp.write(10);
    assert_eq!(talk.closes(), []);
    assert!(matches!(talk.wait().1[..], [probe] if !probe.has_fin() && probe.run() == (0, 1)));
    talk.window = 1000;
    talk.acks(1);
    assert!(matches!(talk.say()[..], [last] if last.has_fin() && last.run() == (1, 9)));
}

#[test]
fn a_fin_before_a_hole_ends_nothing_until_the_hole_is_filled() {
    let mut talk = Talk::new();
    assert_eq!(talk.hear(FIN, 100, 0, 50), (0, 50));
    assert!(!talk.tcp.peer_closed());
    assert_eq!(talk.hear(ACK, 0, 0, 100), (100, 0));
    assert!(!talk.tcp.peer_closed());
    // What was kept.
    talk.tcp.took(50, talk.now);
    assert!(talk.tcp.peer_closed());
    assert_eq!(talk.say()[0].ack, 151);
}

#[test]
fn a_fin_whose_data_was_not_all_taken_comes_again() {
    let mut talk = Talk::new();
    assert_eq!(talk.hear_taking(FIN, 0, 0, 100, 40), (40, 0));
    assert!(!talk.tcp.peer_closed());
    talk.wait();
    assert_eq!(talk.hear(FIN, 0, 0, 100), (60, 0));
    assert!(talk.tcp.peer_closed());
    assert_eq!(talk.say()[0].ack, 101);
}

#[test]
fn a_fin_comes_through_a_full_window() {
    let mut talk = Talk::new();
    talk.tcp.set_room(0);
    talk.hear(ACK, 0, 0, 65535);
    talk.say();
    talk.hear(FIN, 65535, 0, 0);
    assert!(talk.tcp.peer_closed());
    assert_eq!((talk.say()[0].ack, talk.tcp.peer_closed()), (65536, true));
}

#[test]
fn a_peer_that_has_ended_still_gets_all_of_its_answer() {
    let mut talk = Talk::new();
    talk.hear(FIN, 0, 0, 100);
    talk.say();
    let said = talk.writes(30_000);
    assert_eq!(said.len(), 10);
    talk.hear(ACK, 101, 14600, 0);
    talk.say();
    talk.hear(ACK, 101, 30_000, 0);
    assert!(talk.closes()[0].has_fin());
    talk.hear(ACK, 101, 30_001, 0);
    assert_eq!(talk.state(), State::Closed);
}

#[test]
fn data_after_our_end_is_still_taken() {
    let mut talk = Talk::new();
    talk.closes();
    assert_eq!(talk.hear(ACK, 0, 1, 5000), (5000, 0));
    assert_eq!(talk.say()[0].ack, 5000);
    talk.hear(FIN, 5000, 1, 0);
    assert_eq!(talk.state(), State::TimeWait);
}

#[test]
fn data_after_the_peers_end_is_not_taken() {
    let mut talk = Talk::new();
    talk.hear(FIN, 0, 0, 0);
    assert_eq!(talk.hear(ACK, 1, 0, 100), (0, 0));
    assert_eq!(talk.hear(FIN, 1, 0, 100), (0, 0));
    assert_eq!(talk.say()[0].ack, 1);
}

#[test]
fn only_a_reset_at_the_exact_place_breaks_a_connection_off() {
    let mut talk = Talk::new();
    talk.hear(RST, 1, 0, 0);
    assert_eq!(talk.state(), State::Open);
    assert!(talk.say()[0].is_bare_ack(), "a real peer then says it exactly (RFC 5961, 3.2)");
    talk.hear(RST, -1, 0, 0);
    talk.hear(RST, 70_000, 0, 0);
    assert_eq!((talk.state(), talk.say().len()), (State::Open, 0));
    talk.hear(RST, 0, 0, 0);
    assert_eq!((talk.state(), talk.say().len()), (State::Closed, 0));
    assert_eq!(talk.tcp.wake_at(), NEVER);
}

#[test]
fn a_syn_in_the_window_breaks_nothing_off() {
    let mut talk = Talk::new();
    talk.hear(Flags::SYN, 10, 0, 0);
    assert!(talk.say()[0].is_bare_ack());
    assert_eq!(talk.state(), State::Open);
}

#[test]
fn forged_segments_are_answered_ten_times_a_second_at_most() {
    let mut talk = Talk::new();
    let mut answers = 0;
    for at in 0..1000 {
        talk.now += MS;
        match at % 5 {
            0 => talk.hear(RST, 10, 0, 0),
            1 => talk.hear(Flags::SYN, 20, 0, 0),
            2 => talk.hear(Flags::SYN, 1 << 30, 0, 0),
            3 => talk.hear(ACK, 0, 99, 0),
            // Two ends that each find the other out of place would answer each other for ever.
            _ => talk.hear(ACK, 100_000, 0, 0),
        };
        answers += talk.say().len();
    }
    assert!((1..=10).contains(&answers), "{answers}");
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_changes_nothing() {
    let mut talk = Talk::new();
    talk.writes(100);
    assert_eq!(talk.hear(ACK, 0, 101, 10), (0, 0));
    assert_eq!(talk.hear(ACK, 0, -70_000, 10), (0, 0));
    assert_eq!(talk.tcp.unacknowledged(), 100);
    assert!(talk.say()[0].is_bare_ack());
}

#[test]
fn an_aborted_connection_says_so_once() {
    let mut talk = Talk::new();
    talk.writes(100);
    talk.tcp.abort();
    let said = talk.say();
    assert!(matches!(said[..], [rst] if rst.flags.has(RST) && rst.run() == (100, 0)), "{said:?}");
    // Before it is forgotten.
    talk.hear(Flags::SYN, 0, 100, 10);
    talk.hear(ACK, 0, 100, 10);
    talk.hear(ACK, -10, 100, 10);
    assert_eq!(talk.say(), []);
    assert_eq!(talk.tcp.wake_at(), NEVER);
}
