//! The kernel's part, with a page table that is a map: it asks core for every decision, and does what core says.

use std::collections::BTreeMap;

use mayfly_abi::PAGE;
use mayfly_abi::call::Code;
use mayfly_abi::domain::{HEAP_BASE, REQUEST_BASE, RESPONSE_BASE, RESPONSE_BODY, STACK_BASE, STACK_TOP};
use mayfly_core::call::{Purpose, Registers, Request};
use mayfly_core::claim::{self, Claimed, Granted};
use mayfly_core::domain::{Missing, Space};
use mayfly_core::fault::{Fault, Kind};
use mayfly_core::http::response::check_headers;
use mayfly_core::image::{Plan, Rights};

use super::{Access, Effect, sample};

const PAGE_LEN: usize = PAGE as usize;
const PAGE_FAULT: u8 = 14;

/// A domain, and the template it is put back to.
pub(super) struct Machine<'a> {
    bundle: &'a [u8],
    space: Space<'a>,
    purpose: Purpose,
    invocation: u64,
    pages: BTreeMap<u64, Page>,
    /// Pages that the initialisation has written.
    template: BTreeMap<u64, Vec<u8>>,
}

/// A page that is mapped.
struct Page {
    bytes: Vec<u8>,
    rights: Rights,
    dirty: bool,
    /// What it is put back to.
    origin: Vec<u8>,
}

impl Page {
    fn new(origin: Vec<u8>, rights: Rights) -> Self {
        Self { bytes: origin.clone(), rights, dirty: false, origin }
    }
}

impl<'a> Machine<'a> {
    /// A domain that nobody has used, with the shared pages of `plan` mapped.
    pub(super) fn new(bundle: &'a [u8], plan: Plan<'a>, purpose: Purpose) -> Self {
        let mut pages = BTreeMap::new();
        for segment in plan.segments().iter().filter(|segment| segment.rights != Rights::ReadWrite) {
            for at in (0..u64::from(segment.pages) * PAGE).step_by(PAGE_LEN) {
                let from = (segment.offset + at) as usize;
                pages.insert(segment.address + at, Page::new(bundle[from..from + PAGE_LEN].to_vec(), segment.rights));
            }
        }
        let space = Space::new(plan, plan.heap_pages);
        let shared = |address: &u64| space.missing(*address).is_none();
        assert!(pages.keys().all(shared), "a function could get a page of its own in place of a shared one");
        let mut machine = Self { bundle, space, purpose, invocation: 0, pages, template: BTreeMap::new() };
        machine.start(0);
        machine
    }

    /// Carries out an instruction's access. `None`: the function is stopped.
    pub(super) fn access(&mut self, address: u64, what: Access) -> Option<u8> {
        loop {
            let page = self.pages.get_mut(&(address & !(PAGE - 1)));
            let present = page.is_some();
            if let Some(page) = page {
                let allowed = match what {
                    Access::Read => true,
                    Access::Write(_) => page.rights == Rights::ReadWrite,
                    Access::Jump => page.rights == Rights::ReadExecute,
                };
                if allowed {
                    let byte = &mut page.bytes[(address % PAGE) as usize];
                    if let Access::Write(value) = what {
                        (*byte, page.dirty) = (value, true);
                    }
                    return Some(*byte);
                }
            }
            let cause = match what {
                Access::Read => 0,
                Access::Write(_) => 1 << 1,
                Access::Jump => 1 << 4,
            };
            // Bit 2: it happened in ring 3.
            let fault = Fault::classify(PAGE_FAULT, u64::from(present) | 1 << 2 | cause, address, 0);
            if fault.kind != Kind::Unmapped {
                return None;
            }
            assert!(!present, "the page at {address:#x} is there and said to be missing");
            let missing = self.space.missing(address)?;
            self.populate(&missing);
        }
    }

    /// Carries out a call.
    pub(super) fn call(&mut self, registers: Registers) -> Result<Effect, Code> {
        let limit = self.space.plan().limits.response;
        match registers.decode(limit)?.allowed(self.purpose)? {
            Request::Respond { headers_len, body_len, .. } => {
                if !check_headers(&self.copy(RESPONSE_BASE, headers_len.into())) {
                    return Err(Code::BadHeaders);
                }
                Ok(Effect::Answered(self.copy(RESPONSE_BASE + RESPONSE_BODY, body_len.into())))
            }
            Request::Log { text } => Ok(Effect::Said(self.read(text)?)),
            Request::Fail { reason, text } => Ok(Effect::Failed(reason, self.read(text)?)),
            Request::Grow { pages } => self.space.grow(pages).map(Effect::Value),
            Request::Clock => Ok(Effect::Value(self.invocation)),
            Request::Random { out } => {
                let out = self.grant(out, claim::Access::Write)?;
                for at in 0..out.len() {
                    let address = out.address() + at;
                    let page = self.pages.get_mut(&(address & !(PAGE - 1))).expect("what was granted is there");
                    assert!(page.rights == Rights::ReadWrite, "the kernel would write to {address:#x}");
                    page.bytes[(address % PAGE) as usize] = sample(self.invocation, at);
                    page.dirty = true;
                }
                Ok(Effect::Value(0))
            }
            Request::Ready => Ok(Effect::Ready),
        }
        .inspect(|effect| {
            if *effect == Effect::Ready {
                self.freeze();
            }
        })
    }

