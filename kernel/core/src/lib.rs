//! What the kernel decides, apart from what it does: no hardware, no `unsafe`, tested on the host. Only tables allocate.
//!
//! Each module turns bytes or numbers from outside the kernel (a client, a function, the image, the command line)
//! into checked values, or into the kernel's own answer about them. If it has an address to touch, it is not here.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod acpi;
pub mod at_once;
pub mod call;
pub mod claim;
pub mod clock;
pub mod command_line;
pub mod digits;
pub mod domain;
pub mod ending;
pub mod fault;
pub mod http;
pub mod image;
pub mod outcome;
pub mod pci;
pub mod recency;
pub mod schedule;
pub mod tcp;
pub mod writer;
