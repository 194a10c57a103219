//! The end of the machine: by a code that the host understands, and a panic that says what it knows.

use super::console::say;
use super::{cpu, entry, power, screen};
use core::arch::asm;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};
use mayfly_abi::exit::{EXIT_PORT, Exit};

/// Ends the machine.
pub(crate) fn end(why: Exit) -> ! {
    // SAFETY: ends QEMU if it has the exit device.
    unsafe { asm!("out dx, eax", in("dx") EXIT_PORT, in("eax") why as u32, options(nomem, nostack)) };
    power::end(why);
    loop {
        // SAFETY: the core stops for good.
        unsafe { asm!("cli", "hlt", options(nomem, nostack)) };
    }
}

/// Ends the machine because it or its image cannot be used; `why` is a sentence.
pub(crate) fn refuse(why: impl core::fmt::Display) -> ! {
    say!("mayfly: {why}");
    end(Exit::Refused)
}

static PANICKING: AtomicBool = AtomicBool::new(false);

/// A kernel invariant does not hold: says where, with registers and the invocation, and ends.
#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    // A panic while panicking would go on for ever.
    if PANICKING.swap(true, Ordering::Relaxed) {
        end(Exit::Panic);
    }
    let (stack, frame): (u64, u64);
    // SAFETY: reads two registers.
    unsafe { asm!("mov {}, rsp", "mov {}, rbp", out(reg) stack, out(reg) frame, options(nomem, nostack)) };
    screen::clear();
    say!("mayfly: kernel panic: {info}");
    say!(
        "  rsp {stack:#x} rbp {frame:#x} cr2 {:#x} cr3 {:#x} tsc {}",
        cpu::fault_address(),
        cpu::page_table(),
        cpu::ticks()
    );
    match entry::running() {
        Some(context) => say!("  last domain: {context}"),
        None => say!("  no invocation has run yet"),
    }
    end(Exit::Panic)
}
