//! Machines whose firmware has left broken tables or broken PCI functions: a few instructions before the image's first one
//! change them.

use std::fs;
use std::path::{Path, PathBuf};

use mayfly_abi::PAGE;
use mayfly_abi::boot::LEDGER;

use crate::{Guest, images};

/// Where the instructions lie: in the hole below the kernel's stack.
const CODE: u32 = (LEDGER + PAGE) as u32;
/// Low memory that nobody uses once the firmware is done: for the first pointer, and for the start info.
const POINTER: u32 = 0x3_0000;
const START_INFO: u32 = 0x3_1000;
const START_INFO_LEN: u32 = 56;
/// Offset in it of the first pointer's address.
const START_INFO_POINTER: u32 = 32;

/// A word of a PCI function's configuration space in which bits are flipped. (PCI Local Bus 3.0, 3.2.2.3.2)
#[derive(Clone, Copy, Debug)]
pub struct Flip {
    /// Bus, device and function.
    pub function: (u8, u8, u8),
    /// The word's offset.
    pub offset: u8,
    /// The bits.
    pub bits: u32,
}

/// Ports of configuration space: an address, and the word there. In the address: it is one.
const ADDRESS: u16 = 0xcf8;
const DATA: u16 = 0xcfc;
const ENABLED: u32 = 1 << 31;

impl Flip {
    /// Instructions that do it, by EAX and EDX.
    fn code(self) -> Vec<u8> {
        let (bus, device, number) = self.function;
        let [bus, device, number, offset] = [bus, device, number, self.offset & !3].map(u32::from);
        let address = ENABLED | bus << 16 | device << 11 | number << 8 | offset;
        // mov eax, address; mov dx, ADDRESS; out dx, eax; mov dx, DATA; in eax, dx; xor eax, bits; out dx, eax
        let mut code = vec![0xb8];
        code.extend(address.to_le_bytes());
        code.extend([0x66, 0xba]);
        code.extend(ADDRESS.to_le_bytes());
        code.extend([0xef, 0x66, 0xba]);
        code.extend(DATA.to_le_bytes());
        code.extend([0xed, 0x35]);
        code.extend(self.bits.to_le_bytes());
        code.push(0xef);
        code
    }
}

/// The tables of a machine, as its firmware leaves them in memory.
#[derive(Clone, Debug)]
pub struct Tables {
    /// The first pointer.
    pub pointer: Vec<u8>,
    /// Every table: its physical address, its bytes as they are, and as they are to be.
    tables: Vec<(u32, Vec<u8>, Vec<u8>)>,
}

impl Tables {
    /// The tables of a machine that runs; it has less than 3 GiB of memory, and its first pointer is of the first version.
    pub fn of(guest: &Guest) -> Self {
        let read = |address: u32, len: u32| {
            let mut bytes = vec![0; len as usize];
            guest.machine().memory().read(address.into(), &mut bytes).expect("the firmware's tables are in memory");
            bytes
        };
        let whole = |address| (address, read(address, number(&read(address + 4, 4), 0)));
        let places = (0xe_0000..0x10_0000).step_by(16);
        let at = places.clone().find(|at| read(*at, 8) == b"RSD PTR ").expect("the firmware leaves a pointer");
        let pointer = read(at, 20);
        let root = whole(number(&pointer, 16));
        let mut tables: Vec<_> = root.1[36..].chunks(4).map(|entry| whole(number(entry, 0))).collect();
        tables.push(root);
        Self { pointer, tables: tables.into_iter().map(|(address, bytes)| (address, bytes.clone(), bytes)).collect() }
    }

    /// Signatures of the tables.
    pub fn signatures(&self) -> Vec<[u8; 4]> {
        self.tables.iter().map(|(_, bytes, _)| *bytes.first_chunk().expect("a table has a signature")).collect()
    }

    /// The bytes of a table, to be changed.
    pub fn table(&mut self, signature: &[u8; 4]) -> &mut Vec<u8> {
        let found = self.tables.iter_mut().find(|(_, bytes, _)| bytes.starts_with(signature));
        &mut found.unwrap_or_else(|| panic!("no table {}", signature.escape_ascii())).2
    }

    /// A copy of an image that finds these tables and the functions with these flips, beside the other images.
    pub fn install(&self, flips: &[Flip], image: &Path, name: &str) -> PathBuf {
        let mut elf = fs::read(image).expect("it was built");
        let entry = replace_entry(&mut elf);
        add_segment(&mut elf, &self.code(flips, entry));
        let path = images::place(name);
        fs::write(&path, elf).expect("a file beside the images can be written");
        path
    }

