//! Fault records: what the kernel leaves for the host when it stops a function. docs/ledger.md
//!
//! They lie in the ledger's page, as a ring: the host reads them from outside, and the kernel waits for nobody, unless
//! its command line says `hold_faults=1`. Then a stopped domain is kept as it is until the host has written the
//! record's number to [`FAULT_SEEN`], or for a while.

use crate::boot::LEDGER;
use crate::wire::{Wire, layout};

/// Where the image links the number of the last fault that the host is done with. The host writes it.
pub const FAULT_SEEN: u64 = LEDGER + 1016;
/// Where it links the first record.
pub const FAULT_RING: u64 = LEDGER + 1024;
/// Records in the ring. Fault number `id` lies in slot `id % FAULT_SLOTS`.
pub const FAULT_SLOTS: u64 = 8;
/// Callers that a record names.
pub const FAULT_CALLERS: usize = 12;

/// Name of the record of an initialisation that is over. There is one only with `hold_faults=1`: it is no fault, but the
/// host may want what the initialisation has left.
pub const READY: &str = "ready";

layout! {
    /// Why and where a function was stopped.
    pub struct FaultRecord {
        /// Number of the fault since boot, as in the client's answer. 0 while the record is written or was never used.
        pub id: u64,
        /// Position of the function in the bundle's table.
        pub function: u64,
        /// Number of the invocation since boot; 0 for an initialisation.
        pub invocation: u64,
        /// The fault's name as in the client's answer, padded with zeros.
        pub name: [u8; 24],
        /// Vector of the exception; 256 after a call, 32 and up after an interrupt.
        pub vector: u64,
        /// The exception's error code.
        pub error: u64,
        /// The address of a page fault.
        pub address: u64,
        /// Physical address of the domain's top page table. It holds for as long as the domain is kept.
        pub page_table: u64,
        /// Address of the instruction.
        pub rip: u64,
        /// Pages of heap that there are.
        pub heap_pages: u64,
        /// Flags.
        pub flags: u64,
        /// Stack pointer.
        pub rsp: u64,
        /// RAX, RBX, RCX, RDX, RSI, RDI, RBP, R8 to R15.
        pub registers: [u64; 15],
        /// Return addresses by the chain of frame pointers, innermost first; 0 behind the last.
        pub callers: [u64; FAULT_CALLERS],
        /// The two words at the stack pointer, zeros if they cannot be read. A function that has not made its own frame
        /// yet has its return address there.
        pub top: [u64; 2],
    }
}

/// Where the image links the record of fault number `id`.
pub const fn fault_record(id: u64) -> u64 {
    FAULT_RING + id % FAULT_SLOTS * FaultRecord::SIZE as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PAGE;
    use crate::ledger::Ledger;

    #[test]
    fn the_records_are_pinned_and_share_the_ledgers_page() {
        assert_eq!(FaultRecord::SIZE, 344);
        assert_eq!(core::mem::offset_of!(FaultRecord, callers), 232);
        const { assert!(LEDGER + Ledger::SIZE as u64 <= FAULT_SEEN) };
        const { assert!(FAULT_RING + FAULT_SLOTS * FaultRecord::SIZE as u64 <= LEDGER + PAGE) };
        let mut out = [0; FaultRecord::SIZE];
        FaultRecord::get(&[0xff; FaultRecord::SIZE]).put(&mut out);
        assert_eq!(out, [0xff; FaultRecord::SIZE]);
    }
}
