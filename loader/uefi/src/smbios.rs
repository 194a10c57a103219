//! Words for the kernel's command line from the machine itself: an OEM string that starts with [`PREFIX`] (SMBIOS 3.6, type
//! 11). A virtual machine is given it on its own command line: `-smbios type=11,value=mayfly.cmd=WORDS`.

/// What such a string starts with.
pub const PREFIX: &[u8] = b"mayfly.cmd=";
const OEM_STRINGS: u8 = 11;
const END: u8 = 127;

/// Physical address and length of the structures, as an entry point says: of version 3 (SMBIOS 3.6, 5.2.2) or 2 (5.2.1).
/// `None` if it is neither.
pub fn structures(entry_point: &[u8]) -> Option<(u64, usize)> {
    let (address, len) = if entry_point.starts_with(b"_SM3_") {
        (u64::from_le_bytes(*entry_point.get(16..)?.first_chunk()?), word(entry_point, 12)?)
    } else if entry_point.starts_with(b"_SM_") {
        (u64::from(word(entry_point, 24)?), u32::from(u16::from_le_bytes(*entry_point.get(22..)?.first_chunk()?)))
    } else {
        return None;
    };
    Some((address, len as usize))
}

/// The words in the first OEM string for us, without the prefix.
pub fn words(mut structures: &[u8]) -> Option<&[u8]> {
    while let [kind, len, ..] = *structures {
        // Behind the formatted part come strings, each ended by a zero, and one zero more; without strings, two zeros.
        let strings = structures.get(usize::from(len)..)?;
        let end = strings.windows(2).position(|pair| pair == [0, 0])?;
        if kind == OEM_STRINGS
            && let Some(words) = strings[..end].split(|byte| *byte == 0).find_map(|text| text.strip_prefix(PREFIX))
        {
            return Some(words);
        }
        if kind == END {
            return None;
        }
        structures = &strings[end + 2..];
    }
    None
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"\x01\x06\x00\x01\x01\x02maker\0model\0\0\
        \x20\x04\x01\x01\0\0\
        \x0b\x05\x02\x01\x02other=1\0mayfly.cmd=ip=10.0.0.2/24 tsc_hz=5\0\0\
        \x7f\x04\x03\x01\0\0";

    #[test]
    fn the_words_are_found_among_other_strings() {
        assert_eq!(words(TABLE), Some(b"ip=10.0.0.2/24 tsc_hz=5".as_slice()));
    }

    #[test]
    fn tables_without_words_or_cut_off_have_none() {
        let without = TABLE.iter().map(|byte| if *byte == b'=' { b'-' } else { *byte });
        assert_eq!(words(&without.collect::<std::vec::Vec<_>>()), None);
        for len in 0..TABLE.len() - 7 {
            let words = words(&TABLE[..len]);
            assert!(words.is_none() || len > 70, "{len}: {words:?}");
        }
        assert_eq!(words(b"\x0b\x05\x02\x01\x02"), None, "the strings are missing");
        assert_eq!(words(b"\x0b\x00\0\0"), None, "a length that leads nowhere");
        assert_eq!(words(&[0; 64]), None);
    }

    #[test]
    fn both_kinds_of_entry_point_say_where_the_structures_are() {
        let mut three = *b"_SM3_\0\x18\x03\x06\0\x01\0\0\x02\0\0\x00\x10\xfe\x7f\x01\0\0\0";
        assert_eq!(structures(&three), Some((0x1_7ffe_1000, 512)));
        three[2] = b'X';
        assert_eq!(structures(&three), None);
        let two = b"_SM_\0\x1f\x02\x08\0\0\0\0\0\0\0\0_DMI_\0\x40\x01\x00\x20\x0f\0\x09\0\x28";
        assert_eq!(structures(two), Some((0xf_2000, 320)));
        assert_eq!(structures(&two[..20]), None);
    }
}
