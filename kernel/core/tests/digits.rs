//! Numbers in text.

use mayfly_core::digits::{decimal, scan};

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
fn text_is_read_by_its_form_and_to_its_end() {
    assert_eq!(scan(b"D/H@H", b"12/feB0@ffffffffffffffff"), Some([12, 0xfeb0, u64::MAX, 0, 0]));
    assert_eq!(scan(b"U:U:U", b"3:4K:5M"), Some([3, 4 << 10, 5 << 20, 0, 0]));
    for (form, text) in [
        (&b"D"[..], &b""[..]),
        (b"D", b"1K"),
        (b"D", b"f"),
        (b"U", b"1KK"),
        (b"U", b"18446744073709551615K"),
        (b"H", b"10000000000000000"),
        (b"D.D", b"1."),
        (b"D.D", b"1/2"),
        (b"D.D", b"1.2."),
        (b"DxDxDxDxDxD", b"1x2x3x4x5x6"),
    ] {
        assert_eq!(scan(form, text), None, "{}", text.escape_ascii());
    }
}
