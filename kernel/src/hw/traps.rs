//! Descriptor tables, and what happens when the CPU interrupts the kernel itself.
//!
//! Every trap and interrupt has an IST stack: the toolchain's `core` uses the red zone, so nothing may be pushed onto a
//! running kernel stack. The kernel runs with interrupts off but for the one instruction in which it waits.

use super::entry::{self, Core};
use super::{apic, cpu, power};
use core::arch::asm;
use core::ptr::{addr_of, addr_of_mut};
use core::sync::atomic::{AtomicU8, Ordering};
use x86_64::instructions::tables::{lidt, load_tss};
use x86_64::registers::model_specific::Star;
use x86_64::registers::segmentation::{CS, SS, Segment, SegmentSelector};
use x86_64::structures::DescriptorTablePointer;
use x86_64::structures::gdt::{Descriptor, GlobalDescriptorTable};
use x86_64::structures::idt::{Entry, HandlerFunc};
use x86_64::structures::tss::TaskStateSegment;
use x86_64::{PrivilegeLevel, VirtAddr};

/// Interrupt vectors in use, exceptions included.
pub(crate) const VECTORS: usize = 48;
/// A step, among others.
pub(super) const DEBUG: usize = 1;
/// `int3`.
const BREAKPOINT: usize = 3;
/// Page fault.
pub(crate) const PAGE_FAULT: u64 = 14;
/// The local APIC's timer.
pub(crate) const TIMER: u8 = 32;
/// The network card.
pub(crate) const NIC: u8 = 33;
/// The power button.
pub(crate) const POWER: u8 = 34;
/// An interrupt that was withdrawn while it was on its way (SDM 3A 11.9); the low four bits must be ones.
pub(crate) const SPURIOUS: u8 = 47;

/// Non-maskable interrupt, double fault and machine check get a stack of their own: they can hit inside another trap.
const NESTING: [usize; 3] = [2, 8, 18];
const STACK_LEN: usize = 16 << 10;

/// A core's trap stacks. Apart from its tables, so that they are zeroed memory and no bytes of the image.
#[repr(C, align(16))]
struct Stacks([[u8; STACK_LEN]; 2]);

static mut STACKS: Stacks = Stacks([[0; STACK_LEN]; 2]);

/// One core's descriptor tables.
#[repr(C, align(16))]
pub(crate) struct Tables {
    task: TaskStateSegment,
    segments: GlobalDescriptorTable,
    gates: [Entry<HandlerFunc>; VECTORS],
}

impl Tables {
    pub(crate) const fn new() -> Self {
        Self { task: TaskStateSegment::new(), segments: segments(), gates: [Entry::missing(); VECTORS] }
    }
}

/// The segments, but for the task's: where its state lies is known when the kernel runs.
///
/// The order is dictated by `sysret`: it loads SS from STAR[63:48] + 8 and CS from + 16 (SDM 3A 5.8.8). It does not look at
/// their descriptors, and nothing else leads to ring 3: the one of its code segment is left out (way_back.rs says why).
const fn segments() -> GlobalDescriptorTable {
    let mut table = GlobalDescriptorTable::new();
    assert!(table.append(Descriptor::kernel_code_segment()).0 == entry::KERNEL_CODE);
    assert!(table.append(Descriptor::kernel_data_segment()).0 == entry::KERNEL_DATA);
    assert!(table.append(Descriptor::user_data_segment()).0 == entry::USER_DATA);
    assert!(table.append(Descriptor::UserSegment(0)).0 | 3 == entry::USER_CODE);
    const { assert!(entry::USER_CODE - 8 == entry::USER_DATA && entry::KERNEL_DATA == entry::KERNEL_CODE + 8) };
    table
}

/// Proof that a fault will be caught and told, not reset the machine.
pub(crate) struct Traps(());

