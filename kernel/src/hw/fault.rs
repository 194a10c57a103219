//! The fault ring: records that the host reads from outside, and its word that it has. docs/ledger.md

use super::boot::linked;
use core::ptr::NonNull;
use mayfly_abi::fault::{FAULT_SEEN, FaultRecord, fault_record};
use mayfly_abi::wire::Wire;
use volatile::VolatilePtr;

const WORDS: usize = FaultRecord::SIZE / 8;

fn word(address: u64) -> VolatilePtr<'static, u64> {
    // SAFETY: the ring and the host's word lie in the ledger's page, which is mapped, and to which nothing refers.
    unsafe { VolatilePtr::new(NonNull::new_unchecked(linked(address) as *mut u64)) }
}

/// Puts a record into its place in the ring.
pub(crate) fn publish(record: &FaultRecord) {
    let place = fault_record(record.id);
    let mut bytes = [0; FaultRecord::SIZE];
    record.put(&mut bytes);
    // Without its number the record does not count; it comes last.
    word(place).write(0);
    for at in (1..WORDS).chain([0]) {
        word(place + 8 * at as u64).write(u64::get(&bytes[8 * at..]));
    }
}

/// Number of the last fault that the host is done with.
pub(crate) fn seen() -> u64 {
    word(FAULT_SEEN).read()
}
