//! Touches memory that is not its own. The path says which; each ends in 502, and nothing is learnt or changed.
#![no_std]
#![no_main]

use core::ptr::{with_exposed_provenance, with_exposed_provenance_mut};

use mayfly_abi::boot::{BOOT_BLOCK, DIRECT_MAP, KERNEL, KERNEL_MAP, KERNEL_STACK_TOP, LEDGER};
use mayfly_abi::domain::{HEAP_BASE, REQUEST_BASE, STACK_BASE, USER_END};
use mayfly_sdk::{Request, Response};

mayfly_sdk::function!(peek);

/// What is done to an address.
#[derive(Clone, Copy)]
enum Touch {
    Read,
    Write,
    Jump,
}

/// The path of each attempt, and what it does where.
const ATTEMPTS: &[(&str, Touch, u64)] = &[
    ("/kernel-text", Touch::Read, KERNEL_MAP + KERNEL),
    ("/write-kernel", Touch::Write, KERNEL_MAP + KERNEL),
    ("/jump-kernel", Touch::Jump, KERNEL_MAP + KERNEL),
    ("/kernel-stack", Touch::Read, KERNEL_MAP + KERNEL_STACK_TOP - 8),
    ("/direct-map", Touch::Read, DIRECT_MAP),
    ("/ledger", Touch::Read, DIRECT_MAP + LEDGER),
    ("/write-ledger", Touch::Write, DIRECT_MAP + LEDGER),
    ("/boot-block", Touch::Read, DIRECT_MAP + BOOT_BLOCK),
    ("/lapic", Touch::Read, DIRECT_MAP + 0xfee0_0000),
    ("/noncanonical", Touch::Read, 0x8000_0000_0000),
    ("/jump-noncanonical", Touch::Jump, 0x8000_0000_0000),
    ("/stack-guard", Touch::Write, STACK_BASE - 8),
    ("/before-heap", Touch::Write, HEAP_BASE),
    ("/write-request", Touch::Write, REQUEST_BASE),
    ("/execute-request", Touch::Jump, REQUEST_BASE),
    ("/beyond", Touch::Read, USER_END),
];

fn peek(request: &Request) -> Response {
    let Some(&(path, touch, address)) = ATTEMPTS.iter().find(|(path, ..)| *path == request.path()) else {
        let mut list = Response::text("the path says what to touch:\n").with_status(404);
        for (path, ..) in ATTEMPTS {
            // A list that does not fit is not sent.
            let _ = list.write_bytes(path.as_bytes()).and_then(|()| list.write_bytes(b"\n"));
        }
        return list;
    };
    let found = reach(touch, address);
    Response::text(format_args!("{path}: reached {address:#x} and found {found:#x}\n"))
}

/// Returns only if the kernel's protection has a hole.
fn reach(touch: Touch, address: u64) -> u64 {
    let readable = with_exposed_provenance::<u64>(address as usize);
    let writable = with_exposed_provenance_mut::<u64>(address as usize);
    match touch {
        // SAFETY: none, on purpose: the page must not be mapped for us.
        Touch::Read => unsafe { readable.read_volatile() },
        Touch::Write => {
            // SAFETY: none, on purpose: the page must not be writable for us.
            unsafe { writable.write_volatile(0) };
            0
        }
        Touch::Jump => {
            // SAFETY: none, on purpose: the page must not be executable for us.
            unsafe { core::mem::transmute::<*const u64, extern "C" fn() -> u64>(readable)() }
        }
    }
}
