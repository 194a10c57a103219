//! Writes an initramfs: a cpio archive in the `newc` format, as Linux's Documentation/driver-api/early-userspace/buffer-format.rst has it.

/// Types in the upper bits of a mode.
const DIRECTORY: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
/// Headers and contents begin at multiples of this.
const ALIGN: usize = 4;

/// An archive that is being written.
#[derive(Debug, Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    /// Adds a folder. What is in it follows it.
    pub(super) fn directory(&mut self, name: &str) {
        self.entry(name, DIRECTORY | 0o755, &[]);
    }

    /// Adds a file with these rights.
    pub(super) fn file(&mut self, name: &str, rights: u32, contents: &[u8]) {
        self.entry(name, FILE | rights, contents);
    }

    /// The archive's bytes.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }

    fn entry(&mut self, name: &str, mode: u32, contents: &[u8]) {
        self.entries += 1;
        // A file of 4 GiB would not fit into the machine either.
        let (len, name_len) = (contents.len() as u32, name.len() as u32 + 1);
        // Inode, mode, owner, group, links, time, length, device, device of a device file, name's length, checksum.
        let fields = [self.entries, mode, 0, 0, 1, 0, len, 0, 0, 0, 0, name_len, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(contents);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGN), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name, mode and contents of each entry but the trailer, read as Linux reads them.
    fn read(archive: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
        let mut entries = Vec::new();
        let mut at = 0;
        loop {
            assert_eq!(&archive[at..at + 6], b"070701");
            let field = |number: usize| {
                let digits = &archive[at + 6 + 8 * number..][..8];
                u32::from_str_radix(std::str::from_utf8(digits).expect("ASCII"), 16).expect("a number")
            };
            let name = &archive[at + 110..][..field(11) as usize];
            let name = String::from_utf8(name[..name.len() - 1].to_vec()).expect("ASCII");
            let start = (at + 110 + name.len() + 1).next_multiple_of(4);
            let end = start + field(6) as usize;
            if name == "TRAILER!!!" {
                assert_eq!(end.next_multiple_of(4), archive.len());
                return entries;
            }
            entries.push((name, field(1), archive[start..end].to_vec()));
            at = end.next_multiple_of(4);
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut archive = Archive::default();
        archive.directory("modules");
        archive.file("init", 0o755, b"#!");
        archive.file("modules/0.ko", 0o644, &[7; 1001]);
        let expected = [
            ("modules".to_owned(), 0o040_755, vec![]),
            ("init".to_owned(), 0o100_755, b"#!".to_vec()),
            ("modules/0.ko".to_owned(), 0o100_644, vec![7; 1001]),
        ];
        assert_eq!(read(&archive.finish()), expected);
    }
}
