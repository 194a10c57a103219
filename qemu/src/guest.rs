//! Guests of a few instructions, assembled by hand: the accelerator's probe, and what tests boot when the kernel is not the subject.

use mayfly_abi::boot::{LEDGER, LOADER};
use mayfly_abi::exit::{CONSOLE_PORT, EXIT_PORT};
use mayfly_abi::ledger::Phase;

/// Where the code lies in the ELF file: behind the headers and the note.
const CODE_OFFSET: usize = 0x1000;

/// A guest's code, in 32-bit mode with paging off, as a PVH machine starts it. Each method adds a step.
#[derive(Clone, Debug, Default)]
pub struct Guest {
    code: Vec<u8>,
}

impl Guest {
    /// A guest without any step.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes the TSC to the phase's place in the ledger.
    #[must_use]
    pub fn stamp(self, phase: Phase) -> Self {
        let address = (LEDGER + phase.offset() as u64) as u32;
        // rdtsc; mov [address + 4], edx; mov [address], eax
        self.bytes(&[0x0f, 0x31, 0x89, 0x15]).number(address + 4).bytes(&[0xa3]).number(address)
    }

    /// Prints on QEMU's debug console.
    #[must_use]
    pub fn print(self, text: &str) -> Self {
        // mov al, byte; out CONSOLE_PORT, al
        text.bytes().fold(self, |guest, byte| guest.bytes(&[0xb0, byte, 0xe6, CONSOLE_PORT as u8]))
    }

    /// Counts down from `iterations`: two instructions each.
    #[must_use]
    pub fn count(self, iterations: u32) -> Self {
        // mov ecx, iterations; dec ecx; jnz to the dec
        self.bytes(&[0xb9]).number(iterations).bytes(&[0x49, 0x75, 0xfd])
    }

    /// Ends QEMU with the status `value * 2 + 1`.
    #[must_use]
    pub fn exit(self, value: u32) -> Self {
        // mov eax, value; out EXIT_PORT, eax
        self.bytes(&[0xb8]).number(value).bytes(&[0xe7, EXIT_PORT as u8])
    }

    /// Raises an exception with nobody to handle it, which resets the machine.
    #[must_use]
    pub fn triple_fault(self) -> Self {
        // ud2
        self.bytes(&[0x0f, 0x0b])
    }

    /// The guest as an ELF with a PVH note, which QEMU's `-kernel` boots. After the last step it halts.
    pub fn elf(&self) -> Vec<u8> {
        // cli; hlt; jmp to the hlt
        let code = self.clone().bytes(&[0xfa, 0xf4, 0xeb, 0xfd]).code;
        let headers = 64 + 2 * 56;

        let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
        elf.resize(16, 0);
        for half in [2_u16, 62] {
            elf.extend(half.to_le_bytes()); // executable, x86-64
        }
        elf.extend(1_u32.to_le_bytes());
        for word in [LOADER, 64, 0] {
            elf.extend(word.to_le_bytes()); // entry, program headers, no section headers
        }
        elf.extend(0_u32.to_le_bytes());
        for half in [64_u16, 56, 2, 0, 0, 0] {
            elf.extend(half.to_le_bytes());
        }
        program_header(&mut elf, 1, 5, CODE_OFFSET as u64, LOADER, code.len() as u64);
        program_header(&mut elf, 4, 4, headers, 0, 20);
        for number in [4_u32, 4, 18] {
            elf.extend(number.to_le_bytes()); // the note's name, its value, its type: PVH entry
        }
        elf.extend(b"Xen\0");
        elf.extend((LOADER as u32).to_le_bytes());
        elf.resize(CODE_OFFSET, 0);
        elf.extend(code);
        elf
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.code.extend(bytes);
        self
    }

    fn number(self, number: u32) -> Self {
        self.bytes(&number.to_le_bytes())
    }
}

fn program_header(elf: &mut Vec<u8>, kind: u32, flags: u32, offset: u64, address: u64, len: u64) {
    elf.extend(kind.to_le_bytes());
    elf.extend(flags.to_le_bytes());
    for word in [offset, address, address, len, len, 4] {
        elf.extend(word.to_le_bytes());
    }
}
