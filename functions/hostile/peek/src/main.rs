//! Touches memory that is not its own. The path says which; each ends in 502, and nothing is learnt or changed.
#![no_std]
#![no_main]

mod places;

use core::arch::asm;
use core::ops::Range;
use core::ptr::{with_exposed_provenance, with_exposed_provenance_mut};

use attacks::List;
use mayfly_abi::boot::DIRECT_MAP;
use mayfly_sdk::{Request, Response};

mayfly_sdk::function!(peek);

/// What is done to an address.
#[derive(Clone, Copy)]
enum Touch {
    Read,
    Write,
    Jump,
    /// Eight bytes are copied from eight bytes before the address to the address.
    Copy,
}

/// Where the frames of all other domains are to be found, and the kernel's heap: every mebibyte of a small machine.
const FRAMES: Range<u64> = 0..64;
const FRAME_STEP: u64 = 1 << 20;

fn peek(request: &Request) -> Response {
    let (touch, address) = match attacks::number(request, "/frame/", FRAMES) {
        Some(number) => (Touch::Read, DIRECT_MAP + number * FRAME_STEP),
        None => match attacks::choose(request, places::PLACES) {
            Some(place) => *place,
            None => return List::new().with(places::PLACES).with_numbers("/frame/", FRAMES).respond(),
        },
    };
    let found = reach(touch, address);
    attacks::survived(format_args!("reached {address:#x} and found {found:#x}"))
}

/// Returns only if the kernel's protection has a hole.
fn reach(touch: Touch, address: u64) -> u64 {
    let readable = with_exposed_provenance::<u64>(address as usize);
    let writable = with_exposed_provenance_mut::<u64>(address as usize);
    match touch {
        // SAFETY: none, on purpose: the page must not be mapped for us. (By hand, because Rust would check the alignment.)
        Touch::Read => unsafe {
            let found;
            asm!("mov {found}, [{address}]", address = in(reg) readable, found = out(reg) found);
            found
        },
        Touch::Write => {
            // SAFETY: none, on purpose: the page must not be writable for us.
            unsafe { asm!("mov qword ptr [{}], 0", in(reg) writable) };
            0
        }
        Touch::Jump => {
            // SAFETY: none, on purpose: the page must not be executable for us.
            unsafe { core::mem::transmute::<*const u64, extern "C" fn() -> u64>(readable)() }
        }
        Touch::Copy => {
            // SAFETY: none, on purpose: the source is ours to read, but the target not to write.
            unsafe { asm!("rep movsb", in("rsi") address - 8, in("rdi") address, in("rcx") 8) };
            0
        }
    }
}
