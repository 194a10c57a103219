//! One machine that is filled with functions, step by step, until it drops old ones for new ones.

use indicatif::ProgressBar;
use mayfly_abi::PAGE;
use mayfly_qemu::Launch;

use crate::bench::images::{Images, Made};
use crate::bench::microseconds;
use crate::bench::numbered::{self, OTHERS};
use crate::bench::server::{Server, Work};

/// Steps in which a machine is filled.
pub(super) const STEPS: u32 = 16;
/// Requests before the first step: the [`OTHERS`].
pub(super) const WARMUP: u32 = 2 * OTHERS;
/// KiB that a function takes at least, resident and in the image: by this many functions, memory is full.
const LEAST_KIB: u32 = 24;

/// An image with more functions than its machine's memory holds.
pub(super) struct Subject {
    pub(super) made: Made,
    /// Functions that are asked.
    pub(super) count: u32,
}

impl Subject {
    /// Makes it for a machine with so much memory.
    pub(super) fn make(images: &mut Images, memory_mib: u32) -> anyhow::Result<Self> {
        let count = memory_mib * 1024 / LEAST_KIB;
        Ok(Self { made: numbered::image(images, count + OTHERS, 1)?.with_memory(memory_mib), count })
    }

    /// The machine's memory in MiB.
    pub(super) fn memory(&self) -> u64 {
        self.made.memory_mib.into()
    }
}

/// What was seen while a machine was filled.
#[derive(Clone, Debug)]
pub(super) struct Fill {
    /// Page frames in use before the first step, those of [`OTHERS`] functions among them.
    before: u64,
    pub(super) steps: Vec<Step>,
}

/// A step: first requests of some functions.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// Functions asked by its end.
    pub(super) asked: u64,
    /// Of them, in this step.
    count: u64,
    /// Page frames in use at its end.
    frames: u64,
    /// Page frames that came into use.
    grown: u64,
    /// Instructions of a domain, if they were counted.
    pub(super) domain: Option<u64>,
    /// Microseconds of each that was not counted.
    times: Vec<f64>,
}

impl Step {
    /// Memory in use at its end.
    pub(super) fn kib(&self) -> f64 {
        kib(self.frames as f64)
    }
}

fn kib(frames: f64) -> f64 {
    frames * (PAGE >> 10) as f64
}

impl Fill {
    /// Page frames that a function holds: those of the first step, in which there was room for all.
    fn frames_each(&self) -> f64 {
        self.steps.first().map_or(0.0, |step| step.grown as f64 / step.count as f64)
    }

    /// The steps in which there was room for all.
    fn with_room(&self) -> impl Iterator<Item = &Step> {
        let each = self.frames_each();
        self.steps.iter().filter(move |step| step.grown as f64 >= each * step.count as f64)
    }

    /// The steps in which there was room for none.
    fn without_room(&self) -> impl Iterator<Item = &Step> {
        // What is dropped and what is made hold the same: not a frame is won.
        self.steps.iter().filter(|step| step.grown == 0)
    }

    /// Was memory full at the end?
    pub(super) fn is_full(&self) -> bool {
        self.without_room().next().is_some()
    }

    /// Functions resident at the end.
    pub(super) fn resident(&self) -> f64 {
        let grown: u64 = self.steps.iter().map(|step| step.grown).sum();
        grown as f64 / self.frames_each() + f64::from(OTHERS)
    }

    /// KiB that a function holds.
    pub(super) fn kib_each(&self) -> f64 {
        kib(self.frames_each())
    }

    /// KiB in use at the end.
    pub(super) fn kib_full(&self) -> f64 {
        self.steps.last().map_or(kib(self.before as f64), Step::kib)
    }

    /// Ticks of a first request's domain with room for it.
    pub(super) fn domain_with_room(&self) -> Option<u64> {
        middle(self.with_room())
    }

    /// The same if another function is dropped for it.
    pub(super) fn domain_without_room(&self) -> Option<u64> {
        middle(self.without_room())
    }

    /// Microseconds of first requests with room for them.
    pub(super) fn times_with_room(&self) -> Vec<f64> {
        self.with_room().flat_map(|step| step.times.iter().copied()).collect()
    }

