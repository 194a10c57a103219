//! Two images timed in turns, so that what the host does meanwhile happens to both.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use mayfly_qemu::Launch;
use mayfly_qemu::accelerator::Verdict;

use super::tree::Stop;
use crate::bench::server::Server;
use crate::bench::{measure, microseconds};
use crate::results::Summary;

/// Requests of a round on each machine, of which the median counts.
const REQUESTS: usize = 200;

/// A figure of both, pair by pair.
#[derive(Clone, Debug, Default)]
pub(super) struct Pairs {
    before: Vec<f64>,
    now: Vec<f64>,
}

/// What the pairs say, in their unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Difference {
    /// The medians.
    pub(super) before: f64,
    pub(super) now: f64,
    /// The median of how much more it is now, pair by pair, and its 95 % confidence interval.
    pub(super) more: f64,
    pub(super) interval: [f64; 2],
}

impl Pairs {
    fn push(&mut self, is_now: bool, value: f64) {
        if is_now { &mut self.now } else { &mut self.before }.push(value);
    }

    /// `None` without any.
    pub(super) fn difference(&self) -> Option<Difference> {
        let median = |values: &[f64]| Summary::of(values.iter().copied()).map(|summary| summary.median);
        let more = Summary::of(self.before.iter().zip(&self.now).map(|(before, now)| now - before))?;
        Some(Difference {
            before: median(&self.before)?,
            now: median(&self.now)?,
            more: more.median,
            interval: more.interval,
        })
    }
}

impl Difference {
    /// Whether the interval leaves no doubt that there is one.
    pub(super) fn is_resolved(&self) -> bool {
        self.interval[0] > 0.0 || self.interval[1] < 0.0
    }
}

/// Times of both images.
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    /// Milliseconds from the spawn of QEMU to the first byte.
    pub(super) boots: Pairs,
    /// Microseconds of a request on an open connection: the median of a round.
    pub(super) requests: Pairs,
}

impl Times {
    /// Boots each of `images`, the other revision's and this one's, `runs` times, and asks each for `path` in as many rounds.
    pub(super) fn take(
        images: [&Path; 2],
        path: &str,
        verdict: &Verdict,
        runs: u32,
        stop: &Stop,
    ) -> anyhow::Result<Self> {
        let hz = measure::host_hz()?;
        let launch = |image: &Path| Launch::new(image).accelerator(verdict.accelerator);
        let bar = crate::bench::progress(2 * runs)?;
        let mut times = Self::default();
        for image in images {
            // Fills the host's caches, and is not counted.
            measure::boot(launch(image), hz, path)?;
        }
        for run in 0..runs {
            for is_now in in_turn(run) {
                stop.check()?;
                let boot = measure::boot(launch(images[usize::from(is_now)]), hz, path)?;
                times.boots.push(is_now, boot.first_byte);
            }
            bar.inc(1);
        }
        let [mut before, mut now] = [serve(images[0], verdict)?, serve(images[1], verdict)?];
        for run in 0..runs {
            for is_now in in_turn(run) {
                stop.check()?;
                let server = if is_now { &mut now } else { &mut before };
                times.requests.push(is_now, round(server, path)?);
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(times)
    }
}

/// Nobody is always the first.
fn in_turn(run: u32) -> [bool; 2] {
    let first = run % 2 == 1;
    [first, !first]
}

fn serve(image: &Path, verdict: &Verdict) -> anyhow::Result<Server> {
    Server::serving(Launch::new(image).accelerator(verdict.accelerator)).with_context(|| image.display().to_string())
}

/// The median time of a round of requests.
fn round(server: &mut Server, path: &str) -> anyhow::Result<f64> {
    // The core has been at the other machine's work.
    server.ask(path)?;
    let times = (0..REQUESTS).map(|_| server.ask(path)).collect::<anyhow::Result<Vec<Duration>>>()?;
    let summary = Summary::of(times.into_iter().map(microseconds));
    Ok(summary.context("nothing was asked")?.median)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// These pairs.
    pub(in super::super) fn pairs(before: &[f64], now: &[f64]) -> Pairs {
        Pairs { before: before.to_vec(), now: now.to_vec() }
    }

    #[test]
    fn the_difference_is_taken_pair_by_pair() {
        // The host grows slower by far more than the two differ.
        let before: Vec<_> = (0..20).map(|run| 100.0 + 10.0 * f64::from(run)).collect();
        let now: Vec<_> = before.iter().map(|time| time + 2.0).collect();
        let difference = pairs(&before, &now).difference().expect("there are pairs");
        assert_eq!((difference.more, difference.interval), (2.0, [2.0, 2.0]));
        assert!(difference.is_resolved());
        assert_eq!((difference.before, difference.now), (195.0, 197.0));
    }

    #[test]
    fn an_interval_around_nothing_resolves_nothing() {
        let difference = pairs(&[1.0, 2.0, 3.0, 4.0], &[2.0, 1.0, 4.0, 3.0]).difference().expect("there are pairs");
        assert!(!difference.is_resolved(), "{difference:?}");
        assert!(Pairs::default().difference().is_none());
    }

    #[test]
    fn nobody_is_always_the_first() {
        assert_eq!([in_turn(0), in_turn(1)], [[false, true], [true, false]]);
    }
}
