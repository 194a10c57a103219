//! From trap to name: the table that docs/abi.md promises to clients.

use mayfly_abi::boot::{DIRECT_MAP, KERNEL_MAP};
use mayfly_abi::domain::{HEAP_BASE, PROGRAM_BASE, REQUEST_BASE, STACK_BASE, STACK_TOP};
use mayfly_core::fault::{Fault, Kind, callers, top};

const RIP: u64 = 0x24_109a;
const PRESENT: u64 = 1;
const WRITE: u64 = 2;
const USER: u64 = 4;
const FETCH: u64 = 16;

fn page_fault(error_code: u64, address: u64) -> Fault {
    Fault::classify(14, error_code | USER, address, RIP)
}

fn text(fault: &Fault) -> String {
    let mut text = String::new();
    fault.describe(&mut text).expect("a String takes everything");
    text
}

#[test]
fn page_faults_are_named_by_access_and_address() {
    let table = [
        (0, 0, "null-access"),
        (WRITE, 0xfff, "null-access"),
        (0, 0x1000, "unmapped"),
        (WRITE, STACK_BASE - 1, "stack-overflow"),
        (0, STACK_BASE - 0x1000, "stack-overflow"),
        (WRITE, STACK_BASE - 0x1_0000, "stack-overflow"),
        (WRITE, STACK_BASE - 0x1_0001, "unmapped"),
        (WRITE, STACK_TOP, "unmapped"),
        (WRITE, HEAP_BASE, "unmapped"),
        (0, (1 << 47) - 1, "unmapped"),
        (WRITE | PRESENT, PROGRAM_BASE, "write-protected"),
        (WRITE | PRESENT, REQUEST_BASE, "write-protected"),
        (FETCH | PRESENT, STACK_TOP - 8, "no-execute"),
        (FETCH, 0, "wild-jump"),
        (FETCH, 0x7777_0000, "wild-jump"),
        (FETCH, STACK_BASE - 8, "wild-jump"),
        (PRESENT, DIRECT_MAP, "kernel-address"),
        (0, KERNEL_MAP, "kernel-address"),
        (WRITE | PRESENT, KERNEL_MAP, "kernel-address"),
        (FETCH | PRESENT, KERNEL_MAP, "kernel-address"),
        (FETCH, u64::MAX, "kernel-address"),
        (0, 1 << 47, "kernel-address"),
        (PRESENT, 0x1000, "kernel-address"),
    ];
    for (error_code, address, name) in table {
        assert_eq!(page_fault(error_code, address).name(), name, "{error_code:#b} {address:#x}");
    }
}

#[test]
fn other_traps_are_named_by_vector() {
    let table = [
        (0, 0, "divide-error"),
        (1, 0, "debug"),
        (3, 0, "breakpoint"),
        (4, 0, "overflow"),
        (5, 0, "bound"),
        (6, 0, "illegal-instruction"),
        (7, 0, "unknown-trap"),
        (11, 0x402, "unknown-trap"),
        (12, 0, "stack-segment"),
        (13, 0, "privileged-instruction"),
        (13, 0x402, "general-protection"),
        (16, 0, "x87"),
        (17, 0, "alignment"),
        (19, 0, "simd"),
        (255, 0, "unknown-trap"),
    ];
    for (vector, error_code, name) in table {
        let fault = Fault::classify(vector, error_code, 0xdead, RIP);
        assert_eq!(fault.name(), name, "vector {vector}");
        assert_eq!(fault.access, None, "CR2 is stale unless it is a page fault");
    }
}

#[test]
fn a_description_says_what_was_done_and_where() {
    let table = [
        (page_fault(WRITE | PRESENT, 0x24_1000), "write to 0x241000 at 0x24109a"),
        (page_fault(0, 8), "read of 0x8 at 0x24109a"),
        (page_fault(FETCH, 0x7777_0000), "jump to 0x77770000"),
        (Fault::classify(13, 0, 0, RIP), "privileged instruction or non-canonical address at 0x24109a"),
        (Fault::classify(6, 0, 0, RIP), "illegal instruction at 0x24109a"),
        (Fault::new(Kind::Panic, RIP), "panic at 0x24109a"),
    ];
    for (fault, expected) in table {
        assert_eq!(text(&fault), expected);
    }
}

#[test]
fn no_trap_makes_it_panic() {
    for vector in 0..=255 {
        for error_code in 0..64 {
            for address in [0, 0xfff, 0x1000, STACK_BASE, 1 << 47, u64::MAX] {
                let fault = Fault::classify(vector, error_code, address, u64::MAX);
                assert!(!fault.name().is_empty() && !text(&fault).is_empty());
            }
        }
    }
}

/// Two words at each of a stack's frames: (address, where the caller's frame is, return address).
fn stack(frames: &[(u64, u64, u64)]) -> impl Fn(u64) -> Option<[u64; 2]> {
    move |at| frames.iter().find(|frame| frame.0 == at).map(|frame| [frame.1, frame.2])
}

#[test]
fn callers_are_found_along_the_chain_of_frames() {
    let frames = [(STACK_BASE, STACK_BASE + 64, 1), (STACK_BASE + 64, STACK_TOP - 16, 2), (STACK_TOP - 16, 0, 3)];
    assert_eq!(callers(STACK_BASE, stack(&frames))[..4], [1, 2, 3, 0]);
    assert_eq!(callers(STACK_BASE + 64, stack(&frames))[..3], [2, 3, 0]);
    assert_eq!(callers(STACK_BASE + 8, stack(&frames))[0], 0, "nothing is mapped there");
    let endless: Vec<_> = (0..20).map(|at| (STACK_BASE + 16 * at, STACK_BASE + 16 * (at + 1), at + 1)).collect();
    assert_eq!(callers(STACK_BASE, stack(&endless)), core::array::from_fn(|at| at as u64 + 1));
}

#[test]
fn a_forged_chain_of_frames_ends_where_it_is_none() {
    for (rbp, up) in [(STACK_BASE, STACK_BASE), (STACK_BASE + 64, STACK_BASE), (STACK_BASE, 1 << 63), (STACK_BASE, 3)] {
        let found = callers(rbp, |at| (at == rbp).then_some([up, 7]));
        assert_eq!(found[..2], [7, 0], "from {rbp:#x} to {up:#x}");
    }
    for outside in [0, 1, STACK_BASE - 16, STACK_BASE + 1, STACK_TOP - 8, STACK_TOP, u64::MAX - 15] {
        let read = |at| -> Option<[u64; 2]> { panic!("{at:#x} was read") };
        assert_eq!((callers(outside, read)[0], top(outside, read)), (0, [0, 0]));
    }
}

#[test]
fn the_top_of_the_stack_is_its_two_lowest_words() {
    assert_eq!(top(STACK_BASE + 8, |at| (at == STACK_BASE + 8).then_some([5, 6])), [5, 6]);
    assert_eq!(top(STACK_BASE + 8, |_| None), [0, 0]);
}