    /// The same if another function is dropped for each.
    pub(super) fn times_without_room(&self) -> Vec<f64> {
        self.without_room().flat_map(|step| step.times.iter().copied()).collect()
    }
}

/// Instructions of the domain of the step in the middle.
fn middle<'a>(steps: impl Iterator<Item = &'a Step>) -> Option<u64> {
    let mut domains: Vec<_> = steps.filter_map(|step| step.domain).collect();
    domains.sort_unstable();
    domains.get(domains.len() / 2).copied()
}

/// Fills a machine of each subject, a step of each in turn. `counted`: functions of each step whose instructions are counted.
pub(super) fn all(
    subjects: &[Subject],
    launch: impl Fn(&Subject) -> Launch,
    counted: usize,
    bar: &ProgressBar,
) -> anyhow::Result<Vec<Fill>> {
    let start = |subject: &Subject| {
        let mut server = Server::serving(launch(subject))?;
        numbered::ask_others(&mut server, subject.count)?;
        let before = server.settled(0)?.frames_used;
        Ok((server, Fill { before, steps: Vec::new() }))
    };
    let mut machines = subjects.iter().map(start).collect::<anyhow::Result<Vec<_>>>()?;
    let mut order: Vec<usize> = (0..subjects.len()).collect();
    for number in 0..STEPS {
        for &at in &order {
            let (server, fill) = &mut machines[at];
            fill.steps.push(step(server, subjects[at].count, number, counted)?);
            bar.inc(1);
        }
        // Nobody is always the first.
        order.reverse();
    }
    Ok(machines.into_iter().map(|(_, fill)| fill).collect())
}

/// Asks the functions of one step for the first time.
fn step(server: &mut Server, count: u32, number: u32, counted: usize) -> anyhow::Result<Step> {
    let edge = |number: u32| (u64::from(count) * u64::from(number) / u64::from(STEPS)) as u32;
    let mut numbers = edge(number)..edge(number + 1);
    let (asked, count) = (numbers.end.into(), numbers.len() as u64);
    let before = server.settled(0)?;
    let works = numbers.by_ref().take(counted).map(|at| server.work(&numbered::request(at)));
    let works = works.collect::<anyhow::Result<Vec<_>>>()?;
    let domain = Work::usual(&works).map(|work| work.domain);
    let times = numbers.map(|at| Ok(microseconds(server.send(&numbered::request(at))?)));
    let times = times.collect::<anyhow::Result<_>>()?;
    let after = server.settled(before.idles + 1)?;
    Ok(Step {
        asked,
        count,
        frames: after.frames_used,
        grown: after.frames_used.saturating_sub(before.frames_used),
        domain,
        times,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps of ten functions that take five frames each, as many as there are numbers, with so many frames won.
    fn fill(grown: &[u64]) -> Fill {
        let step = |(at, grown): (usize, &u64)| {
            let asked = 10 * (at as u64 + 1);
            Step {
                asked,
                count: 10,
                frames: 100 + asked * 5,
                grown: *grown,
                domain: Some(3000 + asked),
                times: vec![asked as f64],
            }
        };
        Fill { before: 100, steps: grown.iter().enumerate().map(step).collect() }
    }

    #[test]
    fn as_many_are_resident_as_the_frames_are_enough_for() {
        let full = fill(&[50, 50, 25, 0]);
        assert_eq!((full.kib_each(), full.resident(), full.is_full()), (20.0, 25.0 + f64::from(OTHERS), true));
        let roomy = fill(&[50, 50]);
        assert_eq!((roomy.resident(), roomy.is_full()), (20.0 + f64::from(OTHERS), false));
        assert_eq!(roomy.kib_full(), 800.0);
    }

    #[test]
    fn a_step_in_which_memory_becomes_full_is_neither_of_both() {
        let full = fill(&[50, 50, 25, 0]);
        assert_eq!((full.times_with_room(), full.times_without_room()), (vec![10.0, 20.0], vec![40.0]));
        assert_eq!((full.domain_with_room(), full.domain_without_room()), (Some(3020), Some(3040)));
        assert_eq!(fill(&[50, 50]).domain_without_room(), None);
    }
}
