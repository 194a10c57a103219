//! What each byte may be part of. A table, because every byte of a head is looked up.

use crate::at_once::at_once;

/// What a token is made of: a method, a field name (RFC 9110, 5.6.2).
pub(super) const TOKEN: u8 = 1 << 0;
/// A field value: the tab, and anything but controls (RFC 9110, 5.5).
pub(super) const VALUE: u8 = 1 << 1;
/// A host's name: no user, no port, no path, no white space (RFC 3986, 3.2.2).
pub(super) const HOST: u8 = 1 << 2;
/// A request target as it may arrive: anything but controls and blanks.
pub(super) const VISIBLE: u8 = 1 << 3;
/// A member of a list: what a value is made of, but for the comma.
pub(super) const MEMBER: u8 = 1 << 5;
/// A segment of a path: anything but the slash that ends it.
pub(super) const SEGMENT: u8 = 1 << 6;
/// A path in ASCII, as far as neither query nor fragment begins.
pub(super) const PATH: u8 = 1 << 4;

static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = class(byte as u8);
        byte += 1;
    }
    classes
};

const fn class(byte: u8) -> u8 {
    let alphanumeric = byte.is_ascii_alphanumeric();
    let token = alphanumeric || is_one_of(byte, b"!#$%&'*+-.^_`|~");
    let host = alphanumeric || is_one_of(byte, b"-._~%!$&'()*+,;=");
    let value = byte == b'\t' || (byte >= b' ' && byte != 0x7f);
    let visible = byte > b' ' && byte != 0x7f;
    let path = visible && byte.is_ascii() && !is_one_of(byte, b"?#");
    (token as u8 * TOKEN)
        | (value as u8 * VALUE)
        | (host as u8 * HOST)
        | (visible as u8 * VISIBLE)
        | (path as u8 * PATH)
        | ((value && byte != b',') as u8 * MEMBER)
        | ((byte != 0 && byte != b'/') as u8 * SEGMENT)
}

const fn is_one_of(byte: u8, set: &[u8]) -> bool {
    let mut at = 0;
    while at < set.len() {
        if set[at] == byte {
            return true;
        }
        at += 1;
    }
    false
}

/// Whether the byte may stand in a token: a method, a field name (RFC 9110, 5.6.2).
pub(super) fn is_token(byte: u8) -> bool {
    CLASSES[usize::from(byte)] & TOKEN != 0
}

/// Whether the byte may stand in a field value: the tab, and anything but controls (RFC 9110, 5.5).
pub(super) fn is_value(byte: u8) -> bool {
    CLASSES[usize::from(byte)] & VALUE != 0
}

/// Where the run of bytes of `class` ends that starts at `at`, and the byte that ends it: 0, which is of no class, at the
/// end of the input.
///
/// Kept apart, as is [`line`]: inlined, it would be new code to the CPU at each place that reads something.
#[inline(never)]
pub(super) fn run(input: &[u8], at: usize, class: u8) -> (usize, u8) {
    let mut end = at;
    while let Some(byte) = input.get(end) {
        if CLASSES[usize::from(*byte)] & class == 0 {
            return (end, *byte);
        }
        end += 1;
    }
    (input.len(), 0)
}

/// A field line, with the white space around its value.
pub(super) struct Line<'a> {
    pub(super) name: &'a [u8],
    pub(super) value: &'a [u8],
    /// Where the next line starts.
    pub(super) next: usize,
}

/// What is wrong with a field line.
pub(super) enum Bad {
    /// It does not start with a token and a colon.
    Name,
    /// Its value holds a control, or does not end in CR LF.
    Value,
}

/// The field line that starts at `at` (RFC 9112, 5). A folded line starts with a bad name.
#[inline(never)]
pub(super) fn line(input: &[u8], at: usize) -> Result<Line<'_>, Bad> {
    let (name_end, colon) = run(input, at, TOKEN);
    if at_once((colon != b':') | (name_end == at)) {
        return Err(Bad::Name);
    }
    let (value_end, end) = run(input, words_without_control(input, name_end + 1), VALUE);
    if at_once((end != b'\r') | (input.get(value_end + 1) != Some(&b'\n'))) {
        return Err(Bad::Value);
    }
    Ok(Line { name: &input[at..name_end], value: &input[name_end + 1..value_end], next: value_end + 2 })
}

/// A value without the white space around it.
#[inline(never)]
pub(super) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// How far from `at` there are words of eight bytes without a control among them.
fn words_without_control(input: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const TOPS: u64 = ONES << 7;
    while let Some(word) = input.get(at..).and_then(<[u8]>::first_chunk) {
        let word = u64::from_le_bytes(*word);
        // The subtraction borrows into a byte's top bit if the byte is below a space, or is 0x7f. It may do so in the
        // byte above too; then the bytes are looked at one by one, as a tab makes it necessary anyway.
        let not_delete = word ^ (ONES * 0x7f);
        let low = word.wrapping_sub(ONES * 0x20) & !word;
        let delete = not_delete.wrapping_sub(ONES) & !not_delete;
        if (low | delete) & TOPS != 0 {
            break;
        }
        at += 8;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_ends_at_its_first_control_wherever_that_stands() {
        for len in 0..32 {
            for at in 0..len {
                for byte in 0..=255 {
                    let mut value = [b'v'; 35];
                    value[..2].copy_from_slice(b"n:");
                    value[2 + len..].fill(b'\r');
                    value[2 + at] = byte;
                    let (end, stop) = run(&value, words_without_control(&value, 2), VALUE);
                    let expected = if is_value(byte) { (2 + len, b'\r') } else { (2 + at, byte) };
                    assert_eq!((end, stop), expected, "{byte:#x} at {at} of {len}");
                }
            }
        }
    }

    #[test]
    fn the_end_of_the_input_ends_every_run() {
        for at in 0..5 {
            assert_eq!(run(b"abc", at, TOKEN), (3, 0), "from {at}");
        }
        assert_eq!(CLASSES[0], 0);
    }
}
