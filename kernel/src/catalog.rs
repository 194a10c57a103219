//! The functions that are in use: their plans and templates, their idle instances, and the events that wait for one.
//!
//! A function takes memory from its first request until it has no instance left: its instances go, the one that was used
//! longest ago first, when memory is short. What was never asked for costs four zero bytes that nobody touches.

use crate::hw::clock::ticks_in;
use crate::hw::domain::{Domain, Origin};
use crate::hw::heap;
use crate::hw::isolation::Isolation;
use crate::hw::memory;
use crate::hw::tables::Rights;
use crate::hw::window::OutOfFrames;
use crate::invocation::{Event, Source};
use crate::template::Template;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use mayfly_abi::PAGE;
use mayfly_abi::domain::STACK_TOP;
use mayfly_core::call::Purpose;
use mayfly_core::domain::{Missing, Space};
use mayfly_core::image::{self, Image, Limits, Plan, RecordError};
use mayfly_core::recency::{Link, Recency};

/// Functions in use that there is room for from the start; more are welcome.
const IN_USE: usize = 32;

/// A domain of a function, and what is decided about its memory.
pub(crate) struct Instance {
    pub(crate) domain: Domain,
    pub(crate) space: Space<'static>,
    /// Ticks that an invocation may run.
    pub(crate) patience: u64,
    /// Of its function among those in use, where that stays as long as it has instances.
    place: usize,
}

/// A function in use.
struct Function {
    plan: Plan<'static>,
    /// What every instance starts with; none until the initialisation has made it.
    template: Option<Template>,
    #[expect(clippy::vec_box, reason = "an instance changes hands with every invocation: as a pointer, not as itself")]
    idle: Vec<Box<Instance>>,
    /// Instances there are, idle or running.
    instances: u32,
    waiting: VecDeque<Event>,
}

/// All functions of the image.
pub(crate) struct Catalog {
    bundle: &'static [u8],
    pub(crate) image: Image<'static>,
    isolation: &'static dyn Isolation,
    /// By index in the image: the place in `functions` plus one, 0 if it is not in use.
    places: &'static mut [[u8; 4]],
    functions: Vec<Option<Box<Function>>>,
    /// Empty places in `functions`.
    empty: Vec<usize>,
    /// Frames of all idle instances.
    idle_frames: u64,
    /// Frames that those which run may still come to need.
    promised: u64,
    /// Those that may have an idle instance, in order of last use.
    recency: Recency,
    links: Vec<Link>,
}

/// When there is memory for somebody to whom none was promised.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    Now,
    /// When an invocation has ended.
    Later,
    /// As far as anybody knows.
    Never,
}

/// Why there is no instance.
pub(crate) enum NoInstance {
    /// As many run as the manifest allows, or the function is being initialised: wait.
    Busy,
    /// Memory is used up.
    OutOfFrames,
}

impl Catalog {
    /// The functions of a bundle whose header was checked. `None`: not even their places fit into memory.
    pub(crate) fn new(bundle: &'static [u8], image: Image<'static>, isolation: &'static dyn Isolation) -> Option<Self> {
        let places = memory::forever((image.len() as u64 * 4).div_ceil(PAGE))?;
        Some(Self {
            bundle,
            image,
            isolation,
            places: places.as_chunks_mut().0,
            functions: Vec::with_capacity(IN_USE),
            empty: Vec::new(),
            idle_frames: 0,
            promised: 0,
            recency: Recency::default(),
            links: Vec::with_capacity(IN_USE),
        })
    }

    /// The index of the function that a route leads to.
    pub(crate) fn find(&self, route: &[u8]) -> Option<usize> {
        self.image.find(route).map(|function| function.index())
    }

    /// The limits of a function that was found, if its record holds.
    pub(crate) fn limits(&self, index: usize) -> Result<Limits, RecordError> {
        match self.place(index) {
            Some(place) => Ok(self.at(place).plan.limits),
            None => self.check(index).map(|plan| plan.limits),
        }
    }

