//! The machine's clock.

use core::time::Duration;

use mayfly_abi::call::Reason;

use crate::{call, line};

/// The time since the machine booted.
pub fn now() -> Duration {
    match call::clock() {
        Ok(nanoseconds) => Duration::from_nanos(nanoseconds),
        Err(code) => line::fail(Reason::Panic, format_args!("the kernel did not tell the time: {code:?}")),
    }
}
