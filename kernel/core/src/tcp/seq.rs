//! Sequence numbers: places in a stream, modulo 2^32 (RFC 9293, 3.4).

/// A place in a stream. Two of them are compared as if less than 2^31 lay between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seq(pub u32);

impl Seq {
    /// The place `bytes` later.
    #[must_use]
    pub fn plus(self, bytes: u32) -> Self {
        Self(self.0.wrapping_add(bytes))
    }

    /// Bytes from `earlier` to here. Meaningless if `earlier` is later.
    pub fn since(self, earlier: Self) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }

    /// Whether this place is later than `other`.
    pub fn is_after(self, other: Self) -> bool {
        self.0.wrapping_sub(other.0).cast_signed() > 0
    }

    /// The later of two places.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        if other.is_after(self) { other } else { self }
    }

    /// The earlier of two places.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        if other.is_after(self) { self } else { other }
    }
}
