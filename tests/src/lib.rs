//! What the whole-machine tests and benches share: images, booted machines, an HTTP client, and exchanges whose
//! answers are known.
//!
//! Whatever does not go as it must ends in a panic: this library is only there for tests and benches. A machine that is
//! dropped by a panic prints its console and QEMU's command line.
#![forbid(unsafe_code)]

pub mod attacks;
mod bochs;
pub mod broken;
mod client;
pub mod elsewhere;
pub mod ethernet;
mod exchange;
mod figures;
pub mod firmware;
mod flood;
mod fresh;
mod guest;
pub mod images;
mod load;
pub mod machines;
pub mod many;
mod message;
mod monitor;
pub mod planted;
mod qr;
mod run;
pub mod smuggling;
mod source_copy;
pub mod tap;
pub mod tool;
mod wire;

pub use bochs::Bochs;
pub use client::Connection;
pub use exchange::{Exchange, Expected};
pub use figures::Latencies;
pub use flood::Flood;
pub use fresh::invoke_at_random;
pub use guest::{Guest, LIMIT};
pub use load::{Load, Outcome};
pub use message::{Request, Response};
pub use monitor::Monitor;
pub use run::Run;
pub use source_copy::SourceCopy;
pub use wire::{Echoes, bad_wire};
