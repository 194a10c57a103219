//! Writes a stopped domain as an ELF core, as Linux would have for a process: `gdb PROGRAM CORE` opens it.

use mayfly_abi::fault::FaultRecord;
use object::elf;

use super::pages::Pages;
use crate::build::image::{Load, note, write_elf};
use crate::image_file::text;

/// Owner of the notes that every Unix writes into cores.
const OWNER: &[u8] = b"CORE\0";
/// Length of Linux's `elf_prstatus` on x86-64, and where in it the fields that matter are.
const STATUS_LEN: usize = 336;
const STATUS_SIGNAL: usize = 0;
const STATUS_CURRENT_SIGNAL: usize = 12;
const STATUS_PID: usize = 32;
const STATUS_REGISTERS: usize = 112;
/// Length of Linux's `elf_prpsinfo` on x86-64, and where in it the fields that matter are.
const INFO_LEN: usize = 136;
const INFO_PID: usize = 24;
const INFO_NAME: std::ops::Range<usize> = 40..56;
const INFO_ARGUMENTS: std::ops::Range<usize> = 56..INFO_LEN;
/// Selectors of Linux's ring 3: a debugger takes them for 64-bit code.
const CODE_SELECTOR: u64 = 0x33;
const DATA_SELECTOR: u64 = 0x2b;
/// In the place of the number of a system call: there was none.
const NO_CALL: u64 = u64::MAX;
/// A debugger wants one.
const PID: u32 = 1;

/// The core of a domain that has these pages and has stopped with this fault in `function`.
pub fn core_file(fault: &FaultRecord, function: &str, pages: Vec<Pages>) -> Result<Vec<u8>, object::write::Error> {
    let mut notes = note(OWNER, elf::NT_PRSTATUS.0, &status(fault));
    notes.extend(note(OWNER, elf::NT_PRPSINFO.0, &info(fault, function)));
    let loads: Vec<Load> = pages
        .into_iter()
        .map(|Pages { address, write, execute, bytes }| Load { execute, ..Load::data(address, write, bytes) })
        .collect();
    write_elf(elf::ET_CORE, 0, notes, &loads)
}

fn status(fault: &FaultRecord) -> Vec<u8> {
    let signal = signal(fault);
    let mut status = vec![0; STATUS_LEN];
    put(&mut status, STATUS_SIGNAL, &signal.to_le_bytes());
    put(&mut status, STATUS_CURRENT_SIGNAL, &signal.to_le_bytes());
    put(&mut status, STATUS_PID, &PID.to_le_bytes());
    for (at, value) in registers(fault).into_iter().enumerate() {
        put(&mut status, STATUS_REGISTERS + 8 * at, &value.to_le_bytes());
    }
    status
}

/// What a debugger shows as the command that was run.
fn info(fault: &FaultRecord, function: &str) -> Vec<u8> {
    let arguments = format!("{function}, fault {}: {}", fault.id, text(&fault.name));
    let mut info = vec![0; INFO_LEN];
    put(&mut info, INFO_PID, &PID.to_le_bytes());
    // gdb compares the first with the name of the executable's file.
    for (field, value) in [(INFO_NAME, format!("{function}.elf")), (INFO_ARGUMENTS, arguments)] {
        // The last byte stays zero.
        let len = value.len().min(field.len() - 1);
        put(&mut info, field.start, &value.as_bytes()[..len]);
    }
    info
}

fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    out[at..at + bytes.len()].copy_from_slice(bytes);
}

/// The registers in the order of Linux's `user_regs_struct`.
fn registers(fault: &FaultRecord) -> [u64; 27] {
    let [rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15] = fault.registers;
    let general = [r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi];
    let control = [NO_CALL, fault.rip, CODE_SELECTOR, fault.flags, fault.rsp, DATA_SELECTOR];
    // Then the bases of FS and GS, and DS, ES, FS and GS.
    let mut all = [0; 27];
    all[..15].copy_from_slice(&general);
    all[15..21].copy_from_slice(&control);
    all
}

