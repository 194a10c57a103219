//! Short text for the kernel: log lines and the message of a failure, formatted on the stack and cut to length.

use core::fmt;

use mayfly_abi::call::{LOG_MAX, Reason};

use crate::call;

/// Writes one line to the machine's console; what goes beyond 1024 bytes is cut off. [`log!`](crate::log!) formats it.
pub fn log(text: impl fmt::Display) {
    // The line holds at most what the kernel takes, from memory of ours: there is no reason left to refuse it.
    let _ = call::log(Line::new(&text).as_bytes());
}

/// Ends the invocation without a response; the client gets 502, or 507 if the reason is a lack of memory. The text goes
/// to the machine's console.
pub(crate) fn fail(reason: Reason, text: impl fmt::Display) -> ! {
    // One piece of code for all kinds of text: every function carries it.
    fn fail(reason: Reason, text: &dyn fmt::Display) -> ! {
        call::fail(reason, Line::new(text).as_bytes())
    }
    fail(reason, &text)
}

/// At most [`LOG_MAX`] bytes of UTF-8.
pub(crate) struct Line {
    bytes: [u8; LOG_MAX as usize],
    len: usize,
}

impl Line {
    /// Formats `text` and keeps as many whole characters from its start as fit.
    pub(crate) fn new(text: &dyn fmt::Display) -> Self {
        let mut line = Self { bytes: [0; LOG_MAX as usize], len: 0 };
        // An error means that the line is full, or that `text` gave up on itself: what is there is what we have.
        let _ = fmt::write(&mut line, format_args!("{text}"));
        line
    }

    /// What was kept.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.len() - self.len;
        let kept = text.floor_char_boundary(room);
        self.bytes[self.len..self.len + kept].copy_from_slice(&text.as_bytes()[..kept]);
        self.len += kept;
        if kept == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_keeps_whole_characters_up_to_its_limit() {
        assert_eq!(Line::new(&format_args!("{} + {}", 1, "two")).as_bytes(), b"1 + two");
        let filler = core::str::from_utf8(&[b'x'; LOG_MAX as usize - 1]).expect("ASCII");
        assert_eq!(Line::new(&format_args!("{filler}y")).as_bytes().len(), 1024);
        let cut = Line::new(&format_args!("{filler}ü!"));
        assert_eq!(cut.as_bytes(), filler.as_bytes(), "half a character, or what follows it, is not kept");
    }
}
