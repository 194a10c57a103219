//! Text into a fixed buffer: the kernel's answers.

use core::fmt;

/// Appends to a buffer. What does not fit is dropped; nothing fails midway.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl<'a> Writer<'a> {
    /// A writer that starts at the beginning of `out`.
    pub fn new(out: &'a mut [u8]) -> Self {
        Self { out, len: 0 }
    }

    /// Appends all of `bytes`, or as many as fit.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let room = &mut self.out[self.len..];
        let fits = bytes.len().min(room.len());
        room[..fits].copy_from_slice(&bytes[..fits]);
        self.len += fits;
    }

    /// Bytes written so far.
    pub fn written(&self) -> usize {
        self.len
    }
}

impl fmt::Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}