/// Loads the tables of the first core and drops the loader's identity map. Called once, first of all.
pub(crate) fn init() -> Traps {
    // SAFETY: called once, on the only core that runs; nothing else refers to the core's tables.
    let core: &'static mut Core = unsafe { &mut *addr_of_mut!(entry::CORE) };
    let tables = &mut core.tables;
    for slot in 0..2 {
        let end = addr_of!(STACKS) as u64 + ((slot + 1) * STACK_LEN) as u64;
        tables.task.interrupt_stack_table[slot] = VirtAddr::new_truncate(end);
    }
    let first_stub = entry::trap_stubs();
    for (vector, gate) in tables.gates.iter_mut().enumerate() {
        let stub = VirtAddr::new_truncate(first_stub + entry::STUB_LEN * vector as u64);
        // SAFETY: the stub keeps the interrupted state, and the IST slots are filled in.
        let options = unsafe { gate.set_handler_addr(stub).set_stack_index(u16::from(NESTING.contains(&vector))) };
        if vector == BREAKPOINT {
            // Otherwise `int3` in a function would be a protection fault.
            options.set_privilege_level(PrivilegeLevel::Ring3);
        }
    }
    // SAFETY: the task state lives in the static core.
    let task = tables.segments.append(unsafe { Descriptor::tss_segment_unchecked(&tables.task) });
    let limit = size_of_val(&tables.gates) as u16 - 1;
    let gates = DescriptorTablePointer { limit, base: VirtAddr::new_truncate(addr_of!(tables.gates) as u64) };
    // SAFETY: the tables are complete and static; the selectors are theirs, in the order that `syscall` and `sysret` need.
    unsafe {
        tables.segments.load_unsafe();
        CS::set_reg(SegmentSelector(entry::KERNEL_CODE));
        SS::set_reg(SegmentSelector(entry::KERNEL_DATA));
        load_tss(task);
        lidt(&gates);
        // A CPU starts with a local table at address 0 (SDM 3A 10.1.1): functions must not have one.
        asm!("lldt {0:x}", in(reg) 0_u16, options(nostack, preserves_flags));
        Star::write_raw(entry::USER_DATA - 8, entry::KERNEL_CODE);
    }
    cpu::set_call_entry(entry::call_entry(), core as *mut Core as u64);
    cpu::protect();
    super::way_back::init();
    super::tables::drop_identity_map();
    Traps(())
}

/// Whether the card has interrupted since it was last asked, or is to be looked at in any case.
static NIC_NOTE: AtomicU8 = AtomicU8::new(0);
/// The card has interrupted.
pub(crate) const CAME: u8 = 1;
/// It is to be looked at.
const LOOK: u8 = 2;

/// Takes the note about the card: 0 if there is none.
pub(crate) fn take_nic_note() -> u8 {
    let note = NIC_NOTE.load(Ordering::Relaxed);
    if note != 0 {
        NIC_NOTE.store(0, Ordering::Relaxed);
    }
    note
}

/// Notes that the card is to be looked at though it has not interrupted.
pub(crate) fn look_at_nic() {
    NIC_NOTE.store(LOOK, Ordering::Relaxed);
}

/// Takes note of an interrupt and lets the APIC send the next one.
pub(crate) fn acknowledge(vector: u8) {
    match vector {
        NIC => NIC_NOTE.store(CAME, Ordering::Relaxed),
        TIMER => apic::expired(),
        POWER => power::interrupted(),
        _ => {}
    }
    if vector != SPURIOUS {
        apic::end_of_interrupt();
    }
}

/// What a stub pushed, and before it the CPU.
#[repr(C)]
struct Frame {
    general: [u64; 9],
    vector: u64,
    error: u64,
    rip: u64,
    cs: u64,
    flags: u64,
    rsp: u64,
    ss: u64,
}

/// A trap taken in ring 0. Interrupts come only while the kernel waits; anything else is a broken invariant.
///
/// # Safety
/// Called by the trap stubs alone, on an IST stack.
pub(super) unsafe extern "C" fn kernel_trap(frame: *const u64) {
    // SAFETY: the stub built the frame right below.
    let frame = unsafe { &*frame.cast::<Frame>() };
    if frame.vector >= u64::from(TIMER) {
        acknowledge(frame.vector as u8);
        return;
    }
    panic!(
        "trap {} (error {:#x}) at rip {:#x}, cs {:#x}, flags {:#x}, rsp {:#x}, ss {:#x}, fault address {:#x}, \
         rax rcx rdx rsi rdi r8 r9 r10 r11 {:#x?}",
        frame.vector,
        frame.error,
        frame.rip,
        frame.cs,
        frame.flags,
        frame.rsp,
        frame.ss,
        cpu::fault_address(),
        frame.general
    );
}

/// Masks the old interrupt controllers: they may be there, and their vectors would be taken for exceptions.
pub(crate) fn silence_old_controllers() {
    use x86_64::instructions::port::Port;
    // SAFETY: writes the mask registers of the two 8259s; where there are none the writes do nothing.
    unsafe {
        Port::<u8>::new(0x21).write(0xff);
        Port::<u8>::new(0xa1).write(0xff);
    }
}
