//! Numbers written as digits: checked, without signs, read where they stand in other text.

/// Numbers that [`scan`] reads at the most.
pub const NUMBERS_MAX: usize = 5;
/// What [`scan`] has read, in order; zeros behind the last.
pub type Numbers = [u64; NUMBERS_MAX];

/// Reads the numbers in `text`, which must be wholly of a form: `D` stands for a number in base ten, `H` for one in
/// base sixteen, `U` for one in base ten with an optional unit `K` or `M` (2^10, 2^20), and any other byte for itself.
///
/// One loop for every form, since each block of code costs the boot more than each byte it reads. `None` if the text is
/// not of the form, or if a number exceeds a `u64`. A form with more than [`NUMBERS_MAX`] numbers has no texts.
#[inline(never)]
pub fn scan(form: &[u8], text: &[u8]) -> Option<Numbers> {
    let mut numbers = [0; NUMBERS_MAX];
    let mut places = numbers.iter_mut();
    let mut rest = text;
    for what in form {
        let base = match what {
            b'D' | b'U' => 10,
            b'H' => 16,
            literal => {
                rest = rest.split_first().filter(|(first, _)| *first == literal)?.1;
                continue;
            }
        };
        let place = places.next()?;
        (*place, rest) = number(rest, base)?;
        if *what == b'U'
            && let [unit @ (b'K' | b'M'), behind @ ..] = rest
        {
            *place = place.checked_mul(if *unit == b'K' { 1 << 10 } else { 1 << 20 })?;
            rest = behind;
        }
    }
    rest.is_empty().then_some(numbers)
}

/// The number at the start of `text`, and what follows it. `None` if there is no digit, or if it exceeds a `u64`.
#[inline(never)]
fn number(text: &[u8], base: u64) -> Option<(u64, &[u8])> {
    let (mut value, mut rest) = (0u64, text);
    while let [byte, behind @ ..] = rest
        && let Some(digit) = digit(*byte, base)
    {
        value = value.checked_mul(base)?.checked_add(digit)?;
        rest = behind;
    }
    (rest.len() < text.len()).then_some((value, rest))
}

/// The number that `digits` spells in base ten. `None` if it is empty, holds anything but digits, or exceeds a `u64`.
pub fn decimal(digits: &[u8]) -> Option<u64> {
    number(digits, 10).and_then(|(value, rest)| rest.is_empty().then_some(value))
}

/// Values of bytes as digits; what is none has a value that no base has.
const DIGITS: [u8; 256] = {
    let mut values = [u8::MAX; 256];
    let mut value = 0;
    while value < 10 {
        values[b'0' as usize + value as usize] = value;
        value += 1;
    }
    while value < 16 {
        values[b'a' as usize + value as usize - 10] = value;
        values[b'A' as usize + value as usize - 10] = value;
        value += 1;
    }
    values
};

/// The value of one digit in `base`, which is at most sixteen.
pub fn digit(byte: u8, base: u64) -> Option<u64> {
    let value = u64::from(DIGITS[usize::from(byte)]);
    if value < base { Some(value) } else { None }
}
