//! Functions that were never used, and the machines that have some left.

use mayfly_qemu::Launch;

use crate::bench::images::{Images, Made};
use crate::bench::numbered::{self, OTHERS};
use crate::bench::request::Request;
use crate::bench::server::Server;

/// An image whose functions are measured.
pub(super) struct Subject {
    pub(super) parameter: &'static str,
    pub(super) value: u64,
    pub(super) made: Made,
    /// Functions that are measured.
    count: u32,
}

impl Subject {
    /// Makes an image of `count` functions of so many pages each, beside [`OTHERS`].
    pub(super) fn make(
        images: &mut Images,
        parameter: &'static str,
        value: u64,
        count: u32,
        pages: u32,
    ) -> anyhow::Result<Self> {
        Ok(Self { parameter, value, made: numbered::image(images, count + OTHERS, pages)?, count })
    }

    /// A request to a function that is not measured.
    pub(super) fn other(&self) -> Request {
        numbered::request(self.count)
    }
}

/// Gives functions that were never used.
pub(super) struct Fresh<'a> {
    subject: &'a Subject,
    launch: Launch,
    /// The machine, and the first function that it was not asked for yet.
    machine: Option<(Server, u32)>,
}

impl<'a> Fresh<'a> {
    /// `launch`: how the subject's machines are booted.
    pub(super) fn new(subject: &'a Subject, launch: Launch) -> Self {
        Self { subject, launch, machine: None }
    }

    /// A machine, and a request to a function of it that was never used.
    pub(super) fn next(&mut self) -> anyhow::Result<(&mut Server, Request)> {
        let count = self.subject.count;
        if self.machine.as_ref().is_none_or(|(_, next)| *next == count) {
            // One at a time: the old one's memory may be much.
            self.machine = None;
            self.machine = Some((Server::serving(self.launch.clone())?, 0));
        }
        let Some((server, next)) = &mut self.machine else { anyhow::bail!("there is no machine") };
        // Each time, so that a machine that was just booted is no warmer than one that has waited for its turn.
        numbered::ask_others(server, count)?;
        *next += 1;
        Ok((server, numbered::request(*next - 1)))
    }
}