/// The signal that Linux would have sent.
fn signal(fault: &FaultRecord) -> u32 {
    const SIGILL: u32 = 4;
    const SIGTRAP: u32 = 5;
    const SIGABRT: u32 = 6;
    const SIGBUS: u32 = 7;
    const SIGFPE: u32 = 8;
    const SIGSEGV: u32 = 11;
    const SIGALRM: u32 = 14;
    match fault.vector {
        0 | 16 | 19 => SIGFPE,
        1 | 3 => SIGTRAP,
        6 => SIGILL,
        17 => SIGBUS,
        2..32 => SIGSEGV,
        // An interrupt is the timer's, which ends what runs past its limit.
        32..256 => SIGALRM,
        // After a call: it gave up.
        _ => SIGABRT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mayfly_abi::wire::Wire;
    use object::LittleEndian;
    use object::elf::FileHeader64;
    use object::read::elf::{FileHeader, ProgramHeader};

    const ENDIAN: LittleEndian = LittleEndian;

    fn fault(vector: u64) -> FaultRecord {
        let zeros = FaultRecord::get(&[0; FaultRecord::SIZE]);
        let registers = std::array::from_fn(|at| 100 + at as u64);
        let mut name = [0; 24];
        name[..11].copy_from_slice(b"null-access");
        FaultRecord { id: 7, vector, name, rip: 0x24_1234, rsp: 0x23_fff0, flags: 0x202, registers, ..zeros }
    }

    fn word(bytes: &[u8], at: usize) -> u64 {
        u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
    }

    #[test]
    fn a_core_reads_back_with_its_registers_and_memory() {
        let pages = vec![
            Pages { address: 0x23_f000, write: true, execute: false, bytes: vec![1; 4096] },
            Pages { address: 0x24_1000, write: false, execute: true, bytes: vec![2; 8192] },
        ];
        let core = core_file(&fault(14), "f", pages).expect("written");
        let header = FileHeader64::<LittleEndian>::parse(&*core).expect("a header");
        assert_eq!((header.e_type(ENDIAN), header.e_machine(ENDIAN)), (elf::ET_CORE, elf::EM_X86_64));
        let [notes, stack, code] = header.program_headers(ENDIAN, &*core).expect("headers") else { panic!("three") };
        assert_eq!((stack.p_vaddr(ENDIAN), stack.p_flags(ENDIAN).0, stack.p_memsz(ENDIAN)), (0x23_f000, 6, 4096));
        assert_eq!((code.p_vaddr(ENDIAN), code.p_flags(ENDIAN).0), (0x24_1000, 5));
        assert_eq!(code.data(ENDIAN, &*core).expect("in the file"), [2; 8192]);

        let mut notes = notes.notes(ENDIAN, &*core).expect("readable").expect("notes");
        let status = notes.next().expect("readable").expect("a first note");
        assert_eq!((status.name(), status.n_type(ENDIAN)), (b"CORE".as_slice(), elf::NT_PRSTATUS));
        let status = status.desc();
        assert_eq!((status.len(), status[0], status[12]), (336, 11, 11));
        let register = |at: usize| word(status, 112 + 8 * at);
        assert_eq!((register(0), register(4), register(10)), (114, 106, 100), "r15, rbp, rax");
        assert_eq!((register(16), register(18), register(19)), (0x24_1234, 0x202, 0x23_fff0), "rip, flags, rsp");
        assert_eq!((register(15), register(17), register(20)), (u64::MAX, 0x33, 0x2b));
        let info = notes.next().expect("readable").expect("a second note");
        assert_eq!(info.desc()[40..46], *b"f.elf\0");
        assert_eq!(text(&info.desc()[56..]), "f, fault 7: null-access");
    }

    #[test]
    fn each_kind_of_fault_has_the_signal_that_it_has_on_linux() {
        let expected =
            [(0, 8), (1, 5), (3, 5), (6, 4), (13, 11), (14, 11), (16, 8), (17, 7), (19, 8), (32, 14), (256, 6)];
        for (vector, number) in expected {
            assert_eq!(signal(&fault(vector)), number, "vector {vector}");
        }
    }

    #[test]
    fn a_long_name_is_cut_off() {
        let core = core_file(&fault(14), &"n".repeat(100), vec![]).expect("written");
        assert!(core.len() > INFO_LEN);
    }
}
