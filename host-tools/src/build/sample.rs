//! Executables for tests, made without a compiler.

use std::path::Path;

use mayfly_abi::PAGE;
use mayfly_abi::boot::{KERNEL, KERNEL_MAP, LOADER};
use mayfly_abi::domain::PROGRAM_BASE;

use super::compose::compose;
use super::generated::{Part, executable};
use super::manifest::Manifest;
use super::program::Function;

/// A static executable with segments of (address, flags, bytes).
pub(crate) fn elf(entry: u64, segments: &[(u64, u32, &[u8])]) -> Vec<u8> {
    let parts = segments.iter().map(|&(address, flags, bytes)| Part { address, flags, bytes, memory_len: 0 });
    executable(entry, &parts.collect::<Vec<_>>()).expect("written")
}

/// The function `name`, of one page of code.
pub(crate) fn function(name: &str) -> Function {
    let manifest = Manifest::parse(&format!("name = \"{name}\""), Path::new("mayfly.toml")).expect("valid");
    Function::new(manifest, &elf(PROGRAM_BASE, &[(PROGRAM_BASE, 5, name.as_bytes())])).expect("valid")
}

/// A loader of one page.
pub(crate) fn loader() -> Vec<u8> {
    elf(LOADER, &[(LOADER, 5, b"loader")])
}

/// A kernel of two pages: text and data.
pub(crate) fn kernel() -> Vec<u8> {
    elf(KERNEL_MAP + KERNEL, &[(KERNEL_MAP + KERNEL, 5, b"text"), (KERNEL_MAP + KERNEL + PAGE, 6, b"data")])
}

/// An image of two functions, `a` and `b`.
pub(crate) fn image() -> Vec<u8> {
    compose(&loader(), &kernel(), &[function("a"), function("b")]).expect("composed")
}