    /// Puts everything back, and starts the next invocation.
    pub(super) fn restart(&mut self, request_len: u64) {
        let heap_start = self.space.heap_start();
        self.pages.retain(|address, page| match *address {
            REQUEST_BASE..HEAP_BASE => false,
            HEAP_BASE.. if *address >= heap_start => false,
            _ => {
                if page.dirty {
                    page.bytes.clone_from(&page.origin);
                    page.dirty = false;
                }
                true
            }
        });
        self.invocation += 1;
        self.start(request_len);
        let mut fresh = Space::new(*self.space.plan(), ((heap_start - HEAP_BASE) / PAGE) as u32);
        fresh.start(request_len);
        assert_eq!(self.space.regions(), fresh.regions());
        assert_eq!(self.space.heap_pages(), fresh.heap_pages());
    }

    /// Every page that is mapped.
    pub(super) fn pages(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.pages.iter().map(|(address, page)| (*address, &page.bytes[..]))
    }

    pub(super) fn has(&self, page: u64) -> bool {
        self.pages.contains_key(&page)
    }

    /// Pages of data and heap that it has taken.
    pub(super) fn private_pages(&self) -> usize {
        let is_window = |address: &u64| (REQUEST_BASE..HEAP_BASE).contains(address);
        let is_stack = |address: &u64| (STACK_BASE..STACK_TOP).contains(address);
        let counts = |(address, page): &(&u64, &Page)| {
            page.rights == Rights::ReadWrite && !is_window(address) && !is_stack(address)
        };
        self.pages.iter().filter(counts).count()
    }

    fn start(&mut self, request_len: u64) {
        self.space.start(request_len);
        for (page, start) in (0..request_len).step_by(PAGE_LEN).enumerate() {
            let mut bytes = vec![sample(self.invocation, page as u64); PAGE_LEN.min((request_len - start) as usize)];
            bytes.resize(PAGE_LEN, 0);
            self.pages.insert(REQUEST_BASE + start, Page::new(bytes, Rights::Read));
        }
    }

    /// What the initialisation has made becomes the template. Its domain is not used again.
    fn freeze(&mut self) {
        for (address, page) in &self.pages {
            let is_stack = (STACK_BASE..STACK_TOP).contains(address);
            let is_window = (REQUEST_BASE..HEAP_BASE).contains(address);
            if page.dirty && !is_stack && !is_window {
                self.template.insert(*address, page.bytes.clone());
            }
        }
        self.pages.retain(|_, page| page.rights != Rights::ReadWrite);
        self.space = Space::new(*self.space.plan(), self.space.heap_pages());
        self.purpose = Purpose::Serve;
    }

    fn populate(&mut self, missing: &Missing) {
        let (address, origin) = match missing {
            Missing::Response { index } => (RESPONSE_BASE + *index as u64 * PAGE, vec![0; PAGE_LEN]),
            Missing::Private { page, origin } => {
                let mut bytes = self.bundle[origin.clone()].to_vec();
                bytes.resize(PAGE_LEN, 0);
                (*page, self.template.get(page).cloned().unwrap_or(bytes))
            }
        };
        let before = self.pages.insert(address, Page::new(origin, Rights::ReadWrite));
        assert!(before.is_none(), "the page at {address:#x} was there");
    }

    fn read(&mut self, text: Claimed) -> Result<Vec<u8>, Code> {
        let text = self.grant(text, claim::Access::Read)?;
        Ok(if text.is_empty() { Vec::new() } else { self.copy(text.address(), text.len()) })
    }

    /// Checks a claim and makes the pages that the function has not touched yet.
    fn grant(&mut self, claimed: Claimed, access: claim::Access) -> Result<Granted, Code> {
        let granted = claimed.check(&self.space.regions(), access)?;
        let mut at = 0;
        while at < granted.len() {
            let address = granted.address() + at;
            if !self.has(address & !(PAGE - 1)) {
                let missing = self.space.missing(address).expect("what was granted can be there");
                self.populate(&missing);
            }
            at += PAGE - address % PAGE;
        }
        Ok(granted)
    }

    /// Bytes of the domain; zeros where it has touched nothing.
    fn copy(&self, mut address: u64, len: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < len {
            let at = (address % PAGE) as usize;
            let now = (PAGE_LEN - at).min(len as usize - bytes.len());
            match self.pages.get(&(address - at as u64)) {
                Some(page) => bytes.extend_from_slice(&page.bytes[at..at + now]),
                None => bytes.resize(bytes.len() + now, 0),
            }
            address += now as u64;
        }
        bytes
    }
}
