//! What a stopped domain has in its memory, found by its page tables in the guest's memory.

use std::io;

use mayfly_abi::domain::USER_END;
use mayfly_abi::{PAGE, paging};

/// Levels of tables: the last one's entries are pages.
const LEVELS: u32 = 4;

/// A run of pages with the same rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pages {
    /// First address in the domain.
    pub address: u64,
    /// The function may write there.
    pub write: bool,
    /// The function may execute what is there.
    pub execute: bool,
    /// What is there, whole pages.
    pub bytes: Vec<u8>,
}

/// The pages that a function may use in the address space whose top table is at `page_table`, by address.
///
/// `read` reads the guest's physical memory.
pub fn mapped(read: &impl Fn(u64, &mut [u8]) -> io::Result<()>, page_table: u64) -> io::Result<Vec<Pages>> {
    let mut walk = Walk { read, found: Vec::new() };
    walk.table(page_table, LEVELS, 0, Rights { write: true, execute: true })?;
    Ok(walk.found)
}

/// What all the tables on the way allow.
#[derive(Clone, Copy)]
struct Rights {
    write: bool,
    execute: bool,
}

struct Walk<'a, Read> {
    read: &'a Read,
    found: Vec<Pages>,
}

impl<Read: Fn(u64, &mut [u8]) -> io::Result<()>> Walk<'_, Read> {
    /// Follows the table at `physical`, whose first entry is for the address `start`.
    fn table(&mut self, physical: u64, level: u32, start: u64, rights: Rights) -> io::Result<()> {
        let mut table = [0; PAGE as usize];
        (self.read)(physical, &mut table)?;
        let reach = PAGE << (9 * (level - 1));
        let (entries, _) = table.as_chunks();
        for (entry, address) in entries.iter().zip((start..USER_END).step_by(reach as usize)) {
            let entry = u64::from_le_bytes(*entry);
            if entry & paging::PRESENT == 0 || entry & paging::USER == 0 {
                continue;
            }
            let rights = Rights {
                write: rights.write && entry & paging::WRITE != 0,
                execute: rights.execute && entry & paging::NO_EXECUTE == 0,
            };
            let next = entry & paging::ADDRESS;
            match level {
                1 => self.page(next, address, rights)?,
                // The kernel gives functions no large pages.
                _ if entry & paging::LARGE != 0 => {}
                _ => self.table(next, level - 1, address, rights)?,
            }
        }
        Ok(())
    }

    /// Adds a page to the run that it continues, or begins one.
    fn page(&mut self, physical: u64, address: u64, Rights { write, execute }: Rights) -> io::Result<()> {
        let mut bytes = [0; PAGE as usize];
        (self.read)(physical, &mut bytes)?;
        match self.found.last_mut() {
            Some(run)
                if run.address + run.bytes.len() as u64 == address && run.write == write && run.execute == execute =>
            {
                run.bytes.extend(bytes);
            }
            _ => self.found.push(Pages { address, write, execute, bytes: bytes.to_vec() }),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: u64 = paging::PRESENT | paging::WRITE | paging::USER;
    const CODE: u64 = paging::PRESENT | paging::USER;
    const CONSTANTS: u64 = CODE | paging::NO_EXECUTE;
    const DATA: u64 = CONSTANTS | paging::WRITE;

    /// Physical memory of `(frame, slot, entry)`: each frame's first byte is its number unless a slot says otherwise.
    fn memory(frames: usize, entries: &[(usize, usize, u64)]) -> Vec<u8> {
        let mut memory = vec![0; frames * PAGE as usize];
        memory.chunks_mut(PAGE as usize).zip(0..).for_each(|(frame, number)| frame[4095] = number);
        for (frame, slot, entry) in entries {
            memory[frame * 4096 + slot * 8..][..8].copy_from_slice(&entry.to_le_bytes());
        }
        memory
    }

    fn walk(memory: &[u8]) -> io::Result<Vec<Pages>> {
        let read = |physical: u64, out: &mut [u8]| {
            let rest = memory.get(physical as usize..).and_then(|rest| rest.get(..out.len()));
            out.copy_from_slice(rest.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        };
        mapped(&read, 0)
    }

    fn frame(number: u64) -> u64 {
        number * PAGE
    }

    /// Top, second and third table in frames 0 to 2, and the last one, for the domain's second 2 MiB, in frame 3.
    const WAY: [(usize, usize, u64); 3] = [(0, 0, 0x1000 | TABLE), (1, 0, 0x2000 | TABLE), (2, 1, 0x3000 | TABLE)];

    #[test]
    fn pages_with_the_same_rights_make_one_run() {
        let leaves = [
            (3, 1, frame(4) | DATA),
            (3, 2, frame(5) | DATA),
            (3, 0x41, frame(6) | CODE),
            (3, 0x42, frame(7) | CONSTANTS),
            (3, 0x44, frame(7) | CONSTANTS),
        ];
        let found = walk(&memory(8, &[&WAY[..], &leaves].concat())).expect("all there");
        let runs: Vec<_> = found.iter().map(|run| (run.address, run.write, run.execute, run.bytes.len())).collect();
        assert_eq!(
            runs,
            [
                (0x20_1000, true, false, 8192),
                (0x24_1000, false, true, 4096),
                (0x24_2000, false, false, 4096),
                (0x24_4000, false, false, 4096)
            ]
        );
        assert_eq!((found[0].bytes[4095], found[0].bytes[8191], found[1].bytes[4095]), (4, 5, 6));
    }

    #[test]
    fn what_a_function_may_not_use_is_left_out() {
        let kernels = paging::PRESENT | paging::WRITE;
        let entries = [
            (0, 256, 0x1000 | TABLE),
            (1, 1, 0x2000 | TABLE),
            (2, 0, frame(0) | paging::LARGE | DATA),
            (3, 0, frame(4) | kernels),
            (3, 1, frame(4) | DATA & !paging::PRESENT),
            (3, 2, frame(4) | DATA),
        ];
        let found = walk(&memory(5, &[&WAY[..], &entries].concat())).expect("all there");
        assert_eq!(found.iter().map(|run| (run.address, run.bytes.len())).collect::<Vec<_>>(), [(0x20_2000, 4096)]);
    }

    #[test]
    fn rights_that_a_table_on_the_way_takes_away_are_gone() {
        let way =
            [(0, 0, 0x1000 | TABLE & !paging::WRITE | paging::NO_EXECUTE), WAY[1], WAY[2], (3, 0, frame(4) | TABLE)];
        let found = walk(&memory(5, &way)).expect("all there");
        assert_eq!((found[0].write, found[0].execute), (false, false));
    }

    #[test]
    fn a_table_beyond_the_end_of_memory_is_an_error() {
        assert!(walk(&memory(4, &[&WAY[..2], &[(2, 1, frame(4) | TABLE)]].concat())).is_err());
        assert!(walk(&[]).is_err());
    }
}
