//! Numbers written as digits: checked, without signs, spaces or separators.

/// The number that `digits` spells in base ten. `None` if it is empty, holds anything but digits, or exceeds a `u64`.
pub fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    let mut value: u64 = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(value)
}

/// The number that `digits` spells in base sixteen, without prefix. `None` as for [`decimal`].
pub fn hexadecimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    let mut value = 0;
    for byte in digits {
        value = push_hexadecimal(value, *byte)?;
    }
    Some(value)
}

/// `value` with one more hexadecimal digit at its end. `None` if `byte` is no digit or the result exceeds a `u64`.
pub fn push_hexadecimal(value: u64, byte: u8) -> Option<u64> {
    let digit = match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        _ => return None,
    };
    if value >> 60 != 0 {
        return None;
    }
    Some(value << 4 | u64::from(digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digits_that_fit_are_a_number() {
        assert_eq!(decimal(b"0"), Some(0));
        assert_eq!(decimal(b"007"), Some(7));
        assert_eq!(decimal(b"18446744073709551615"), Some(u64::MAX));
        for bad in [&b""[..], b"+1", b"-1", b" 1", b"1 ", b"0x1", b"1_0", b"18446744073709551616"] {
            assert_eq!(decimal(bad), None, "{bad:?}");
        }
        assert_eq!(hexadecimal(b"feB00e00"), Some(0xfeb0_0e00));
        assert_eq!(hexadecimal(b"ffffffffffffffff"), Some(u64::MAX));
        for bad in [&b""[..], b"g", b"0x1", b"10000000000000000"] {
            assert_eq!(hexadecimal(bad), None, "{bad:?}");
        }
    }
}
