//! The Internet checksum (RFC 1071), eight bytes a step: every byte that comes or goes is added up here once.

/// A sum in the machine's byte order, which the ones' complement does not mind (RFC 1071, 2 B). It starts as that of nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum(u64);

impl Sum {
    /// With `bytes` added, which start at an even place.
    // Kept apart: inlined, it would be new code to the CPU at each place that adds something.
    #[must_use]
    #[inline(never)]
    pub fn with(self, bytes: &[u8]) -> Self {
        self.add_all(bytes)
    }

    /// The same for so few bytes that no loop is needed.
    #[must_use]
    #[inline]
    pub fn with_header<const N: usize>(self, header: &[u8; N]) -> Self {
        self.add_all(header)
    }

    #[inline(always)]
    fn add_all(self, bytes: &[u8]) -> Self {
        let mut sum = self.0;
        let mut add = |word: u64| {
            let (total, carry) = sum.overflowing_add(word);
            sum = total + u64::from(carry);
        };
        let (blocks, rest) = bytes.as_chunks::<32>();
        for block in blocks {
            let (words, _) = block.as_chunks::<8>();
            words.iter().for_each(|word| add(u64::from_ne_bytes(*word)));
        }
        let (words, rest) = rest.as_chunks::<8>();
        words.iter().for_each(|word| add(u64::from_ne_bytes(*word)));
        // The rest as a word with zeros behind it, which add nothing. Mostly there are eight bytes up to the end, of which
        // those that were added before are shifted out.
        let last = match bytes.last_chunk() {
            Some(last) => (u128::from(u64::from_le_bytes(*last)) << (8 * rest.len()) >> 64) as u64,
            None => padded(rest),
        };
        add(u64::from_ne_bytes(last.to_le_bytes()));
        Self(sum)
    }

    /// As bytes for a header whose checksum somebody else completes.
    pub fn partial(self) -> [u8; 2] {
        // Each half is added to the other, so that the upper one has the carry too.
        let half = (self.0.wrapping_add(self.0.rotate_left(32)) >> 32) as u32;
        let quarter = (half.wrapping_add(half.rotate_left(16)) >> 16) as u16;
        quarter.to_ne_bytes()
    }

    /// As bytes for a header that had zeros there.
    pub fn complement(self) -> [u8; 2] {
        self.partial().map(|byte| !byte)
    }

    /// Whether bytes that hold their own checksum are whole.
    pub fn holds(self) -> bool {
        self.partial() == [0xff; 2]
    }
}

/// Less than eight bytes as a little-endian word, zeros behind them.
fn padded(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}
