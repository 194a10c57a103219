//! The figures of one backend: instructions by the ledger, time by the client.

use std::fmt;

use anyhow::Context;
use indicatif::ProgressBar;
use mayfly_abi::ledger::Phase;

use super::Row;
use crate::bench::counted::{self, Part};
use crate::bench::microseconds;
use crate::bench::server::{Server, Work};
use crate::build::Manifest;
use crate::results::{Series, Unit};

/// The functions that are asked: the first is measured, the others come between two of its requests.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    path: String,
    others: Vec<String>,
}

impl Subject {
    pub(super) fn of(manifests: &[Manifest]) -> anyhow::Result<Self> {
        let mut paths = manifests.iter().map(|manifest| format!("/{}", manifest.route));
        let path = paths.next().context("there is no function to measure")?;
        Ok(Self { path, others: paths.collect() })
    }

    /// What the measured function is reached by.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The others' paths.
    pub(super) fn others(&self) -> &[String] {
        &self.others
    }

    /// What is asked between two measured requests, in each way of asking.
    fn between(&self, way: Way) -> &[String] {
        match way {
            Way::Alone => &[],
            Way::InTurn => &self.others,
        }
    }
}

/// The image's functions.
impl fmt::Display for Subject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "of {}", self.path)?;
        self.others.iter().try_for_each(|path| write!(out, " and {path}"))
    }
}

/// How the function is asked.
#[derive(Clone, Copy)]
enum Way {
    Alone,
    InTurn,
}

/// Instructions, each the least of some requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Counted {
    pub(super) alone: Work,
    /// A request that follows one to another function.
    pub(super) in_turn: Work,
}

/// Microseconds of a request, over all rounds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Timed {
    pub(super) alone: Series,
    /// A request that follows one to another function.
    pub(super) in_turn: Series,
}

/// Counts the instructions of a request on a machine whose TSC counts them.
pub(super) fn count(server: &mut Server, subject: &Subject) -> anyhow::Result<Counted> {
    Ok(Counted { alone: work(server, subject, Way::Alone)?, in_turn: work(server, subject, Way::InTurn)? })
}

fn work(server: &mut Server, subject: &Subject, way: Way) -> anyhow::Result<Work> {
    // The first request finds everything for the first time.
    server.ask(subject.path())?;
    let mut domain = u64::MAX;
    let request = counted::shortest(|number| {
        // Every second answer is acknowledged by itself: so that it is not always the measured one, their number varies.
        let between = subject.between(way);
        for path in between.iter().cycle().take(between.len() * (1 + number % 2)) {
            server.observe(path)?;
        }
        let (before, after) = server.observe(subject.path())?;
        domain = domain.min(after.domains - before.domains);
        Ok(Part::of(&after, &Phase::REQUEST, 1))
    })?;
    Ok(Work { domain, request: request.total })
}

/// Times `requests` requests on each machine in each way, `runs` times in turn, and notes them in the machines' rows.
pub(super) fn time(
    servers: &mut [(&mut Row, Server)],
    subject: &Subject,
    requests: u32,
    runs: u32,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    let mut alone = vec![Vec::new(); servers.len()];
    let mut in_turn = alone.clone();
    let mut order: Vec<usize> = (0..servers.len()).collect();
    for _ in 0..runs {
        for (times, way) in [(&mut alone, Way::Alone), (&mut in_turn, Way::InTurn)] {
            for &at in &order {
                let (_, server) = &mut servers[at];
                // The core has been at another machine's work.
                server.ask(subject.path())?;
                for _ in 0..requests {
                    for path in subject.between(way) {
                        server.ask(path)?;
                    }
                    times[at].push(microseconds(server.ask(subject.path())?));
                }
            }
        }
        // Nobody is always the first.
        order.reverse();
        bar.inc(1);
    }
    for (((row, _), alone), in_turn) in servers.iter_mut().zip(alone).zip(in_turn) {
        let series = |values| Series::new("request", Unit::Microseconds, values);
        row.timed = series(alone).zip(series(in_turn)).map(|(alone, in_turn)| Timed { alone, in_turn });
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// hello and echo.
    pub(in super::super) fn subject() -> Subject {
        Subject { path: "/hello".to_owned(), others: vec!["/echo".to_owned()] }
    }

    #[test]
    fn the_first_function_is_measured_and_the_others_come_in_between() {
        let subject = subject();
        assert_eq!(subject.path(), "/hello");
        assert_eq!(subject.between(Way::InTurn), ["/echo"]);
        assert!(subject.between(Way::Alone).is_empty());
        assert!(Subject::of(&[]).is_err());
    }
}
