//! Functions invoked at random, good ones and attacks, by several clients at once: each answer is the one that a machine
//! gives which has never run anything before.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use fastrand::Rng;

use crate::attacks::{self, Row};
use crate::{Exchange, Guest};

/// Clients at once.
const CLIENTS: usize = 4;
/// Longest body of a request to a good function, in bytes.
const LONGEST: usize = 8000;

/// Makes at least so many invocations of functions of [`images::all`](crate::images::all); how many, and how many of them
/// were attacks.
///
/// Panics if one is answered in another way than alone.
pub fn invoke_at_random(guest: &Guest, invocations: usize) -> (usize, usize) {
    let rows: Vec<_> = attacks::table().into_iter().filter(|row| !row.is_slow()).collect();
    let (rows, made, attacks) = (&rows, &AtomicUsize::new(0), &AtomicUsize::new(0));
    let connections: Vec<_> = (0..CLIENTS).map(|_| guest.connect_and_ask()).collect();
    thread::scope(|scope| {
        for (seed, mut connection) in (0..).zip(connections) {
            scope.spawn(move || {
                let mut rng = Rng::with_seed(seed);
                while made.load(Ordering::Relaxed) < invocations {
                    if rng.bool() {
                        let row: &Row = rng.choice(rows).expect("there are attacks");
                        let requests = row.attack_among_others(&mut connection, &mut rng);
                        made.fetch_add(requests, Ordering::Relaxed);
                        attacks.fetch_add(requests, Ordering::Relaxed);
                    } else {
                        let len = rng.usize(..LONGEST);
                        let exchange = &Exchange::of_length(&mut rng, len)[rng.usize(..6)];
                        let response = connection.ask(&exchange.request);
                        exchange.check(&response).unwrap_or_else(|wrong| panic!("{wrong}"));
                        made.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    (made.load(Ordering::Relaxed), attacks.load(Ordering::Relaxed))
}
