//! Leaves a secret wherever it can write, and looks for what an invocation before has left. There must never be anything.
//!
//! `/leave/…` leaves the secret and answers `left`; `/break/…` leaves it everywhere and breaks; `/look/…` answers 200 and
//! `nothing`, or 500 and what was found where.
#![no_std]
#![no_main]
extern crate alloc;

mod entry;
mod memory;
mod registers;

use attacks::{List, Table};
use mayfly_sdk::{Request, Response};

use crate::entry::Entry;

/// The secret.
pub(crate) const SECRET: u64 = u64::from_le_bytes(*b"REMEMBER");

/// What was found, and where.
pub(crate) type Found = Result<(), (&'static str, u64)>;

/// Ways to look: at the registers of the entry, or at memory behind the request's end.
const LOOKS: Table<Look> = &[
    // First: what comes after may be interrupted with the secret in a register.
    ("/look/way-back", Look::Memory(memory::look_at_way_back)),
    ("/look/general", Look::Entry(registers::look_at_general)),
    ("/look/flags", Look::Entry(registers::look_at_flags)),
    ("/look/selectors", Look::Entry(registers::look_at_selectors)),
    ("/look/bases", Look::Entry(registers::look_at_bases)),
    ("/look/sse", Look::Entry(registers::look_at_sse)),
    ("/look/x87", Look::Entry(registers::look_at_x87)),
    ("/look/control", Look::Entry(registers::look_at_control)),
    ("/look/stack", Look::Memory(memory::look_at_stack)),
    ("/look/heap", Look::Memory(memory::look_at_heap)),
    ("/look/data", Look::Memory(memory::look_at_data)),
    ("/look/bss", Look::Memory(memory::look_at_bss)),
    ("/look/prepared", Look::Memory(memory::look_at_prepared)),
    ("/look/request", Look::Request(memory::look_behind_request)),
    ("/look/response", Look::Memory(memory::look_at_response)),
];

enum Look {
    Entry(fn(&Entry) -> Found),
    Memory(fn() -> Found),
    Request(fn(&Request) -> Found),
}

/// Ways to leave something.
const LEAVES: Table<fn() -> Response> = &[
    ("/leave/registers", || registers::fill_and_respond()),
    ("/leave/memory", || {
        memory::fill();
        left()
    }),
    ("/leave/random", || {
        memory::have_filled();
        left()
    }),
    // The path itself is what is left, with whatever stands behind it.
    ("/leave/request", left),
    ("/leave/heap-page", || {
        memory::touch_far_heap();
        left()
    }),
    ("/break/fault", || {
        memory::fill();
        registers::fill_and_fault()
    }),
    ("/break/deadline", || {
        memory::fill();
        registers::fill_and_loop()
    }),
    ("/break/memory", || {
        memory::fill();
        memory::ask_for_too_much()
    }),
    // Not for the next invocation to answer: it faults.
    ("/look/heap-page", || {
        let found = memory::read_far_heap();
        attacks::survived(format_args!("found {found:#x}"))
    }),
];

fn remember(request: &Request, entry: &Entry) -> Response {
    if let Some(leave) = attacks::choose(request, LEAVES) {
        return leave();
    }
    if request.path() == "/look/everything" {
        return answer(LOOKS.iter().try_for_each(|(_, way)| look(way, request, entry)));
    }
    match attacks::choose(request, LOOKS) {
        Some(way) => answer(look(way, request, entry)),
        None => List::new().with(LEAVES).with(LOOKS).with(&[("/look/everything", ())]).respond(),
    }
}

fn look(way: &Look, request: &Request, entry: &Entry) -> Found {
    match way {
        Look::Entry(look) => look(entry),
        Look::Memory(look) => look(),
        Look::Request(look) => look(request),
    }
}

fn left() -> Response {
    Response::text("left\n")
}

fn answer(found: Found) -> Response {
    match found {
        Ok(()) => Response::text("nothing\n"),
        Err((place, value)) => Response::text(format_args!("{place}: {value:#x}\n")).with_status(500),
    }
}
