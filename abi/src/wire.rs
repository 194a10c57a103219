//! Fixed little-endian byte layouts: one macro makes the struct, its size, its writer and its reader.

/// A value with a fixed size and a fixed byte order.
pub trait Wire: Sized {
    /// Size in bytes.
    const SIZE: usize;

    /// Writes the value to the first [`Wire::SIZE`] bytes of `out`. Panics if `out` is shorter.
    fn put(&self, out: &mut [u8]);

    /// Reads a value from the first [`Wire::SIZE`] bytes of `bytes`. Panics if `bytes` is shorter.
    fn get(bytes: &[u8]) -> Self;
}

impl Wire for u32 {
    const SIZE: usize = 4;

    fn put(&self, out: &mut [u8]) {
        out[..4].copy_from_slice(&self.to_le_bytes());
    }

    fn get(bytes: &[u8]) -> Self {
        let mut raw = [0; 4];
        raw.copy_from_slice(&bytes[..4]);
        Self::from_le_bytes(raw)
    }
}

impl Wire for u64 {
    const SIZE: usize = 8;

    fn put(&self, out: &mut [u8]) {
        out[..8].copy_from_slice(&self.to_le_bytes());
    }

    fn get(bytes: &[u8]) -> Self {
        let mut raw = [0; 8];
        raw.copy_from_slice(&bytes[..8]);
        Self::from_le_bytes(raw)
    }
}

impl<const N: usize> Wire for [u8; N] {
    const SIZE: usize = N;

    fn put(&self, out: &mut [u8]) {
        out[..N].copy_from_slice(self);
    }

    fn get(bytes: &[u8]) -> Self {
        let mut raw = [0; N];
        raw.copy_from_slice(&bytes[..N]);
        raw
    }
}

impl<const N: usize> Wire for [u64; N] {
    const SIZE: usize = 8 * N;

    fn put(&self, out: &mut [u8]) {
        for (at, word) in self.iter().enumerate() {
            word.put(&mut out[8 * at..]);
        }
    }

    fn get(bytes: &[u8]) -> Self {
        core::array::from_fn(|at| u64::get(&bytes[8 * at..]))
    }
}

/// Makes a `repr(C)` struct whose fields lie one after another, and its [`Wire`] implementation.
///
/// The macro refuses to compile a layout with padding: the sum of the fields must be the struct's size.
macro_rules! layout {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident : $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(C)]
        pub struct $name { $($(#[$field_meta])* pub $field: $type,)* }

        impl $crate::wire::Wire for $name {
            const SIZE: usize = 0 $(+ <$type as $crate::wire::Wire>::SIZE)*;

            #[allow(unused_assignments, reason = "the last field's step is not read")]
            fn put(&self, out: &mut [u8]) {
                let mut at = 0;
                $(
                    $crate::wire::Wire::put(&self.$field, &mut out[at..]);
                    at += <$type as $crate::wire::Wire>::SIZE;
                )*
            }

            #[allow(unused_assignments, reason = "the last field's step is not read")]
            fn get(bytes: &[u8]) -> Self {
                let mut at = 0;
                $(
                    let $field = <$type as $crate::wire::Wire>::get(&bytes[at..]);
                    at += <$type as $crate::wire::Wire>::SIZE;
                )*
                Self { $($field,)* }
            }
        }

        const _: () = assert!(
            core::mem::size_of::<$name>() == <$name as $crate::wire::Wire>::SIZE,
            "the layout has padding: reorder or add a reserved field"
        );
    };
}
pub(crate) use layout;

/// Makes a `repr(u32)` enum, the list of all its values, and the checked way back from a number.
macro_rules! numbers {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$value_meta:meta])* $value:ident = $number:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum $name { $($(#[$value_meta])* $value = $number,)* }

        impl $name {
            /// Every value, in the order of its number.
            pub const ALL: &'static [Self] = &[$(Self::$value,)*];
        }

        impl TryFrom<u64> for $name {
            /// The number that means nothing here.
            type Error = u64;

            fn try_from(number: u64) -> Result<Self, u64> {
                match number {
                    $($number => Ok(Self::$value),)*
                    other => Err(other),
                }
            }
        }
    };
}
pub(crate) use numbers;

/// Checksum of `bytes`, eight at a time (FNV-1a over little-endian words, the last one padded with zeros).
///
/// Each step is a bijection of the state, so a change within any one word is always noticed. It guards against
/// damage, not against malice.
pub fn checksum(bytes: &[u8]) -> u64 {
    let mut state: u64 = 0xcbf2_9ce4_8422_2325;
    let mut step = |word| state = (state ^ u64::from_le_bytes(word)).wrapping_mul(0x0000_0100_0000_01b3);
    let (words, tail) = bytes.as_chunks();
    words.iter().copied().for_each(&mut step);
    if !tail.is_empty() {
        let mut last = [0; 8];
        last[..tail.len()].copy_from_slice(tail);
        step(last);
    }
    state
}

#[cfg(test)]
mod tests {
    use super::checksum;

    #[test]
    fn the_checksum_of_known_bytes_is_pinned() {
        let bytes: [u8; 61] = core::array::from_fn(|at| at as u8);
        assert_eq!(checksum(&bytes), 0x0816_8aa4_adff_6165);
        assert_eq!(checksum(&bytes[..56]), 0x161e_e68f_e44b_adbf);
        assert_eq!(checksum(&[]), 0xcbf2_9ce4_8422_2325);
    }

    #[test]
    fn one_flipped_bit_anywhere_changes_the_checksum() {
        let bytes = [0x5a; 61];
        let clean = checksum(&bytes);
        for at in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[at / 8] ^= 1 << (at % 8);
            assert_ne!(checksum(&flipped), clean, "bit {at}");
        }
    }
}
