//! Functions that are made without a compiler, thousands in a second: benchmarks and tests need many that differ.

use std::path::Path;

use mayfly_abi::PAGE;
use mayfly_abi::call::Call;
use mayfly_abi::domain::{PROGRAM_BASE, RESPONSE_BASE, RESPONSE_BODY};
use object::Endianness;
use object::elf;
use object::write::elf::{FileHeader, ProgramHeader, Writer};

use super::manifest::Manifest;
use super::program::Function;

/// Where a function writes its response's body. All addresses in a domain fit in 32 bits.
const BODY: u32 = (RESPONSE_BASE + RESPONSE_BODY) as u32;
/// What comes before the number in an answer.
const TEXT: &[u8; 9] = b"function ";
/// What programs are filled up with: code that breaks who runs it.
const FILLER: u8 = 0xcc;
/// Pages of private memory that the manifest allows beside the data.
const SPARE_PAGES: u32 = 16;

/// A function that can be generated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// Its name and route.
    pub name: String,
    /// What it does.
    pub work: Work,
    /// Pages of its program, of which the first has code.
    pub pages: u32,
}

/// What a generated function does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Answers without a body. It writes to no page.
    Nothing,
    /// Answers with a text that names this number, which it computes from a constant in its own code: a function that runs in
    /// another's place is noticed.
    Number(u32),
    /// Writes to so many pages of data that start as zeros, then answers without a body.
    Dirty(u32),
}

impl Work {
    /// The body of its answer.
    pub fn answer(self) -> String {
        match self {
            Self::Number(number) => format!("function {number}\n"),
            Self::Nothing | Self::Dirty(_) => String::new(),
        }
    }

    /// Pages of data that it needs.
    fn data_pages(self) -> u32 {
        match self {
            Self::Dirty(pages) => pages,
            Self::Nothing | Self::Number(_) => 0,
        }
    }

    /// `data`: the first address of its data.
    fn code(self, data: u32) -> Vec<u8> {
        match self {
            Self::Nothing => respond(&[0x31, 0xd2]), // xor edx, edx: no body
            Self::Number(number) => say(number),
            Self::Dirty(pages) => dirty(pages, data),
        }
    }
}

impl Generated {
    /// Its program: an ELF executable of code, and of data if it has some.
    pub fn program(&self) -> Result<Vec<u8>, object::write::Error> {
        let len = u64::from(self.pages.max(1)) * PAGE;
        let (data, data_len) = (PROGRAM_BASE + len, u64::from(self.work.data_pages()) * PAGE);
        let mut code = self.work.code(data as u32);
        code.resize(code.len().max(if self.pages > 1 { len as usize } else { 0 }), FILLER);
        let code = Part { address: PROGRAM_BASE, flags: elf::PF_R.0 | elf::PF_X.0, bytes: &code, memory_len: 0 };
        let data = Part { address: data, flags: elf::PF_R.0 | elf::PF_W.0, bytes: &[], memory_len: data_len };
        let parts = [code, data];
        executable(PROGRAM_BASE, if data_len > 0 { &parts } else { &parts[..1] })
    }

    /// Its manifest, for a program of this name beside it.
    pub fn manifest(&self, program: &str) -> String {
        let manifest = format!("name = \"{}\"\nprogram = \"{program}\"\n", self.name);
        match self.work.data_pages() {
            0 => manifest,
            pages => format!("{manifest}memory = \"{}\"\n", u64::from(pages + SPARE_PAGES) * PAGE),
        }
    }

    /// The function, ready to be put into an image.
    pub(crate) fn function(&self) -> anyhow::Result<Function> {
        let manifest = Manifest::parse(&self.manifest("generated"), Path::new(&self.name))?;
        Ok(Function::new(manifest, &self.program()?)?)
    }
}

/// Writes "function NUMBER\n" to the response window, the digits by way of the stack, and responds.
fn say(number: u32) -> Vec<u8> {
    let [n0, n1, n2, n3] = number.to_le_bytes();
    let [b0, b1, b2, b3] = BODY.to_le_bytes();
    let mut code = vec![0xbf, b0, b1, b2, b3]; // mov edi, BODY
    for byte in TEXT {
        code.extend([0xb0, *byte, 0xaa]); // mov al, byte; stosb
    }
    code.extend([0xb8, n0, n1, n2, n3]); // mov eax, number
    code.extend([0xb9, 10, 0, 0, 0]); // mov ecx, 10
    code.extend([0x31, 0xdb]); // xor ebx, ebx
    code.extend([0x31, 0xd2, 0xf7, 0xf1]); // digit: xor edx, edx; div ecx
    code.extend([0x52, 0xff, 0xc3]); // push rdx; inc ebx
    code.extend([0x85, 0xc0, 0x75, 0xf5]); // test eax, eax; jnz digit
    code.extend([0x58, 0x04, b'0', 0xaa]); // put: pop rax; add al, '0'; stosb
    code.extend([0xff, 0xcb, 0x75, 0xf8]); // dec ebx; jnz put
    code.extend([0xb0, b'\n', 0xaa]); // mov al, '\n'; stosb
    let [c0, c1, c2, c3] = BODY.wrapping_neg().to_le_bytes();
    code.extend(respond(&[0x8d, 0x97, c0, c1, c2, c3])); // lea edx, [rdi - BODY]: bytes of body
    code
}

