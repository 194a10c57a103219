//! Why a bundle, or one function of it, cannot be used: sentences that say what to do.

use mayfly_abi::ABI_VERSION;
use mayfly_abi::image::FORMAT_VERSION;

/// Why a bundle cannot be used at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// It ends within its header.
    #[error("the bundle ends within its header; build the image again")]
    TooShort,
    /// It does not start with the magic number.
    #[error("there is no bundle where the image should have one; build it with `mayfly build`")]
    Magic,
    /// Its layouts have another version: this one.
    #[error(
        "the bundle has format version {0} and this kernel reads {FORMAT_VERSION}; build the image with the tool that comes \
         with the kernel"
    )]
    Format(u32),
    /// Its header has changed since it was written.
    #[error("the bundle's header is damaged; build or copy the image again")]
    Checksum,
    /// Its functions were built for another version of the calls: this one.
    #[error(
        "the functions were built for ABI version {0} and this kernel has {ABI_VERSION}; build them again with its SDK"
    )]
    Abi(u32),
    /// It is shorter than its header states.
    #[error("the bundle should have {stated} bytes and has {found}; copy the image again")]
    Truncated {
        /// Bytes that the header states.
        stated: u64,
        /// Bytes there are.
        found: u64,
    },
    /// Its table has records of another size, or lies outside.
    #[error("the bundle's table does not lie inside the bundle; build the image again")]
    Table,
    /// It asks for an isolation that this kernel does not know: this number.
    #[error("the bundle asks for isolation {0}, which this kernel does not have; build the image again")]
    Isolation(u64),
}

/// Why one function of a bundle cannot be used. The others still can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The record has changed since it was written.
    #[error("the function's record is damaged; build or copy the image again")]
    Checksum,
    /// The name is empty or not printable ASCII.
    #[error("the function's name is empty or not printable ASCII; rename it and build the image again")]
    Name,
    /// A segment is both writable and executable, or has unknown flags.
    #[error("a segment of the function is both writable and executable; link it with the SDK's script")]
    Rights,
    /// A segment does not start on a page boundary.
    #[error("a segment of the function is not on a page boundary; link it with the SDK's script")]
    Alignment,
    /// A segment has more bytes in the bundle than in memory, or cannot be written and has fewer pages.
    #[error("a segment of the function lacks bytes in the bundle; build the image again")]
    Length,
    /// A segment lies outside the address range of programs.
    #[error("a segment of the function lies outside the program range; link it with the SDK's script")]
    Address,
    /// A segment's bytes lie outside the bundle's contents.
    #[error("a segment of the function lies outside the bundle; build the image again")]
    Source,
    /// Two segments overlap.
    #[error("two segments of the function overlap; link it with the SDK's script")]
    Overlap,
    /// The entry point, or that of the initialisation, lies in no executable segment.
    #[error("an entry point of the function lies in no executable segment; link it with the SDK's script")]
    Entry,
    /// The memory limit does not hold the data and a page of stack, or exceeds what a domain can map.
    #[error("the function's memory limit is below its data or above the maximum; change its manifest")]
    Memory,
    /// A body limit exceeds the maximum, or a limit that must not be zero is.
    #[error("one of the function's limits is zero or above the maximum; change its manifest")]
    Limits,
}
