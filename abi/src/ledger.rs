//! The ledger: a fixed page of time stamps that the host reads from the guest's memory, from outside.
//!
//! Each phase is stamped with the TSC when it is first reached. Writing one costs an `rdtsc` and a store. The host may set
//! the stamps of a request back to 0 while the machine rests: then the next request is stamped afresh.

use crate::wire::{layout, numbers};

/// "MAYFLYL1" in memory; the kernel writes it when it starts.
pub const LEDGER_MAGIC: u64 = u64::from_le_bytes(*b"MAYFLYL1");

numbers! {
    /// What is stamped, in the order of its place in the page: [`Phase::BOOT`] and [`Phase::REQUEST`] have the order in time.
    pub enum Phase {
        /// First instruction of the image.
        Entry = 0,
        /// Long mode on, on the image's page tables.
        Paging = 1,
        /// Traps can be caught.
        Traps = 2,
        /// Frames and heap can be had.
        Memory = 3,
        /// The network card is ready.
        Nic = 4,
        /// A connection would be accepted, and the network knows our address.
        Listening = 5,
        /// The first ARP packet from a peer arrived.
        Arp = 6,
        /// The first SYN arrived.
        Syn = 7,
        /// The first request is complete and checked.
        Request = 8,
        /// Its domain is ready to run.
        Domain = 9,
        /// The function's first instruction is next.
        Enter = 10,
        /// The function has answered.
        Leave = 11,
        /// The first response is with the network card.
        Response = 12,
        /// The work began in which the first response was made. Written with [`Phase::Rest`].
        Wake = 13,
        /// The first bytes of a request are about to be read.
        Bytes = 14,
        /// The domain of the first response is as new.
        Clean = 15,
        /// The work was done in which the first response was made.
        Rest = 16,
    }
}

/// Phases whose stamps lie before the counters; the others' lie behind.
const BEFORE: usize = 13;
/// Phases whose stamps lie behind the counters.
const BEHIND: usize = Phase::ALL.len() - BEFORE;

impl Phase {
    /// The steps from power-on to the first response, in the order in which they are usually reached.
    pub const BOOT: [Self; 14] = [
        Self::Entry,
        Self::Paging,
        Self::Traps,
        Self::Memory,
        Self::Nic,
        Self::Listening,
        Self::Arp,
        Self::Syn,
        Self::Bytes,
        Self::Request,
        Self::Domain,
        Self::Enter,
        Self::Leave,
        Self::Response,
    ];

    /// The steps of one request to a machine that rests, in the order in which they are reached.
    pub const REQUEST: [Self; 9] = [
        Self::Wake,
        Self::Bytes,
        Self::Request,
        Self::Domain,
        Self::Enter,
        Self::Leave,
        Self::Response,
        Self::Clean,
        Self::Rest,
    ];

    /// The name under which reports show the phase.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::Paging => "paging",
            Self::Traps => "traps",
            Self::Memory => "memory",
            Self::Nic => "nic ready",
            Self::Listening => "listening",
            Self::Arp => "first ARP",
            Self::Syn => "first SYN",
            Self::Request => "request parsed",
            Self::Domain => "domain ready",
            Self::Enter => "function entered",
            Self::Leave => "function left",
            Self::Response => "response queued",
            Self::Wake => "woken",
            Self::Bytes => "first bytes",
            Self::Clean => "domain clean",
            Self::Rest => "at rest",
        }
    }

    /// Offset of the phase's stamp in the ledger page.
    pub const fn offset(self) -> usize {
        let number = self as usize;
        if number < BEFORE {
            core::mem::offset_of!(Ledger, stamps) + 8 * number
        } else {
            core::mem::offset_of!(Ledger, more_stamps) + 8 * (number - BEFORE)
        }
    }

    /// Whether the host may set the stamp back to 0: what follows the boot and is reached again with each request.
    pub const fn is_of_request(self) -> bool {
        self as usize >= Self::Syn as usize
    }
}

layout! {
    /// What lies at [`crate::boot::LEDGER`], or further up by as much as the image was moved. All times are in TSC ticks; 0 means not reached.
    pub struct Ledger {
        /// [`LEDGER_MAGIC`] once the kernel runs.
        pub magic: u64,
        /// Ticks a second, once the kernel knows.
        pub tsc_hz: u64,
        /// When each phase up to [`Phase::Response`] was first reached.
        pub stamps: [u64; BEFORE],
        /// Ticks spent doing anything but waiting for work. Written each time the machine goes idle.
        pub busy: u64,
        /// Times the machine went idle.
        pub idles: u64,
        /// Ticks spent on domains: taking, entering, running, leaving and resetting them. The network is not in it.
        pub domains: u64,
        /// Invocations that have ended, however they ended.
        pub invocations: u64,
        /// Connections open now.
        pub connections: u64,
        /// Page frames in use, the image's not counted. Written each time the machine goes idle.
        pub frames_used: u64,
        /// Page frames there are, the image's not counted.
        pub frames_total: u64,
        /// When each of the other phases was first reached. Behind all else, so that a host reads the ledger of an older
        /// kernel too: it has zeros there.
        pub more_stamps: [u64; BEHIND],
    }
}

impl Ledger {
    /// When a phase was first reached; 0 if it was not, or if the kernel does not know it.
    pub const fn stamp(&self, phase: Phase) -> u64 {
        let number = phase as usize;
        if number < BEFORE { self.stamps[number] } else { self.more_stamps[number - BEFORE] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Wire;

    #[test]
    fn the_ledger_is_pinned() {
        assert_eq!(Phase::ALL.len(), 17);
        assert_eq!(Phase::Entry.offset(), 16);
        assert_eq!(Phase::Response.offset(), 112);
        assert_eq!(Phase::Wake.offset(), 176);
        assert_eq!(Phase::Rest.offset(), 200);
        assert_eq!(Ledger::SIZE, 208);
        assert_eq!(core::mem::offset_of!(Ledger, busy), 120);
        let mut out = [0; Ledger::SIZE];
        Ledger::get(&[0xff; Ledger::SIZE]).put(&mut out);
        assert_eq!(out, [0xff; Ledger::SIZE]);
    }

    #[test]
    fn each_phase_is_read_where_it_is_written() {
        for phase in Phase::ALL {
            let mut page = [0; Ledger::SIZE];
            7_u64.put(&mut page[phase.offset()..]);
            let ledger = Ledger::get(&page);
            assert_eq!(Phase::ALL.iter().filter(|other| ledger.stamp(**other) != 0).count(), 1);
            assert_eq!(ledger.stamp(*phase), 7);
        }
    }

    #[test]
    fn a_boot_and_a_request_have_each_phase_once() {
        for phase in Phase::ALL {
            let count = |steps: &[Phase]| steps.iter().filter(|step| *step == phase).count();
            let (boot, request) = (count(&Phase::BOOT), count(&Phase::REQUEST));
            assert!(boot <= 1 && request <= 1 && boot + request >= 1, "{phase:?}");
            assert!(request == 0 || phase.is_of_request(), "{phase:?}");
        }
    }
}
