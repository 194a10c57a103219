//! Text into a buffer of fixed length.

use mayfly_core::writer::Writer;

#[test]
fn what_does_not_fit_is_dropped() {
    let mut out = [0; 4];
    let mut writer = Writer::new(&mut out);
    writer.bytes(b"abc");
    writer.bytes(b"def");
    writer.bytes(b"");
    assert_eq!(writer.written(), 4);
    assert_eq!(&out, b"abcd");
}
