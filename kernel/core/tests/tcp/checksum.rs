//! The sum of many bytes at a time, against one of two bytes at a time.

use mayfly_core::tcp::checksum::Sum;
use proptest::prelude::*;

/// As RFC 1071 says it.
fn naive(bytes: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

proptest! {
    #[test]
    fn it_is_what_the_rfc_says(mut bytes in prop::collection::vec(any::<u8>(), 0..300), cut in 0_usize..150) {
        let (first, rest) = bytes.split_at((2 * cut).min(bytes.len()));
        let sum = Sum::default().with(first).with(rest);
        prop_assert_eq!(u16::from_be_bytes(sum.partial()), naive(&bytes));
        prop_assert_eq!(u16::from_be_bytes(sum.complement()), !naive(&bytes));

        if bytes.len() % 2 == 1 {
            bytes.push(0);
        }
        let checksum = Sum::default().with(&bytes).complement();
        bytes.extend(checksum);
        prop_assert!(Sum::default().with(&bytes).holds());
    }
}

#[test]
fn no_carry_is_lost_however_many_there_are() {
    for len in [2, 64, 65534, 65536, 1 << 20] {
        assert_eq!(Sum::default().with(&vec![0xff; len]).partial(), [0xff; 2]);
    }
}
