//! Takes the kernel out of a bzImage, so that no machine has to unpack it while it boots.

/// Where the boot protocol has its fields: Linux's Documentation/arch/x86/boot.rst.
const SETUP_SECTORS: usize = 0x1f1;
const MAGIC: usize = 0x202;
const PAYLOAD_OFFSET: usize = 0x248;
const PAYLOAD_LEN: usize = 0x24c;
/// What the LZ4 format that the kernel uses begins with; blocks of up to [`BLOCK`] bytes follow, each after its length.
const LZ4: u32 = 0x184c_2102;
const BLOCK: usize = 8 << 20;

/// The ELF file in a bzImage, if it is packed with LZ4 as Debian's is. Otherwise the machine has to unpack it.
pub(super) fn unpack(image: &[u8]) -> Option<Vec<u8>> {
    if image.get(MAGIC..MAGIC + 4)? != b"HdrS" {
        return None;
    }
    let setup = (usize::from(image[SETUP_SECTORS]) + 1) * 512;
    let payload = image.get(setup + number(image, PAYLOAD_OFFSET)? as usize..)?;
    let payload = payload.get(..number(image, PAYLOAD_LEN)? as usize)?;
    // Behind the blocks stands the length of what they hold.
    let (blocks, len) = payload.split_at_checked(payload.len().checked_sub(4)?)?;
    if number(blocks, 0)? != LZ4 {
        return None;
    }
    let mut kernel = Vec::new();
    let mut at = 4;
    while at < blocks.len() {
        let end = at + 4 + number(blocks, at)? as usize;
        kernel.extend(lz4_flex::block::decompress(blocks.get(at + 4..end)?, BLOCK).ok()?);
        at = end;
    }
    (kernel.len() == number(len, 0)? as usize && kernel.starts_with(b"\x7fELF")).then_some(kernel)
}

/// The little-endian number at `at`.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bzImage with one sector of set-up and `kernel` in two blocks.
    fn image(kernel: &[u8]) -> Vec<u8> {
        let mut payload = LZ4.to_le_bytes().to_vec();
        for block in kernel.chunks(kernel.len() / 2 + 1) {
            let packed = lz4_flex::block::compress(block);
            payload.extend((packed.len() as u32).to_le_bytes());
            payload.extend(packed);
        }
        payload.extend((kernel.len() as u32).to_le_bytes());
        let mut image = vec![0; 1024];
        image[SETUP_SECTORS] = 1;
        image[MAGIC..MAGIC + 4].copy_from_slice(b"HdrS");
        image[PAYLOAD_LEN..PAYLOAD_LEN + 4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        image.extend(payload);
        image
    }

    #[test]
    fn a_packed_kernel_is_taken_out_whole() {
        let kernel: Vec<u8> = b"\x7fELF".iter().copied().chain((0..30_000u32).map(|at| (at / 7) as u8)).collect();
        assert_eq!(unpack(&image(&kernel)), Some(kernel));
    }

    #[test]
    fn what_is_no_kernel_or_damaged_is_left_alone() {
        let good = image(b"\x7fELF and more");
        assert!(unpack(&good).is_some());
        assert_eq!(unpack(&image(b"not an ELF file")), None);
        assert_eq!(unpack(b"MZ"), None);
        for len in [0, 0x24c, 1024, good.len() - 1] {
            assert_eq!(unpack(&good[..len]), None, "{len}");
        }
        let mut longer = good.clone();
        let last = longer.len() - 4;
        longer[last] += 1;
        assert_eq!(unpack(&longer), None);
    }
}
