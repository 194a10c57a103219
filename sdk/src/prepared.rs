//! A value that the initialisation makes and every request finds.

use core::cell::UnsafeCell;
use core::ops::Deref;

use mayfly_abi::call::Reason;

use crate::line;

/// A `static` that [`function!`](crate::function!)'s `init` sets, once, and that requests read.
///
/// ```ignore
/// static TABLE: Prepared<Vec<u32>> = Prepared::new();
/// mayfly_sdk::function!(lookup, init = prepare);
///
/// fn prepare() {
///     TABLE.set((0..1000).collect());
/// }
/// ```
#[derive(Debug)]
pub struct Prepared<T>(UnsafeCell<Option<T>>);

// SAFETY: a domain has one thread.
unsafe impl<T> Sync for Prepared<T> {}

impl<T> Prepared<T> {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self(UnsafeCell::new(None))
    }

    /// Keeps the value. A second one ends the invocation: references to the first may be about.
    pub fn set(&self, value: T) {
        // SAFETY: one thread, and the reference is gone before anything else happens.
        let slot = unsafe { &mut *self.0.get() };
        if slot.is_some() {
            line::fail(Reason::Panic, "a prepared value is set a second time");
        }
        *slot = Some(value);
    }
}

impl<T> Default for Prepared<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Deref for Prepared<T> {
    type Target = T;

    /// The value. Without one the invocation ends: the initialisation has forgotten it.
    fn deref(&self) -> &T {
        // SAFETY: it is written only while it is `None`, when nobody can hold a reference into it.
        match unsafe { &*self.0.get() } {
            Some(value) => value,
            None => line::fail(Reason::Panic, "a prepared value is used before the initialisation has set it"),
        }
    }
}
