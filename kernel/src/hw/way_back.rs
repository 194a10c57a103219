//! The way back of an interrupted function: a page that every domain maps, through which `sysret` can restore all registers.
//!
//! `sysret` itself destroys RCX and R11. `iret` does not, but needs a code segment of ring 3 in the descriptor table, to
//! which `call far` would lead as well: and QEMU's TCG before 9.1 pushes the return address of one with ring 0's rights,
//! wherever the function's RSP points. So there is no such segment, and three instructions in ring 3 do the rest.

use super::boot;
use super::entry::Context;
use core::arch::global_asm;
use core::mem::offset_of;
use core::ptr::{addr_of, addr_of_mut};
use mayfly_abi::domain::WAY_BACK;

/// Room for the instructions.
const CODE: usize = 32;

/// What a domain sees at [`WAY_BACK`]. It may read and execute it; the kernel writes it where it is linked.
#[repr(C, align(4096))]
pub(super) struct Page {
    code: [u8; CODE],
    pub(super) rcx: u64,
    pub(super) r11: u64,
    pub(super) rip: u64,
}

/// The first core's. `enter` writes the three words.
pub(super) static mut PAGE: Page = Page { code: [0; CODE], rcx: 0, r11: 0, rip: 0 };

global_asm!(
    "mayfly_way_back:",
    "mov rcx, ds:[{rcx}]",
    "mov r11, ds:[{r11}]",
    "jmp qword ptr ds:[{rip}]",
    "mayfly_way_back_end:",
    rcx = const WAY_BACK + offset_of!(Page, rcx) as u64,
    r11 = const WAY_BACK + offset_of!(Page, r11) as u64,
    rip = const WAY_BACK + offset_of!(Page, rip) as u64,
);

unsafe extern "C" {
    static mayfly_way_back: [u8; CODE];
    static mayfly_way_back_end: u8;
}

/// Bytes of instructions.
fn len() -> usize {
    addr_of!(mayfly_way_back_end) as usize - addr_of!(mayfly_way_back) as usize
}

/// Writes the instructions. Called once, before any function runs.
pub(super) fn init() {
    assert!(len() <= CODE);
    // SAFETY: that many bytes lie there, and the only core does nothing else with the page.
    unsafe { addr_of_mut!(PAGE.code).cast::<u8>().copy_from_nonoverlapping(addr_of!(mayfly_way_back).cast(), len()) };
}

/// Physical address of the page.
pub(super) fn physical() -> u64 {
    boot::physical(addr_of!(PAGE))
}

/// A function that was stopped on its way back has to take it again: as if it had not begun.
pub(super) fn rewind(context: &mut Context) {
    if (WAY_BACK..WAY_BACK + len() as u64).contains(&context.rip) {
        // SAFETY: words that `enter` alone writes, and it has returned.
        unsafe { (context.rcx, context.r11, context.rip) = (PAGE.rcx, PAGE.r11, PAGE.rip) };
    }
}
