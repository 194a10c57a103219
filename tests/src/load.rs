//! A mixed load: many connections, each asking one function after another and checking every answer.

use std::borrow::Cow;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::{Connection, Exchange, Expected, Guest, Latencies};

/// Different body lengths.
const LENGTHS: usize = 32;
/// Mistakes that are described; beyond that they are only counted.
const DESCRIBED: usize = 10;

/// What is asked of a machine with all example functions.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Requests, all together.
    pub requests: usize,
    /// Connections, opened one after another and then used in turn.
    pub connections: usize,
    /// Requests that are under way at any time, each on another connection.
    pub at_once: usize,
    /// Longest body in bytes, for [`Load::put_on`]. There are lengths of each order of magnitude below, and the shorter the more often.
    pub longest_body: usize,
}

/// What came of a load.
#[derive(Debug)]
pub struct Outcome {
    /// Of the requests that were answered rightly.
    pub latencies: Latencies,
    /// Requests that were answered wrongly, or not at all.
    pub failures: usize,
    /// The first few of them.
    pub described: Vec<String>,
    /// Bytes of the bodies that were sent.
    pub sent: usize,
    /// From the first request to the last answer.
    pub elapsed: Duration,
}

impl Load {
    /// Puts the load on a machine. The same load asks the same things every time.
    pub fn put_on(&self, guest: &Guest) -> Outcome {
        let exchanges = self.exchanges(guest);
        // Sorted by length: the square makes short bodies more frequent than long ones.
        self.ask(guest, |rng| Cow::Borrowed(&exchanges[(rng.f64().powi(2) * exchanges.len() as f64) as usize]))
    }

    /// Asks a machine, time and again, for what `choose` says.
    pub fn ask<'a>(&self, guest: &Guest, choose: impl Fn(&mut Rng) -> Cow<'a, Exchange> + Sync) -> Outcome {
        let mut clients: Vec<Vec<Connection>> = (0..self.at_once).map(|_| Vec::new()).collect();
        for at in 0..self.connections {
            clients[at % self.at_once].push(guest.connect_and_ask());
        }
        self.ask_over(guest, clients, choose)
    }

    /// The same over connections that are open, some for each client.
    pub(crate) fn ask_over<'a>(
        &self,
        guest: &Guest,
        clients: Vec<Vec<Connection>>,
        choose: impl Fn(&mut Rng) -> Cow<'a, Exchange> + Sync,
    ) -> Outcome {
        let choose = &choose;
        let (begun, sent, failures) = (&AtomicUsize::new(0), &AtomicUsize::new(0), &AtomicUsize::new(0));
        let described = &Mutex::new(Vec::new());
        let fail = |what: String| {
            failures.fetch_add(1, Ordering::Relaxed);
            if let Ok(mut described) = described.lock()
                && described.len() < DESCRIBED
            {
                described.push(what);
            }
        };
        let start = Instant::now();
        let latencies = thread::scope(|scope| {
            let client = |(seed, mut connections): (usize, Vec<Connection>)| {
                let mut rng = Rng::with_seed(seed as u64);
                let mut latencies = Vec::new();
                while begun.fetch_add(1, Ordering::Relaxed) < self.requests {
                    connections.rotate_left(1);
                    let connection = &mut connections[0];
                    let exchange = choose(&mut rng);
                    let asked = Instant::now();
                    match connection.try_ask(&exchange.request) {
                        Ok(response) => match exchange.check(&response) {
                            Ok(()) => latencies.push(asked.elapsed()),
                            Err(wrong) => fail(wrong),
                        },
                        Err(error) => {
                            fail(format!("{:?} was not answered: {error}", exchange.request));
                            *connection = guest.connect();
                        }
                    }
                    sent.fetch_add(exchange.request.body().len(), Ordering::Relaxed);
                }
                latencies
            };
            let clients: Vec<_> = clients.into_iter().enumerate().map(|one| scope.spawn(move || client(one))).collect();
            clients.into_iter().flat_map(|client| client.join().expect("a client failed")).collect::<Latencies>()
        });
        Outcome {
            latencies,
            failures: failures.load(Ordering::Relaxed),
            described: described.lock().map(|mut described| std::mem::take(&mut *described)).unwrap_or_default(),
            sent: sent.load(Ordering::Relaxed),
            elapsed: start.elapsed(),
        }
    }

    /// What is asked, for every function: nothing, the longest body, and lengths in between.
    fn exchanges(&self, guest: &Guest) -> Vec<Exchange> {
        let mut rng = Rng::with_seed(0);
        let lengths = (0..LENGTHS).map(|at| match at {
            0 => 0,
            _ => (self.longest_body as f64).powf(at as f64 / (LENGTHS - 1) as f64) as usize,
        });
        let mut exchanges: Vec<_> = lengths.flat_map(|len| Exchange::of_length(&mut rng, len)).collect();
        let mut connection = guest.connect();
        for exchange in &mut exchanges {
            // Pictures are read once, and then only compared: reading them takes the host longer than drawing them.
            if let Expected::QrCode(_) = exchange.expected {
                let response = connection.ask(&exchange.request);
                exchange.check(&response).unwrap_or_else(|wrong| panic!("{wrong}"));
                exchange.expected = Expected::Bytes(response.body);
            }
        }
        exchanges
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (right, seconds) = (self.latencies.count(), self.elapsed.as_secs_f64());
        write!(out, "{right} right, {} wrong or lost, {:.1} MB sent, ", self.failures, self.sent as f64 / 1e6)?;
        write!(out, "{seconds:.1} s, {:.0} requests/s, {}", right as f64 / seconds, self.latencies)?;
        self.described.iter().try_for_each(|failure| write!(out, "\n  {failure}"))
    }
}
