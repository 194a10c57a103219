//! Faults that explain themselves: from the kernel's records to function, file and line, and to cores for a debugger.
//!
//! docs/faults.md says how the parts go together.

mod core_file;
mod explanation;
mod log;
mod pages;
mod reporter;
mod symbols;

pub use core_file::core_file;
pub use explanation::{Explanation, Frame};
pub use log::{Log, Saved};
pub use pages::{Pages, mapped};
pub use reporter::Reporter;
pub use symbols::{NoSymbols, Place, Symbols};
