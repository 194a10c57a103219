//! The generator against servers of a few lines: one that is right, and ones that are wrong in one way each.

use std::net::{Ipv4Addr, TcpListener};
use std::thread;

use super::*;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
/// How long servers are asked that would answer without end. A busy host takes its time over a few answers.
const SHORT: Duration = Duration::from_millis(300);
/// More than it can take until a server has been wrong on every connection, which ends the load.
const LONG: Duration = Duration::from_secs(60);

/// A server whose answer to the request with this number on its connection `answer` gives; with none it closes it.
fn serve(answer: fn(usize) -> Option<Vec<u8>>) -> Target {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    let address = listener.local_addr().expect("it has one");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a client");
            stream.set_nodelay(true).expect("it is open");
            thread::spawn(move || {
                let mut request = [0; REQUEST.len()];
                for number in 0.. {
                    let Some(answer) = stream.read_exact(&mut request).ok().and_then(|()| answer(number)) else {
                        return;
                    };
                    // In two pieces, as a wire might bring it.
                    let (one, other) = answer.split_at(answer.len() / 2);
                    if stream.write_all(one).and_then(|()| stream.write_all(other)).is_err() {
                        return;
                    }
                }
            });
        }
    });
    Target { address, request: REQUEST.to_vec(), answer: ANSWER.to_vec() }
}

fn put(target: &Target, connections: usize, duration: Duration) -> Outcome {
    Load::open(target, connections).expect("they open").drive(duration).expect("it is driven")
}

#[test]
fn every_connection_asks_over_and_over_and_every_answer_counts() {
    let target = serve(|_| Some(ANSWER.to_vec()));
    let outcome = put(&target, 8, SHORT);
    assert_eq!((outcome.errors, &outcome.error), (0, &None));
    assert!(outcome.in_time > 8, "{outcome:?}");
    // The last answer on each connection came when the time was up.
    assert_eq!(outcome.latencies.len() as u64, outcome.in_time + 8);
    assert!(outcome.latencies.iter().all(|&latency| latency > 0 && latency < 1_000_000_000));
}

#[test]
fn a_wrong_byte_is_an_error_and_ends_its_connection() {
    let target = serve(|number| Some(if number == 3 { ANSWER.to_ascii_uppercase() } else { ANSWER.to_vec() }));
    let outcome = put(&target, 4, LONG);
    assert_eq!((outcome.errors, outcome.in_time), (4, 8), "{outcome:?}");
    assert!(outcome.error.is_some_and(|error| error.contains("wrong")));
}

#[test]
fn bytes_that_nobody_asked_for_are_an_error() {
    let target = serve(|number| Some(if number == 3 { [ANSWER, b"more"].concat() } else { ANSWER.to_vec() }));
    assert_eq!(put(&target, 2, LONG).errors, 2);
}

#[test]
fn a_closed_connection_is_an_error_and_the_others_go_on() {
    let outcome = put(&serve(|number| (number < 5).then(|| ANSWER.to_vec())), 2, LONG);
    assert_eq!((outcome.errors, outcome.in_time), (2, 8), "{outcome:?}");
    assert!(outcome.error.is_some_and(|error| error.contains("closed")));
}

#[test]
fn a_connection_that_is_not_answered_at_first_is_an_error_with_its_number() {
    let outcome = put(&serve(|_| None), 2, LONG);
    assert_eq!((outcome.errors, outcome.in_time), (2, 0));
    assert!(outcome.error.is_some_and(|error| error.starts_with("connection 1 of 2: no answer")));
}

#[test]
fn an_answer_that_does_not_come_is_lost_after_a_while() {
    let started = Instant::now();
    let outcome = put(&serve(|number| Some(if number == 1 { Vec::new() } else { ANSWER.to_vec() })), 1, LONG);
    assert_eq!((outcome.errors, outcome.in_time), (1, 0));
    assert!(started.elapsed() >= PATIENCE && started.elapsed() < PATIENCE * 2);
}
