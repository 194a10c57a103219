//! Executes one instruction that is not for functions. The path says which; each ends in 502.
#![no_std]
#![no_main]

mod interrupt;
mod jumps;
mod privileged;
mod selectors;
mod unknown;

use core::ops::Range;

use attacks::{List, Table};
use mayfly_sdk::{Request, Response};

mayfly_sdk::function!(instruction);

/// Operands of `int`.
const VECTORS: Range<u64> = 0..256;

/// All that are not numbered.
const TABLES: [Table<fn()>; 4] = [privileged::TABLE, selectors::TABLE, jumps::TABLE, unknown::TABLE];

/// Makes a [`Table`] of paths and their lines of assembly. Registers that a call may clobber can be used, and the stack.
macro_rules! instructions {
    ($($path:literal: $($line:literal),+;)*) => {
        &[$(($path, || {
            // SAFETY: none, on purpose: it must fault before it changes anything.
            unsafe { ::core::arch::asm!($($line),+, clobber_abi("sysv64")) }
        })),*]
    };
}
pub(crate) use instructions;

fn instruction(request: &Request) -> Response {
    if let Some(vector) = attacks::number(request, "/int/", VECTORS) {
        interrupt::raise(vector);
        return attacks::survived(request.path());
    }
    let Some(execute) = TABLES.iter().find_map(|table| attacks::choose(request, table)) else {
        let list = TABLES.iter().fold(List::new(), |list, table| list.with(table));
        return list.with_numbers("/int/", VECTORS).respond();
    };
    execute();
    attacks::survived(request.path())
}
