//! Pointers that functions pass: claimed until checked against the domain's memory, granted after.

use mayfly_abi::call::Code;

/// A run of bytes that a function alleges to have. Both numbers are whatever it put in the registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Alleged address of the first byte.
    pub address: u64,
    /// Alleged length in bytes.
    pub len: u64,
}

/// A run of memory that is mapped in the domain, readable by the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Address of the first byte.
    pub start: u64,
    /// Address behind the last byte.
    pub end: u64,
    /// Whether the function may write to it.
    pub writable: bool,
}

/// What the kernel is to do with the bytes on the function's behalf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read them.
    Read,
    /// Write them.
    Write,
}

/// A run of bytes that lies wholly in one region with the rights asked for, or is empty.
///
/// Only [`Claimed::check`] makes one, and it cannot be copied: it is used once, while the regions still hold.
#[derive(Debug, PartialEq, Eq)]
pub struct Granted {
    address: u64,
    len: u64,
}

impl Claimed {
    /// Grants the run if it lies wholly in one of `regions`; [`Code::BadPointer`] otherwise.
    ///
    /// A run that straddles two regions is refused even if they touch. An empty run is granted wherever it claims to
    /// lie, since no byte of it is touched: empty slices have arbitrary addresses.
    pub fn check(self, regions: &[Region], access: Access) -> Result<Granted, Code> {
        let granted = Granted { address: self.address, len: self.len };
        if self.len == 0 {
            return Ok(granted);
        }
        let end = self.address.checked_add(self.len).ok_or(Code::BadPointer)?;
        for region in regions {
            if region.start <= self.address && end <= region.end {
                return match access {
                    Access::Write if !region.writable => Err(Code::BadPointer),
                    _ => Ok(granted),
                };
            }
        }
        Err(Code::BadPointer)
    }
}

impl Granted {
    /// Address of the first byte in the domain. Means nothing if the run is empty.
    pub fn address(&self) -> u64 {
        self.address
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is no byte to touch.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}
