//! Text into a fixed buffer without the formatting machinery: the kernel's answers and console lines.

use core::fmt;

/// Appends to a buffer. What does not fit is dropped and remembered as [`Writer::truncated`]; nothing fails midway.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut [u8],
    len: usize,
    truncated: bool,
}

impl<'a> Writer<'a> {
    /// A writer that starts at the beginning of `out`.
    pub fn new(out: &'a mut [u8]) -> Self {
        Self { out, len: 0, truncated: false }
    }

    /// Appends all of `bytes`, or as many as fit.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let room = &mut self.out[self.len..];
        let fits = bytes.len().min(room.len());
        room[..fits].copy_from_slice(&bytes[..fits]);
        self.len += fits;
        self.truncated |= fits < bytes.len();
    }

    /// Appends `value` in base ten.
    pub fn decimal(&mut self, mut value: u64) {
        let mut digits = [0; 20];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + (value % 10) as u8;
            value /= 10;
            if value == 0 {
                break;
            }
        }
        self.bytes(&digits[at..]);
    }

    /// Bytes written so far.
    pub fn written(&self) -> usize {
        self.len
    }

    /// Whether anything did not fit.
    pub fn truncated(&self) -> bool {
        self.truncated
    }
}

impl fmt::Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_without_padding() {
        for (value, text) in [(0, "0"), (9, "9"), (10, "10"), (65_536, "65536"), (u64::MAX, "18446744073709551615")] {
            let mut out = [0; 32];
            let mut writer = Writer::new(&mut out);
            writer.decimal(value);
            let len = writer.written();
            assert_eq!(&out[..len], text.as_bytes());
        }
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_remembered() {
        let mut out = [0; 4];
        let mut writer = Writer::new(&mut out);
        writer.bytes(b"abc");
        assert!(!writer.truncated());
        writer.bytes(b"def");
        writer.bytes(b"");
        assert!(writer.truncated());
        assert_eq!(writer.written(), 4);
        assert_eq!(&out, b"abcd");
    }
}
