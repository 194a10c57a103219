//! Boots Mayfly images in QEMU: machines as data, the launcher, the running machine, the joined clocks,
//! and wires that misbehave on purpose.
//!
//! ```no_run
//! use mayfly_qemu::Launch;
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), mayfly_qemu::Error> {
//! let mut machine = Launch::new("build/mayfly.elf").start()?;
//! let connection = machine.connect(Duration::from_secs(5))?;
//! # drop(connection);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

pub mod accelerator;
pub mod clock;
mod command;
mod console;
mod ending;
mod error;
pub mod guest;
mod launch;
mod machine;
mod machine_type;
mod memory;
mod monitor;
mod scratch;
mod threads;
mod trace;
mod tsc;
mod version;
pub mod wire;

pub use accelerator::Accelerator;
pub use command::CommandLine;
pub use console::Console;
pub use ending::Ending;
pub use error::Error;
pub use launch::{GATEWAY, Launch, Plan};
pub use machine::Machine;
pub use machine_type::{Firmware, MachineType};
pub use memory::{Faults, Memory};
pub use trace::Exits;
pub use tsc::tsc_hz;
pub use version::Version;
