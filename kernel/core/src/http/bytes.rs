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

/// Whether the byte may stand in a host and port: no user, no path, no white space (RFC 3986, 3.2.2).
pub(super) fn is_host(byte: u8) -> bool {
    CLASSES[usize::from(byte)] & HOST != 0
}
