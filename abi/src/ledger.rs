//! The ledger: a fixed page of time stamps that the host reads from the guest's memory, from outside.
//!
//! Each phase is stamped with the TSC when it is first reached. Writing one costs an `rdtsc` and a store.

use crate::wire::{layout, numbers};

/// "MAYFLYL1" in memory; the kernel writes it when it starts.
pub const LEDGER_MAGIC: u64 = u64::from_le_bytes(*b"MAYFLYL1");

numbers! {
    /// The steps from power-on to the first response, in the order in which they are usually reached.
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
    }
}

/// Number of phases.
pub const PHASES: usize = Phase::ALL.len();

impl Phase {
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
        }
    }

    /// Offset of the phase's stamp in the ledger page.
    pub const fn offset(self) -> usize {
        core::mem::offset_of!(Ledger, stamps) + 8 * self as usize
    }
}

layout! {
    /// What lies at [`crate::boot::LEDGER`], or further up by as much as the image was moved. All times are in TSC ticks; 0 means not reached.
    pub struct Ledger {
        /// [`LEDGER_MAGIC`] once the kernel runs.
        pub magic: u64,
        /// Ticks a second, once the kernel knows.
        pub tsc_hz: u64,
        /// When each phase was first reached.
        pub stamps: [u64; PHASES],
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
        /// Page frames in use now, the image's not counted.
        pub frames_used: u64,
        /// Page frames there are, the image's not counted.
        pub frames_total: u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Wire;

    #[test]
    fn the_ledger_is_pinned() {
        assert_eq!(PHASES, 13);
        assert_eq!(Phase::Entry.offset(), 16);
        assert_eq!(Phase::Response.offset(), 112);
        assert_eq!(Ledger::SIZE, 176);
        assert_eq!(core::mem::offset_of!(Ledger, busy), 120);
        let mut out = [0; Ledger::SIZE];
        Ledger::get(&[0xff; Ledger::SIZE]).put(&mut out);
        assert_eq!(out, [0xff; Ledger::SIZE]);
    }
}
