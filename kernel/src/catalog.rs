//! The functions that are in use: their checked plans, their idle instances, and the events that wait for one.

use crate::hw::domain::Domain;
use crate::hw::tables::Rights;
use crate::hw::window::OutOfFrames;
use crate::invocation::Event;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use mayfly_abi::PAGE;
use mayfly_abi::domain::STACK_TOP;
use mayfly_core::domain::{Missing, Space};
use mayfly_core::image::{self, Image, Plan, RecordError};

/// A domain of a function, and what is decided about its memory.
pub(crate) struct Instance {
    pub(crate) domain: Domain,
    pub(crate) space: Space<'static>,
}

/// One function that was asked for at least once.
pub(crate) struct Function {
    index: usize,
    /// Kept for good: functions never leave the image.
    pub(crate) plan: &'static Plan<'static>,
    #[expect(clippy::vec_box, reason = "an instance changes hands with every invocation: as a pointer, not as itself")]
    idle: Vec<Box<Instance>>,
    /// Instances there are, idle or running.
    instances: u32,
    pub(crate) waiting: VecDeque<Event>,
}

/// All functions of the image. Those never asked for cost nothing.
pub(crate) struct Catalog {
    bundle: &'static [u8],
    pub(crate) image: Image<'static>,
    /// By index.
    known: Vec<Function>,
}

/// Why there is no instance.
pub(crate) enum NoInstance {
    /// As many run as the manifest allows: wait for one.
    Busy,
    /// Memory is used up.
    OutOfFrames,
}

impl Catalog {
    /// The functions of a bundle whose header was checked.
    pub(crate) fn new(bundle: &'static [u8], image: Image<'static>) -> Self {
        Self { bundle, image, known: Vec::new() }
    }

    /// The function that a route leads to. Its record is checked the first time.
    pub(crate) fn find(&mut self, route: &[u8]) -> Option<Result<usize, RecordError>> {
        let found = self.image.find(route)?;
        let index = found.index();
        if let Err(at) = self.place(index) {
            match found.check() {
                Ok(plan) => {
                    let plan = Box::leak(Box::new(plan));
                    let function = Function { index, plan, idle: Vec::new(), instances: 0, waiting: VecDeque::new() };
                    self.known.insert(at, function);
                }
                Err(error) => return Some(Err(error)),
            }
        }
        Some(Ok(index))
    }

    fn place(&self, index: usize) -> Result<usize, usize> {
        self.known.binary_search_by_key(&index, |function| function.index)
    }

    /// A function that was found before.
    pub(crate) fn function(&mut self, index: usize) -> &mut Function {
        match self.place(index) {
            Ok(at) => &mut self.known[at],
            Err(_) => panic!("function {index} was never found"),
        }
    }

    /// An instance to run: an idle one, or a new one.
    pub(crate) fn take(&mut self, index: usize) -> Result<Box<Instance>, NoInstance> {
        let bundle = self.bundle;
        let function = self.function(index);
        if let Some(instance) = function.idle.pop() {
            return Ok(instance);
        }
        if function.instances == function.plan.limits.concurrency {
            return Err(NoInstance::Busy);
        }
        let plan = function.plan;
        let made = self.with_room(|| make(plan, bundle));
        let instance = Box::new(made.map_err(|OutOfFrames| NoInstance::OutOfFrames)?);
        self.function(index).instances += 1;
        Ok(instance)
    }

    /// Gives a page of its own to an instance.
    pub(crate) fn populate(&mut self, domain: &mut Domain, missing: &Missing) -> Result<(), OutOfFrames> {
        let bundle = self.bundle;
        self.with_room(|| populate(bundle, domain, missing))
    }

    /// Makes something out of frames. If there are none, idle instances go until it works, or until none is left.
    pub(crate) fn with_room<T>(&mut self, mut make: impl FnMut() -> Result<T, OutOfFrames>) -> Result<T, OutOfFrames> {
        loop {
            let made = make();
            if made.is_ok() || !self.evict() {
                return made;
            }
        }
    }

    /// Takes back an instance that was reset, and hands out the event that waited longest for one.
    pub(crate) fn give_back(&mut self, index: usize, instance: Box<Instance>) -> Option<Event> {
        let function = self.function(index);
        function.idle.push(instance);
        function.waiting.pop_front()
    }

    /// Drops an idle instance, so that its memory can serve another. False if there is none.
    fn evict(&mut self) -> bool {
        let Some(function) = self.known.iter_mut().find(|function| !function.idle.is_empty()) else { return false };
        function.idle.pop();
        function.instances -= 1;
        true
    }
}

fn make(plan: &'static Plan<'static>, bundle: &'static [u8]) -> Result<Instance, OutOfFrames> {
    let mut domain = Domain::new()?;
    let space = Space::new(plan, plan.heap_pages());
    for segment in plan.segments() {
        let rights = match segment.rights {
            image::Rights::Read => Rights::Constant,
            image::Rights::ReadExecute => Rights::Text,
            // Made page by page, when touched.
            image::Rights::ReadWrite => continue,
        };
        let start = segment.offset as usize;
        domain.map_image(segment.address, &bundle[start..start + segment.file_len as usize], rights)?;
    }
    // Every function uses the top of its stack: that fault is saved.
    if let Some(missing) = space.missing(STACK_TOP - PAGE) {
        populate(bundle, &mut domain, &missing)?;
    }
    Ok(Instance { domain, space })
}

fn populate(bundle: &'static [u8], domain: &mut Domain, missing: &Missing) -> Result<(), OutOfFrames> {
    match missing {
        Missing::Private { page, origin } => domain.add_private(*page, &bundle[origin.clone()]),
        Missing::Response { index } => domain.touch_response(*index),
    }
}
