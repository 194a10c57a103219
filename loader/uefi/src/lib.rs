//! What the UEFI loader decides: whether a file is an image, where in memory it goes, what its page tables become there,
//! and which memory the kernel may use. No firmware, so that it is tested on the host.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod image;
pub mod place;
pub mod regions;
pub mod smbios;
pub mod tables;