/// Writes a byte to each of so many pages from `data` on, and responds.
fn dirty(pages: u32, data: u32) -> Vec<u8> {
    let mut code = vec![0xba]; // mov edx, data
    code.extend(data.to_le_bytes());
    code.push(0xb9); // mov ecx, pages
    code.extend(pages.to_le_bytes());
    code.extend([0x85, 0xc9, 0x74, 0x0d]); // test ecx, ecx; jz done
    code.extend([0xc6, 0x02, 1]); // page: mov byte ptr [rdx], 1
    code.extend([0x81, 0xc2]); // add edx, PAGE
    code.extend((PAGE as u32).to_le_bytes());
    code.extend([0xff, 0xc9, 0x75, 0xf3]); // dec ecx; jnz page
    code.extend(respond(&[0x31, 0xd2])); // done: xor edx, edx: no body
    code
}

/// Responds with 200. `len`: code that puts the length of the body into edx.
fn respond(len: &[u8]) -> Vec<u8> {
    let mut code = len.to_vec();
    code.extend([0x31, 0xf6]); // xor esi, esi: no headers
    code.extend([0xbf, 200, 0, 0, 0]); // mov edi, 200
    code.extend([0xb8, Call::Respond as u8, 0, 0, 0]); // mov eax, Respond
    code.extend([0x0f, 0x05, 0x0f, 0x0b]); // syscall; ud2, for it never comes back
    code
}

/// A segment of an executable that is written.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) address: u64,
    /// As in a program header.
    pub(crate) flags: u32,
    pub(crate) bytes: &'a [u8],
    /// Bytes in memory, if there are more than those in the file.
    pub(crate) memory_len: u64,
}

/// A static executable.
pub(crate) fn executable(entry: u64, parts: &[Part<'_>]) -> Result<Vec<u8>, object::write::Error> {
    let mut out = Vec::new();
    let mut writer = Writer::new(Endianness::Little, true, &mut out);
    writer.reserve_file_header();
    writer.reserve_program_headers(parts.len() as u32);
    let offsets: Vec<u64> = parts.iter().map(|part| writer.reserve(part.bytes.len() as u64, 16)).collect();
    let header = FileHeader { e_type: elf::ET_EXEC, e_machine: elf::EM_X86_64, e_entry: entry, ..Default::default() };
    writer.write_file_header(&header)?;
    writer.write_align_program_headers();
    for (part, offset) in parts.iter().zip(&offsets) {
        writer.write_program_header(&ProgramHeader {
            p_type: elf::PT_LOAD,
            p_flags: elf::ProgramFlags(part.flags),
            p_offset: *offset,
            p_vaddr: part.address,
            p_paddr: part.address,
            p_filesz: part.bytes.len() as u64,
            p_memsz: part.memory_len.max(part.bytes.len() as u64),
            p_align: PAGE,
        });
    }
    for (part, offset) in parts.iter().zip(&offsets) {
        writer.pad_until(*offset);
        writer.write(part.bytes);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generated(work: Work, pages: u32) -> Generated {
        Generated { name: "made".to_owned(), work, pages }
    }

    #[test]
    fn programs_differ_and_are_as_long_as_asked() {
        let program = |number| generated(Work::Number(number), 1).program().expect("written");
        assert_ne!(program(1), program(256));
        for (pages, len) in [(1, PAGE), (16, 16 * PAGE), (256, 256 * PAGE)] {
            for work in [Work::Nothing, Work::Number(u32::MAX)] {
                assert_eq!(generated(work, pages).function().expect("valid").image_len(), len);
            }
        }
    }

    #[test]
    fn what_is_written_to_is_data_that_takes_nothing_in_the_image_and_that_the_manifest_allows() {
        let function = generated(Work::Dirty(64), 1).function().expect("valid");
        let [code, data] = function.segments.as_slice() else { panic!("two segments") };
        assert_eq!((data.address, u64::from(data.memory_len), data.bytes.len()), (PROGRAM_BASE + PAGE, 64 * PAGE, 0));
        assert!(data.write && code.execute && !code.write);
        assert!(function.manifest.memory >= 64 * PAGE);
        assert_eq!(generated(Work::Dirty(0), 1).function().expect("valid").segments.len(), 1);
    }

    #[test]
    fn jumps_lead_to_where_the_comments_say() {
        let code = dirty(2, 0x24_2000);
        let target = |jump: usize| (jump as i64 + 2 + i64::from(code[jump + 1] as i8)) as usize;
        let page = code.windows(3).position(|bytes| bytes == [0xc6, 0x02, 1]).expect("it writes");
        let done = code.windows(2).position(|bytes| bytes == [0x31, 0xd2]).expect("it responds");
        let jump =
            |opcode: u8, from: usize| from + code[from..].iter().position(|byte| *byte == opcode).expect("a jump");
        assert_eq!(target(jump(0x74, 10)), done);
        assert_eq!(target(jump(0x75, page)), page);
    }
}
