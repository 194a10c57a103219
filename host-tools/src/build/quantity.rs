//! Sizes and times the way manifests write them.

/// Bytes that a size such as "512", "64K" or "4M" stands for.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    let (digits, shift) = match text.strip_suffix('K') {
        Some(digits) => (digits, 10),
        None => text.strip_suffix('M').map_or((text, 0), |digits| (digits, 20)),
    };
    parse_number(digits)?.checked_mul(1 << shift)
}

/// Milliseconds that a time such as "250ms", "2s" or "5min" stands for.
pub(super) fn parse_time_ms(text: &str) -> Option<u64> {
    let (digits, ms) = if let Some(digits) = text.strip_suffix("ms") {
        (digits, 1)
    } else if let Some(digits) = text.strip_suffix("min") {
        (digits, 60_000)
    } else {
        (text.strip_suffix('s')?, 1000)
    };
    parse_number(digits)?.checked_mul(ms)
}

/// A decimal number without a sign, which `parse` alone would let pass.
fn parse_number(digits: &str) -> Option<u64> {
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

/// A size the way a manifest writes it.
pub fn show_size(bytes: u64) -> String {
    match bytes {
        0 => "0".into(),
        _ if bytes.is_multiple_of(1 << 20) => format!("{}M", bytes >> 20),
        _ if bytes.is_multiple_of(1 << 10) => format!("{}K", bytes >> 10),
        _ => bytes.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_bytes_kib_or_mib() {
        assert_eq!(parse_size("512"), Some(512));
        assert_eq!(parse_size("64K"), Some(64 << 10));
        assert_eq!(parse_size("4M"), Some(4 << 20));
        for wrong in ["", "K", "-1", "+1", "1.5M", "4 M", "4G", "4k", "4MB", "99999999999999999M"] {
            assert_eq!(parse_size(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn times_need_a_unit() {
        assert_eq!(parse_time_ms("250ms"), Some(250));
        assert_eq!(parse_time_ms("2s"), Some(2000));
        assert_eq!(parse_time_ms("15min"), Some(900_000));
        for wrong in ["", "5", "s", "ms", "-1s", "1m", "1h", "1.5s", "99999999999999999999s"] {
            assert_eq!(parse_time_ms(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_size_is_shown_as_it_would_be_written() {
        for bytes in [0, 1, 1000, 1 << 10, 68 << 10, 1 << 20, 512 << 20] {
            assert_eq!(parse_size(&show_size(bytes)), Some(bytes));
        }
        assert_eq!(show_size(68 << 10), "68K");
    }
}
