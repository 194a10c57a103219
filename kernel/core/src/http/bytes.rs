//! What each byte may be part of. A table, because every byte of a head is looked up.

const TOKEN: u8 = 1 << 0;
const VALUE: u8 = 1 << 1;
const HOST: u8 = 1 << 2;

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
    let host = alphanumeric || is_one_of(byte, b"-._~%!$&'()*+,;=:[]");
    let value = byte == b'\t' || (byte >= b' ' && byte != 0x7f);
    (token as u8 * TOKEN) | (value as u8 * VALUE) | (host as u8 * HOST)
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

/// How many bytes at the start may stand in a field value. Eight a step, for as long as no control is among them.
pub(super) fn value_len(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const TOPS: u64 = ONES << 7;
    let mut at = 0;
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
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
    bytes[at..].iter().position(|byte| !is_value(*byte)).map_or(bytes.len(), |more| at + more)
}

/// Whether the byte may stand in a host and port: no user, no path, no white space (RFC 3986, 3.2.2).
pub(super) fn is_host(byte: u8) -> bool {
    CLASSES[usize::from(byte)] & HOST != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_ends_at_its_first_control_wherever_that_stands() {
        for len in 0..32 {
            for at in 0..len {
                for byte in 0..=255 {
                    let mut value = [b'v'; 32];
                    value[at] = byte;
                    let expected = if is_value(byte) { len } else { at };
                    assert_eq!(value_len(&value[..len]), expected, "{byte:#x} at {at} of {len}");
                }
            }
        }
    }
}
