//! Numbers written as digits: checked, without signs or separators, read where they stand in other text.

/// Reads text from its start, piece by piece. Each piece is there or the text is not of the form that was expected.
#[derive(Clone, Copy, Debug)]
pub struct Scanner<'a> {
    rest: &'a [u8],
}

impl<'a> Scanner<'a> {
    /// A scanner at the start of `text`.
    pub fn new(text: &'a [u8]) -> Self {
        Self { rest: text }
    }

    /// The number that the digits here spell in `base`, at most sixteen. `None` if there is no digit, or if the number
    /// exceeds a `u64`.
    pub fn number(&mut self, base: u64) -> Option<u64> {
        let mut value = digit(*self.rest.first()?, base)?;
        self.rest = &self.rest[1..];
        while let [byte, rest @ ..] = self.rest {
            let Some(digit) = digit(*byte, base) else { break };
            value = value.checked_mul(base)?.checked_add(digit)?;
            self.rest = rest;
        }
        Some(value)
    }

    /// Steps over `byte`. `None` if something else is here.
    pub fn skip(&mut self, byte: u8) -> Option<()> {
        self.rest = self.rest.strip_prefix(&[byte])?;
        Some(())
    }

    /// `None` unless all has been read.
    pub fn end(&self) -> Option<()> {
        self.rest.is_empty().then_some(())
    }
}

/// The number that `digits` spells in base ten. `None` if it is empty, holds anything but digits, or exceeds a `u64`.
pub fn decimal(digits: &[u8]) -> Option<u64> {
    let mut scanner = Scanner::new(digits);
    let value = scanner.number(10)?;
    scanner.end()?;
    Some(value)
}

/// The value of one digit in `base`.
pub fn digit(byte: u8, base: u64) -> Option<u64> {
    let value = match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        _ => return None,
    };
    Some(u64::from(value)).filter(|value| *value < base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digits_that_fit_are_a_number() {
        assert_eq!(decimal(b"0"), Some(0));
        assert_eq!(decimal(b"007"), Some(7));
        assert_eq!(decimal(b"18446744073709551615"), Some(u64::MAX));
        for bad in [&b""[..], b"+1", b"-1", b" 1", b"1 ", b"0x1", b"1_0", b"1a", b"18446744073709551616"] {
            assert_eq!(decimal(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_scanner_reads_what_is_there_and_no_more() {
        let mut scanner = Scanner::new(b"12/feB0@ffffffffffffffff");
        assert_eq!(scanner.number(10), Some(12));
        assert_eq!(scanner.number(10), None);
        assert_eq!(scanner.skip(b':'), None);
        assert_eq!(scanner.skip(b'/'), Some(()));
        assert_eq!(scanner.number(16), Some(0xfeb0));
        assert_eq!(scanner.end(), None);
        assert_eq!(scanner.skip(b'@'), Some(()));
        assert_eq!(scanner.number(16), Some(u64::MAX));
        assert_eq!(scanner.end(), Some(()));
        assert_eq!(scanner.number(16), None);
        assert_eq!(Scanner::new(b"10000000000000000").number(16), None);
    }
}
