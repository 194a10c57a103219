//! Why a bundle, or one function of it, cannot be used: sentences that say what to do.

use core::fmt;

use mayfly_abi::ABI_VERSION;
use mayfly_abi::image::FORMAT_VERSION;

/// Why a bundle cannot be used at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageError {
    /// It ends within its header.
    TooShort,
    /// It does not start with the magic number.
    Magic,
    /// Its layouts have another version: this one.
    Format(u32),
    /// Its header has changed since it was written.
    Checksum,
    /// Its functions were built for another version of the calls: this one.
    Abi(u32),
    /// It is shorter than its header states.
    Truncated {
        /// Bytes that the header states.
        stated: u64,
        /// Bytes there are.
        found: u64,
    },
    /// Its table has records of another size, or lies outside.
    Table,
    /// It asks for an isolation that this kernel does not know: this number.
    Isolation(u64),
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort => f.write_str("the bundle ends within its header; build the image again"),
            Self::Magic => {
                f.write_str("there is no bundle where the image should have one; build it with `mayfly build`")
            }
            Self::Format(found) => write!(
                f,
                "the bundle has format version {found} and this kernel reads {FORMAT_VERSION}; \
                 build the image with the tool that comes with the kernel"
            ),
            Self::Checksum => f.write_str("the bundle's header is damaged; build or copy the image again"),
            Self::Abi(found) => write!(
                f,
                "the functions were built for ABI version {found} and this kernel has {ABI_VERSION}; \
                 build them again with its SDK"
            ),
            Self::Truncated { stated, found } => {
                write!(f, "the bundle should have {stated} bytes and has {found}; copy the image again")
            }
            Self::Table => f.write_str("the bundle's table does not lie inside the bundle; build the image again"),
            Self::Isolation(number) => {
                write!(
                    f,
                    "the bundle asks for isolation {number}, which this kernel does not have; build the image again"
                )
            }
        }
    }
}

/// Why one function of a bundle cannot be used. The others still can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// The record has changed since it was written.
    Checksum,
    /// The name is empty or not printable ASCII.
    Name,
    /// A segment is both writable and executable, or has unknown flags.
    Rights,
    /// A segment does not start on a page boundary.
    Alignment,
    /// A segment has more bytes in the bundle than in memory, or cannot be written and has fewer pages.
    Length,
    /// A segment lies outside the address range of programs.
    Address,
    /// A segment's bytes lie outside the bundle's contents.
    Source,
    /// Two segments overlap.
    Overlap,
    /// The entry point, or that of the initialisation, lies in no executable segment.
    Entry,
    /// The memory limit does not hold the data and a page of stack, or exceeds what a domain can map.
    Memory,
    /// A body limit exceeds the maximum, or a limit that must not be zero is.
    Limits,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Checksum => "the function's record is damaged; build or copy the image again",
            Self::Name => "the function's name is empty or not printable ASCII; rename it and build the image again",
            Self::Rights => "a segment of the function is both writable and executable; link it with the SDK's script",
            Self::Alignment => "a segment of the function is not on a page boundary; link it with the SDK's script",
            Self::Length => "a segment of the function lacks bytes in the bundle; build the image again",
            Self::Address => "a segment of the function lies outside the program range; link it with the SDK's script",
            Self::Source => "a segment of the function lies outside the bundle; build the image again",
            Self::Overlap => "two segments of the function overlap; link it with the SDK's script",
            Self::Entry => {
                "an entry point of the function lies in no executable segment; link it with the SDK's script"
            }
            Self::Memory => "the function's memory limit is below its data or above the maximum; change its manifest",
            Self::Limits => "one of the function's limits is zero or above the maximum; change its manifest",
        })
    }
}