    /// The plan of a function whose record holds.
    pub(crate) fn plan(&self, index: usize) -> Plan<'static> {
        match self.place(index) {
            Some(place) => self.at(place).plan,
            None => self.check(index).unwrap_or_else(|error| panic!("the image has changed: {error}")),
        }
    }

    fn check(&self, index: usize) -> Result<Plan<'static>, RecordError> {
        self.image.function(index).unwrap_or_else(|| panic!("function {index} was never found")).check()
    }

    /// The most frames that an invocation of a function can come to need.
    pub(crate) fn frames(&self, index: usize) -> u64 {
        self.place(index).map_or_else(|| self.plan(index).frames, |place| self.at(place).plan.frames)
    }

    fn place(&self, index: usize) -> Option<usize> {
        (u32::from_le_bytes(self.places[index]) as usize).checked_sub(1)
    }

    fn at(&self, place: usize) -> &Function {
        self.functions[place].as_ref().unwrap_or_else(|| panic!("place {place} of the catalog is empty"))
    }

    fn at_mut(&mut self, place: usize) -> &mut Function {
        self.functions[place].as_mut().unwrap_or_else(|| panic!("place {place} of the catalog is empty"))
    }

    /// The place of a function, which is in use from now on.
    fn enter(&mut self, index: usize) -> usize {
        self.place(index).unwrap_or_else(|| self.add(index))
    }

    #[inline(never)]
    fn add(&mut self, index: usize) -> usize {
        let plan = self.plan(index);
        let template = if plan.init.is_none() { Some(Template::new(plan.heap_pages)) } else { None };
        let function = Function { plan, template, idle: Vec::new(), instances: 0, waiting: VecDeque::new() };
        let function = Some(Box::new(function));
        let place = match self.empty.pop() {
            Some(place) => {
                self.functions[place] = function;
                place
            }
            None => {
                self.functions.push(function);
                self.links.push(Link::OUT);
                self.functions.len() - 1
            }
        };
        self.places[index] = (place as u32 + 1).to_le_bytes();
        place
    }

    /// Drops what is kept of a function if nothing needs it.
    fn leave_if_unused(&mut self, place: usize) {
        let function = self.at(place);
        if function.instances == 0 && function.waiting.is_empty() {
            let index = function.plan.index;
            self.functions[place] = None;
            self.recency.remove(&mut self.links, place);
            self.empty.push(place);
            self.places[index] = [0; 4];
        }
    }

    /// An instance to run, and what for: an idle one or a new one, or one that is to initialise the function first.
    pub(crate) fn take(&mut self, index: usize) -> Result<(Box<Instance>, Purpose), NoInstance> {
        let place = self.enter(index);
        let function = self.at_mut(place);
        if let Some(instance) = function.idle.pop() {
            self.idle_frames -= instance.domain.frames();
            return Ok((instance, Purpose::Serve));
        }
        let (purpose, most) = match &function.template {
            Some(_) => (Purpose::Serve, function.plan.limits.concurrency),
            None => (Purpose::Init, 1),
        };
        if function.instances == most {
            return Err(NoInstance::Busy);
        }
        // It must not be dropped while others make room for it.
        function.instances += 1;
        let plan = function.plan;
        let heap_pages = function.template.as_ref().map_or(0, Template::heap_pages);
        // Many instances take much of the kernel's heap too, and connections must find some.
        while heap::is_crowded() && self.evict() {}
        let (bundle, isolation) = (self.bundle, self.isolation);
        match self.with_room(|| make(plan, heap_pages, place, bundle, isolation)) {
            Ok(instance) => Ok((Box::new(instance), purpose)),
            Err(OutOfFrames) => {
                self.at_mut(place).instances -= 1;
                self.leave_if_unused(place);
                Err(NoInstance::OutOfFrames)
            }
        }
    }

    /// Gives a page of its own to an instance.
    pub(crate) fn populate(&mut self, instance: &mut Instance, missing: &Missing) -> Result<(), OutOfFrames> {
        let bundle = self.bundle;
        match missing {
            Missing::Response { index } => self.with_room(|| instance.domain.touch_response(*index)),
            Missing::Private { page, origin } => {
                let frozen = self.at(instance.place).template.as_ref().and_then(|template| template.page(*page));
                let origin = frozen.map_or_else(|| Origin::Image(&bundle[origin.clone()]), Origin::Template);
                self.with_room(|| instance.domain.add_private(*page, origin.clone()))
            }
        }
    }

    /// Notes what those which run may still come to need: nobody else gets it.
    pub(crate) fn promise(&mut self, frames: u64) {
        self.promised = frames;
    }

    /// Frames that nobody uses, or that idle instances could give up, beyond what is promised.
    pub(crate) fn spare_frames(&self) -> u64 {
        (memory::free() + self.idle_frames).saturating_sub(self.promised)
    }

    /// Whether so many frames can be had by somebody to whom none were promised: now, or once those which run have ended.
    pub(crate) fn room_for(&self, frames: u64) -> Room {
        match self.spare_frames() >= frames {
            true => Room::Now,
            false if self.promised > 0 => Room::Later,
            false => Room::Never,
        }
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

    /// Lets an event wait for an instance of its function. Before there is need of more room, those go that are not `awaited`
    /// any more: no client makes more of them wait than it has connections.
    pub(crate) fn wait(&mut self, event: Event, awaited: impl Fn(Source) -> bool) {
        let place = self.enter(event.function);
        let waiting = &mut self.at_mut(place).waiting;
        if waiting.len() == waiting.capacity() {
            waiting.retain(|event| awaited(event.source));
        }
        waiting.push_back(event);
    }

    /// The event that has waited longest for an instance of a function.
    pub(crate) fn next_waiting(&mut self, index: usize) -> Option<Event> {
        let place = self.place(index)?;
        self.at_mut(place).waiting.pop_front()
    }

    /// The same, if there is an instance for it.
    pub(crate) fn next_free(&mut self, index: usize) -> Option<Event> {
        let place = self.place(index)?;
        let function = self.at_mut(place);
        let free = !function.idle.is_empty() || function.instances < function.plan.limits.concurrency;
        if free && function.template.is_some() { function.waiting.pop_front() } else { None }
    }

    /// Takes back an instance that was reset. Whether events wait for one.
    pub(crate) fn give_back(&mut self, instance: Box<Instance>) -> bool {
        let place = instance.place;
        self.idle_frames += instance.domain.frames();
        self.recency.touch(&mut self.links, place);
        let function = self.at_mut(place);
        function.idle.push(instance);
        !function.waiting.is_empty()
    }

    /// Ends an initialisation: what the instance holds is the template from now on, if it got that far.
    pub(crate) fn initialised(&mut self, instance: Box<Instance>, ready: bool) {
        let place = instance.place;
        let function = self.at_mut(place);
        function.instances -= 1;
        if ready {
            function.template = Some(Template::freeze(*instance));
        } else {
            self.leave_if_unused(place);
        }
    }

    /// Drops the idle instance that was used longest ago, so that its memory can serve another. False if there is none.
    fn evict(&mut self) -> bool {
        while let Some(place) = self.recency.oldest() {
            let function = self.at_mut(place);
            if function.idle.is_empty() {
                self.recency.remove(&mut self.links, place);
                continue;
            }
            // The end of the stack is taken first, so its start is the oldest.
            let oldest = function.idle.remove(0);
            function.instances -= 1;
            self.idle_frames -= oldest.domain.frames();
            self.leave_if_unused(place);
            return true;
        }
        false
    }
}

fn make(
    plan: Plan<'static>,
    heap_pages: u32,
    place: usize,
    bundle: &'static [u8],
    isolation: &'static dyn Isolation,
) -> Result<Instance, OutOfFrames> {
    let mut domain = Domain::new(isolation)?;
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
    domain.add_private(STACK_TOP - PAGE, Origin::Image(&[]))?;
    let patience = ticks_in(u64::from(plan.limits.timeout_ms) * 1_000_000);
    Ok(Instance { domain, space: Space::new(plan, heap_pages), patience, place })
}
