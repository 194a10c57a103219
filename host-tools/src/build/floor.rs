//! The smallest guest there is: it stamps its first instruction and halts. Boots are measured against it.

use mayfly_abi::boot::{LEDGER, LOADER};
use mayfly_abi::ledger::Phase;

use super::image::{self, Load};

/// An image that stores the TSC as [`Phase::Entry`] in the ledger and halts for good. It has no boot block, no kernel
/// and no functions.
pub fn floor_image() -> Result<Vec<u8>, object::write::Error> {
    // Both words lie below 4 GiB.
    let low = (LEDGER as u32 + Phase::Entry.offset() as u32).to_le_bytes();
    let high = (LEDGER as u32 + Phase::Entry.offset() as u32 + 4).to_le_bytes();
    let code = [
        [0x0f, 0x31].as_slice(), // rdtsc
        &[0x89, 0x15],           // mov [high], edx: first, so that whoever sees the low half sees all
        &high,
        &[0xa3], // mov [low], eax
        &low,
        &[0xfa],       // cli
        &[0xf4],       // hlt
        &[0xeb, 0xfc], // jmp back to cli
    ]
    .concat();
    let code = Load { address: LOADER, memory_len: code.len() as u64, write: false, execute: true, bytes: code };
    image::write(LOADER as u32, &[code])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::elf;

    #[test]
    fn the_code_stamps_the_entry_phase() {
        let image = floor_image().expect("written");
        let read = elf::read(&image).expect("readable");
        let [code] = read.segments.as_slice() else { panic!("one segment") };
        assert_eq!((read.entry, code.physical), (LOADER, LOADER));
        let word = |at: usize| u32::from_le_bytes(code.bytes[at..at + 4].try_into().expect("four bytes"));
        assert_eq!((word(4), word(9)), (0x11_1014, 0x11_1010), "high, then low");
        assert_eq!(code.bytes.len() as i8 + code.bytes[16] as i8, 13, "the jump reaches `cli`");
        assert_eq!(code.bytes[13], 0xfa);
    }
}
