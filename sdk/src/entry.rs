//! From the kernel's jump to the function and back: what [`function!`](crate::function!) expands to.

use core::panic::PanicInfo;

use mayfly_abi::call::Reason;
// Nothing here calls it by name, but every program needs its symbols.
use mayfly_mem as _;

pub use crate::heap::Heap;
use crate::{Request, Response, call, line, window};

/// How the message of a panic starts when it stands for a refused allocation (`alloc::alloc::handle_alloc_error`).
const ALLOCATION_FAILED: &[u8] = b"memory allocation of ";

/// Calls the function with the request that lies in the domain, and sends its response.
pub fn run(function: impl FnOnce(&Request) -> Response) -> ! {
    function(&window::request()).send()
}

/// Carries out the initialisation, and has what it left frozen as the start of every invocation.
pub fn init(initialise: impl FnOnce()) -> ! {
    initialise();
    call::ready()
}

/// Ends the invocation with the panic's message and place.
pub fn panicked(info: &PanicInfo) -> ! {
    let message = info.message();
    if line::Line::new(&message).as_bytes().starts_with(ALLOCATION_FAILED) {
        line::fail(Reason::OutOfMemory, &message);
    }
    match info.location() {
        Some(place) => line::fail(Reason::Panic, format_args!("{place}: {message}")),
        None => line::fail(Reason::Panic, &message),
    }
}
