//! Answers in ways in which no function may answer: twice, with foreign framing, with more than it has.
//!
//! What is refused is answered in order: 200 and the code of the refusal.
#![no_std]
#![no_main]

use core::arch::asm;
use core::ptr::with_exposed_provenance_mut;

use attacks::{List, Table};
use mayfly_abi::call::{Call, Code};
use mayfly_abi::domain::{RESPONSE_BASE, RESPONSE_BODY};
use mayfly_sdk::{Request, Response};

mayfly_sdk::function!(forge);

/// What is written to the window and said to the kernel.
struct Forgery {
    status: u64,
    headers: &'static [u8],
    headers_len: u64,
    body: &'static [u8],
    body_len: u64,
}

const fn forgery(status: u64, headers: &'static [u8], body: &'static [u8]) -> Forgery {
    Forgery { status, headers, headers_len: headers.len() as u64, body, body_len: body.len() as u64 }
}

/// The path of each forgery.
const FORGERIES: Table<Forgery> = &[
    ("/plain", forgery(200, b"", b"plain\n")),
    ("/split", forgery(200, b"a: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"")),
    ("/own-length", forgery(200, b"content-length: 100\r\n", b"short")),
    ("/own-chunks", forgery(200, b"transfer-encoding: chunked\r\n", b"0\r\n\r\n")),
    ("/own-close", forgery(200, b"Connection: close\r\n", b"")),
    ("/interim", forgery(100, b"", b"")),
    ("/switch", forgery(101, b"", b"")),
    ("/response-in-body", forgery(200, b"", b"HTTP/1.1 500 Forged\r\nContent-Length: 0\r\n\r\n\n")),
    ("/body-without-right", forgery(204, b"", b"HTTP/1.1 500 Forged\r\nContent-Length: 0\r\n\r\n")),
    ("/body-of-unchanged", forgery(304, b"", b"HTTP/1.1 500 Forged\r\nContent-Length: 0\r\n\r\n")),
    ("/too-long", Forgery { body_len: LIMIT + 1, ..forgery(200, b"", b"") }),
    ("/longest", Forgery { body_len: LIMIT, ..forgery(200, b"", b"") }),
    ("/unwritten-headers", Forgery { headers_len: 64, ..forgery(200, b"", b"") }),
    ("/wrapped-lengths", Forgery { headers_len: u64::MAX - 3, body_len: 8, ..forgery(200, b"", b"") }),
];
/// Most bytes of a response's body, as in mayfly.toml.
const LIMIT: u64 = 16 << 10;

fn forge(request: &Request) -> Response {
    if request.path() == "/twice" {
        send(&forgery(200, b"", b"the first\n"));
        send(&forgery(200, b"", b"the second\n"));
        return attacks::survived("it answered twice");
    }
    if request.path() == "/console-line" {
        mayfly_sdk::log!("a line\r\nmayfly: fault 99: forged\x1b[2J");
        return Response::text("logged\n");
    }
    let Some(forgery) = attacks::choose(request, FORGERIES) else {
        return List::new().with(FORGERIES).with(&[("/twice", ()), ("/console-line", ())]).respond();
    };
    match Code::try_from(send(forgery)) {
        Ok(code) => Response::text(format_args!("{code:?}\n")),
        Err(code) => Response::text(format_args!("unknown code {code}\n")).with_status(500),
    }
}

/// Sends the forgery. Comes back with the code of the refusal.
fn send(forgery: &Forgery) -> u64 {
    for (offset, bytes) in [(0, forgery.headers), (RESPONSE_BODY, forgery.body)] {
        let window = with_exposed_provenance_mut::<u8>((RESPONSE_BASE + offset) as usize);
        // SAFETY: the window is ours to write, longer than the bytes, and no reference points into it.
        unsafe { window.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    }
    let code;
    // SAFETY: `Respond` takes no pointers; all that the convention clobbers is named.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") Call::Respond as u64 => code,
            in("rdi") forgery.status, in("rsi") forgery.headers_len, inlateout("rdx") forgery.body_len => _,
            clobber_abi("sysv64"),
            options(nostack),
        );
    }
    code
}
