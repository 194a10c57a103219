//! Thousands of distinct functions, made without a compiler: each answers with its own number, which it computes from a
//! constant in its own code, so that a function that runs in another's place is noticed.

use std::path::{Path, PathBuf};
use std::{env, fs, io, process};

use mayfly_abi::call::Call;
use mayfly_abi::domain::{PROGRAM_BASE, RESPONSE_BASE, RESPONSE_BODY};

use crate::{Exchange, Request};

/// Where the code lies in a program's file: behind the file header and one program header.
const CODE_OFFSET: u64 = 64 + 56;
/// Where a function writes its response's body. All addresses in a domain fit in 32 bits.
const BODY: u32 = (RESPONSE_BASE + RESPONSE_BODY) as u32;
/// What comes before the number in an answer.
const TEXT: &[u8; 9] = b"function ";

/// Folders of functions, removed when this is dropped.
#[derive(Debug)]
pub struct Folders(PathBuf);

impl Folders {
    /// Writes the folders of functions number 0 to `count - 1`, in memory where the system offers that: disks take long
    /// for thousands of files.
    pub fn write(count: u32) -> io::Result<Self> {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { env::temp_dir() };
        let folders = Self(parent.join(format!("mayfly-many-{}", process::id())));
        for number in 0..count {
            let folder = folders.0.join(name(number));
            fs::create_dir_all(&folder)?;
            let manifest = format!("name = \"{}\"\nprogram = \"function.elf\"\n", name(number));
            fs::write(folder.join("mayfly.toml"), manifest)?;
            fs::write(folder.join("function.elf"), program(number))?;
        }
        Ok(folders)
    }

    /// The folder that holds them.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folders {
    fn drop(&mut self) {
        // If it fails, there is nobody left to tell.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What function `number` is asked, and its only right answer.
pub fn exchange(number: u32) -> Exchange {
    Exchange::bytes(Request::get(format!("/{}", name(number))), format!("function {number}\n"))
}

fn name(number: u32) -> String {
    format!("many-{number}")
}

/// The program of function `number`: an ELF executable with one segment, its code.
fn program(number: u32) -> Vec<u8> {
    let code = code(number);
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(16, 0);
    elf.extend([2, 0, 62, 0, 1, 0, 0, 0]); // executable, x86-64, version
    for word in [PROGRAM_BASE, 64, 0] {
        elf.extend(word.to_le_bytes()); // entry, program headers, no section headers
    }
    elf.extend([0; 4]);
    for half in [64_u16, 56, 1, 0, 0, 0] {
        elf.extend(half.to_le_bytes()); // lengths of the header and of a program header, and how many there are
    }
    elf.extend([1, 0, 0, 0, 5, 0, 0, 0]); // to be loaded, R-X
    for word in [CODE_OFFSET, PROGRAM_BASE, PROGRAM_BASE, code.len() as u64, code.len() as u64, 1] {
        elf.extend(word.to_le_bytes()); // offset, addresses, lengths, alignment in the file
    }
    elf.extend(code);
    elf
}

/// Writes "function NUMBER\n" to the response window, the digits by way of the stack, and responds.
fn code(number: u32) -> Vec<u8> {
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
    code.extend([0x8d, 0x97]); // lea edx, [rdi - BODY]: bytes of body
    code.extend(BODY.wrapping_neg().to_le_bytes());
    code.extend([0x31, 0xf6]); // xor esi, esi: no headers
    code.extend([0xbf, 200, 0, 0, 0]); // mov edi, 200
    code.extend([0xb8, Call::Respond as u8, 0, 0, 0]); // mov eax, Respond
    code.extend([0x0f, 0x05, 0x0f, 0x0b]); // syscall; ud2, for it never comes back
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_differ_and_fit_in_a_page() {
        assert_ne!(program(1), program(256));
        assert!(code(u32::MAX).len() <= 4096);
    }
}