    /// Changes the functions, the tables and the start info, and goes on at `entry`. 32-bit mode, paging off, EBX: start info.
    fn code(&self, flips: &[Flip], entry: u32) -> Vec<u8> {
        let mut code: Vec<_> = flips.iter().flat_map(|flip| flip.code()).collect();
        let mut bytes = |bytes: &[u8]| code.extend_from_slice(bytes);
        // mov esi, ebx; mov edi, START_INFO; mov ecx, LEN; rep movsb; mov ebx, START_INFO
        bytes(&[0x89, 0xde, 0xbf]);
        bytes(&START_INFO.to_le_bytes());
        bytes(&[0xb9]);
        bytes(&START_INFO_LEN.to_le_bytes());
        bytes(&[0xf3, 0xa4, 0xbb]);
        bytes(&START_INFO.to_le_bytes());
        // mov dword [START_INFO + …], POINTER
        bytes(&[0xc7, 0x05]);
        bytes(&(START_INFO + START_INFO_POINTER).to_le_bytes());
        bytes(&POINTER.to_le_bytes());
        let pointer = self.pointer.iter().enumerate().map(|(at, byte)| (POINTER + at as u32, *byte));
        let changed = self.tables.iter().flat_map(|(address, is, to_be)| {
            let differs = is.iter().zip(to_be).enumerate().filter(|(_, (is, to_be))| is != to_be);
            differs.map(|(at, (_, byte))| (*address + at as u32, *byte))
        });
        for (address, byte) in pointer.chain(changed) {
            // mov byte [address], byte
            bytes(&[0xc6, 0x05]);
            bytes(&address.to_le_bytes());
            bytes(&[byte]);
        }
        // mov eax, entry; jmp eax
        bytes(&[0xb8]);
        bytes(&entry.to_le_bytes());
        bytes(&[0xff, 0xe0]);
        assert!(code.len() as u64 <= PAGE, "too many changes");
        code
    }
}

/// Makes the bytes of a table or pointer add up to zero, by the one at an offset.
pub fn repair(bytes: &mut [u8], at: usize) {
    bytes[at] = bytes[at].wrapping_sub(bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte)));
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(*bytes[at..].first_chunk().expect("four bytes"))
}

fn word(bytes: &[u8], at: usize) -> usize {
    u64::from_le_bytes(*bytes[at..].first_chunk().expect("eight bytes")) as usize
}

/// Bytes of a program header, and where the ELF header says where they are and how many.
const HEADER: usize = 56;
const HEADERS_AT: usize = 32;
const HEADERS: usize = 56;

/// The program headers' offsets in an ELF file.
fn headers(elf: &[u8]) -> impl Iterator<Item = usize> + use<> {
    let (start, count) = (word(elf, HEADERS_AT), usize::from(elf[HEADERS]));
    (0..count).map(move |index| start + index * HEADER)
}

/// Has a machine start at [`CODE`]; the image's own entry.
fn replace_entry(elf: &mut [u8]) -> u32 {
    let note = headers(elf).find(|header| number(elf, *header) == 4).expect("an image has a note");
    // Behind lengths, type and name ("Xen").
    let at = word(elf, note + 8) + 16;
    let entry = number(elf, at);
    elf[at..at + 4].copy_from_slice(&CODE.to_le_bytes());
    entry
}

/// Adds a segment with code. The headers go to the file's end, for there is no room behind them.
fn add_segment(elf: &mut Vec<u8>, code: &[u8]) {
    let offset = elf.len() as u64;
    let old: Vec<u8> = headers(elf).flat_map(|header| elf[header..header + HEADER].to_vec()).collect();
    elf.extend_from_slice(code);
    elf.resize(elf.len().next_multiple_of(8), 0);
    let start = elf.len() as u64;
    elf.extend(old);
    // To be loaded; readable and executable; offset, address twice, length twice, alignment.
    elf.extend([1_u32, 5].into_iter().flat_map(u32::to_le_bytes));
    let len = code.len() as u64;
    elf.extend([offset, CODE.into(), CODE.into(), len, len, 4].into_iter().flat_map(u64::to_le_bytes));
    elf[HEADERS_AT..HEADERS_AT + 8].copy_from_slice(&start.to_le_bytes());
    elf[HEADERS] += 1;
}
