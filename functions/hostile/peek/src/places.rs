//! Where it peeks.

use attacks::Table;
use mayfly_abi::PAGE;
use mayfly_abi::boot::{
    BOOT_BLOCK, DIRECT_MAP, KERNEL, KERNEL_END, KERNEL_MAP, KERNEL_STACK, KERNEL_STACK_TOP, LEDGER, LOADER,
};
use mayfly_abi::domain::{
    HEAP_BASE, PROGRAM_END, REQUEST_BASE, RESPONSE_BASE, RESPONSE_BODY, STACK_BASE, STACK_TOP, USER_END,
};
use mayfly_abi::fault::{FAULT_RING, FAULT_SEEN};
use mayfly_abi::page_up;

use crate::Touch::{self, Copy, Jump, Read, Write};

/// Most bytes of a response's body, as in mayfly.toml.
const RESPONSE_LIMIT: u64 = 4 << 10;
/// First address above the pages of the response window.
const RESPONSE_END: u64 = RESPONSE_BASE + page_up(RESPONSE_BODY + RESPONSE_LIMIT);
/// Physical addresses of devices: the local APIC, the IOAPIC, the network card.
const LAPIC: u64 = 0xfee0_0000;
const IOAPIC: u64 = 0xfec0_0000;
const CARD: u64 = 0xfeb0_0e00;
/// Where the lower half of all addresses ends.
const HALF: u64 = 1 << 47;

/// The path of each attempt, and what it does where.
pub(crate) const PLACES: Table<(Touch, u64)> = &[
    ("/kernel-text", (Read, KERNEL_MAP + KERNEL)),
    ("/write-kernel", (Write, KERNEL_MAP + KERNEL)),
    ("/jump-kernel", (Jump, KERNEL_MAP + KERNEL)),
    ("/kernel-data", (Read, KERNEL_MAP + KERNEL_END - PAGE)),
    ("/write-kernel-data", (Write, KERNEL_MAP + KERNEL_END - PAGE)),
    ("/jump-kernel-data", (Jump, KERNEL_MAP + KERNEL_END - PAGE)),
    ("/kernel-stack", (Read, KERNEL_MAP + KERNEL_STACK_TOP - 8)),
    ("/write-kernel-stack", (Write, KERNEL_MAP + KERNEL_STACK_TOP - 8)),
    ("/jump-kernel-stack", (Jump, KERNEL_MAP + KERNEL_STACK)),
    ("/direct-map", (Read, DIRECT_MAP)),
    ("/write-direct-map", (Write, DIRECT_MAP + KERNEL)),
    ("/jump-direct-map", (Jump, DIRECT_MAP + KERNEL)),
    ("/ledger", (Read, DIRECT_MAP + LEDGER)),
    ("/write-ledger", (Write, DIRECT_MAP + LEDGER)),
    ("/ledger-in-kernel-map", (Read, KERNEL_MAP + LEDGER)),
    ("/fault-ring", (Read, DIRECT_MAP + FAULT_RING)),
    ("/write-fault-ring", (Write, DIRECT_MAP + FAULT_RING)),
    ("/write-fault-seen", (Write, DIRECT_MAP + FAULT_SEEN)),
    ("/boot-block", (Read, DIRECT_MAP + BOOT_BLOCK)),
    ("/write-boot-block", (Write, DIRECT_MAP + BOOT_BLOCK)),
    ("/lapic", (Read, DIRECT_MAP + LAPIC)),
    ("/write-lapic", (Write, DIRECT_MAP + LAPIC)),
    ("/jump-lapic", (Jump, DIRECT_MAP + LAPIC)),
    ("/ioapic", (Write, DIRECT_MAP + IOAPIC)),
    ("/card", (Write, DIRECT_MAP + CARD)),
    ("/identity", (Read, LOADER)),
    ("/identity-kernel", (Write, KERNEL)),
    ("/last-address", (Read, u64::MAX - 7)),
    ("/wrap-around", (Read, u64::MAX - 3)),
    ("/noncanonical", (Read, HALF)),
    ("/write-noncanonical", (Write, HALF)),
    ("/jump-noncanonical", (Jump, HALF)),
    ("/end-of-lower-half", (Read, HALF - 8)),
    ("/below-guard", (Write, STACK_BASE - PAGE - 8)),
    ("/stack-guard", (Write, STACK_BASE - 8)),
    ("/above-stack", (Write, STACK_TOP)),
    ("/copy-over-stack-top", (Copy, STACK_TOP)),
    ("/below-request", (Read, PROGRAM_END - 8)),
    ("/write-request", (Write, REQUEST_BASE)),
    ("/execute-request", (Jump, REQUEST_BASE)),
    ("/behind-request", (Read, REQUEST_BASE + PAGE)),
    ("/below-response", (Write, RESPONSE_BASE - 8)),
    ("/execute-response", (Jump, RESPONSE_BASE)),
    ("/behind-response", (Write, RESPONSE_END)),
    ("/copy-over-response-end", (Copy, RESPONSE_END)),
    ("/below-heap", (Write, HEAP_BASE - 8)),
    ("/before-heap", (Write, HEAP_BASE)),
    ("/beyond", (Read, USER_END)),
];
