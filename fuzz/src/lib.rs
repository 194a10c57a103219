//! What must hold for every byte that crosses trust: one module per target, each a function that panics if it does not.
//!
//! libFuzzer drives the targets (`make fuzz`), and `cargo test` replays the corpus. docs/fuzzing.md says how, and what
//! each target holds true.
#![forbid(unsafe_code)]

pub mod acpi;
pub mod call;
pub mod domain;
pub mod http;
pub mod image;
pub mod manifest;
mod memory;
mod program;
pub mod tcp;

/// A target. It panics if a property does not hold for the bytes, and says whether they got past the first refusal: a
/// corpus of which nothing does has gone stale.
pub type Target = fn(&[u8]) -> bool;

/// Every target, by the name of its corpus.
pub const TARGETS: [(&str, Target); 7] = [
    ("acpi", acpi::run),
    ("call", call::run),
    ("domain", domain::run),
    ("http", http::run),
    ("image", image::run),
    ("manifest", manifest::run),
    ("tcp", tcp::run),
];
