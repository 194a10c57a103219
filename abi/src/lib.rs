//! The contract between loader, kernel, functions and host tool: call numbers, memory maps and byte layouts.
//!
//! No dependencies, no policy, no unsafe. Every number that two programs must agree on is written here, once.
#![no_std]
#![forbid(unsafe_code)]

pub mod boot;
pub mod call;
pub mod domain;
pub mod exit;
pub mod fault;
pub mod image;
pub mod ledger;
pub mod paging;
pub mod wire;

/// Version of the calls and of the domain's memory map. A bundle built for another one is refused.
pub const ABI_VERSION: u32 = 2;

/// Size of a page, in bytes. The unit in which memory is mapped, limited and given back.
pub const PAGE: u64 = 4096;

/// Rounds a length or address up to the next page boundary.
pub const fn page_up(value: u64) -> u64 {
    value.next_multiple_of(PAGE)
}
