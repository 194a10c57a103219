//! Bodies that go over a bad wire and back, and are compared byte for byte.

use std::borrow::Cow;
use std::thread;

use fastrand::Rng;
use mayfly_qemu::wire::Impairments;

use crate::{Exchange, Guest, Load, Outcome};

/// A longer body is never sent.
const LONGEST: usize = 256 << 10;

/// The wire that a machine must be able to live with.
pub fn bad_wire(seed: u64) -> Impairments {
    Impairments { loss: 0.01, duplicate: 0.01, reorder: 0.02, seed, ..Impairments::default() }
}

/// Requests to `echo`, each with a body of its own, so that no answer can be taken for another.
#[derive(Clone, Copy, Debug)]
pub struct Echoes {
    /// Requests, all together.
    pub requests: usize,
    /// Connections, each with a request under way at any time. On a bad wire, most wait for a timer at any time.
    pub connections: usize,
}

impl Echoes {
    /// Sends them over connections of their own, which are closed in the end. `begun` is called before each.
    ///
    /// Half of the bodies have less than two bytes, a tenth more than 750 and a fiftieth more than 60,000; the mean is
    /// 4 KB, and the longest 256 KiB.
    pub fn ask(&self, guest: &Guest, begun: impl Fn() + Sync) -> Outcome {
        self.ask_with(guest, |rng| {
            begun();
            ((LONGEST + 1) as f64).powf(rng.f64().powi(6)) as usize - 1
        })
    }

    /// The same with the longest bodies only: afterwards the machine has every window that it will ever keep, and nearly every
    /// instance.
    pub fn saturate(&self, guest: &Guest) -> Outcome {
        self.ask_with(guest, |_| LONGEST)
    }

    fn ask_with(&self, guest: &Guest, length: impl Fn(&mut Rng) -> usize + Sync) -> Outcome {
        let connections = thread::scope(|scope| {
            let opened: Vec<_> = (0..self.connections).map(|_| scope.spawn(|| guest.connect())).collect();
            opened.into_iter().map(|opened| vec![opened.join().expect("it was opened")]).collect()
        });
        let Self { requests, connections: at_once } = *self;
        let load = Load { requests, connections: at_once, at_once, longest_body: LONGEST };
        load.ask_over(guest, connections, |rng| {
            let mut body = vec![0; length(rng)];
            rng.fill(&mut body);
            Cow::Owned(Exchange::echo(body))
        })
    }
}
