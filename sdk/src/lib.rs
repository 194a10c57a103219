//! What a Mayfly function links: its entry point, its request and response, its heap and its calls.
//!
//! A function is a program without a `main`: one `fn` from a [`Request`] to a [`Response`], named to [`function!`].
//!
//! ```ignore
//! #![no_std]
//! #![no_main]
//! use mayfly_sdk::{Request, Response};
//!
//! mayfly_sdk::function!(hello);
//!
//! fn hello(request: &Request) -> Response {
//!     Response::text(format_args!("hello, {}\n", request.text().unwrap_or("world")))
//! }
//! ```
//!
//! `alloc` works: say `extern crate alloc`. Each request finds the program as it was built, with every `static` at its
//! first value and an empty heap, or as its initialisation left it; nothing is left of the request before. A function
//! that never allocates or writes a `static` touches two pages, its stack's and its response's, and those are all that is
//! cleaned after it.
#![no_std]
#![deny(unsafe_code)]

#[expect(unsafe_code, reason = "the `syscall` instruction is the only way to the kernel")]
mod call;
pub mod clock;
#[doc(hidden)]
pub mod entry;
#[expect(unsafe_code, reason = "a global allocator is unsafe by its trait")]
mod heap;
mod line;
#[expect(unsafe_code, reason = "a cell that is shared because there is one thread")]
mod prepared;
pub mod random;
mod request;
mod response;
#[expect(unsafe_code, reason = "request and response lie at fixed addresses")]
mod window;

pub use line::log;
pub use prepared::Prepared;
pub use request::{Headers, Request};
pub use response::{Response, ResponseError};

/// Makes the program: the entry point that calls the named `fn(&Request) -> Response`, the heap and the panic handler.
///
/// A panic ends the invocation: the client gets 502, and the machine's console the panic's message and place. An
/// allocation over the manifest's memory limit ends it too, with 507.
///
/// With `init = prepare`, the `fn()` named so runs once, before the first request. What it leaves in statics and on the
/// heap is frozen, and every invocation starts with it: parse tables and read configurations there. Time and random
/// numbers cannot be had in it, for they would be the same in every invocation.
#[macro_export]
macro_rules! function {
    ($name:path, init = $init:path) => {
        const _: () = {
            /// The kernel jumps here once, in ring 3, as it does to `_start`.
            #[unsafe(no_mangle)]
            extern "C" fn mayfly_init() -> ! {
                $crate::entry::init($init)
            }
        };
        $crate::function!($name);
    };
    ($name:path) => {
        const _: () = {
            #[global_allocator]
            static HEAP: $crate::entry::Heap = $crate::entry::Heap::new();

            #[panic_handler]
            fn panicked(info: &::core::panic::PanicInfo) -> ! {
                $crate::entry::panicked(info)
            }

            /// The kernel jumps here, in ring 3, with a fresh stack and every other register zero.
            #[unsafe(no_mangle)]
            extern "C" fn _start() -> ! {
                $crate::entry::run($name)
            }
        };
    };
}

/// Writes one line to the machine's console, formatted as by `format!`; what goes beyond 1024 bytes is cut off.
#[macro_export]
macro_rules! log {
    ($($argument:tt)*) => { $crate::log(::core::format_args!($($argument)*)) };
}
