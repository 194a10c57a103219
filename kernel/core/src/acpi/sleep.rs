//! How to switch off: two numbers in the DSDT's code, found without an interpreter (ACPI 6.4, 7.4.2 and 20.2).

/// Opcodes: a name, a package, and the integers that a package of constants has.
const NAME: u8 = 0x08;
const PACKAGE: u8 = 0x12;
const ZERO: u8 = 0x00;
const ONE: u8 = 0x01;
const BYTE: u8 = 0x0a;
const WORD: u8 = 0x0b;

/// What switches the machine off when written to the two control registers: the first two elements of `_S5_`.
///
/// The code is searched for the definition as compilers write it: the name, right behind it a package of small constants.
pub fn sleep_types(code: &[u8]) -> Option<[u8; 2]> {
    let mut rest = code;
    loop {
        let at = rest.windows(4).position(|name| name == b"_S5_")?;
        let (before, after) = (&rest[..at], &rest[at + 4..]);
        // The name may be written from the root.
        let before = before.strip_suffix(b"\\").unwrap_or(before);
        if before.last() == Some(&NAME)
            && let Some(types) = package(after)
        {
            return Some(types);
        }
        rest = after;
    }
}

fn package(code: &[u8]) -> Option<[u8; 2]> {
    let (&PACKAGE, rest) = code.split_first()? else { return None };
    // The length's first byte says in its top bits how many follow; then comes the number of elements.
    let rest = rest.get(1 + usize::from(rest.first()? >> 6)..)?;
    let (&elements, rest) = rest.split_first()?;
    let (first, rest) = integer(rest)?;
    let second = if elements > 1 { integer(rest)?.0 } else { first };
    // Three bits of the register take it.
    (first < 8 && second < 8).then_some([first, second])
}

fn integer(code: &[u8]) -> Option<(u8, &[u8])> {
    match *code {
        [ZERO, ref rest @ ..] => Some((0, rest)),
        [ONE, ref rest @ ..] => Some((1, rest)),
        [BYTE, value, ref rest @ ..] => Some((value, rest)),
        [WORD, value, 0, ref rest @ ..] => Some((value, rest)),
        _ => None,
    }
}
