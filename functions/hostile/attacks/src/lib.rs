//! How a hostile function chooses its attack: by the path. docs/attacks.md has all of them with their verdicts.
//!
//! A path that is none is answered with 404 and the list of paths, so that a test can find out whether the document
//! leaves one out.
#![no_std]

use core::fmt::{Display, Write};
use core::ops::Range;

use mayfly_sdk::{Request, Response};

/// Attacks of one kind by their paths.
pub type Table<A> = &'static [(&'static str, A)];

/// The attack that the path names.
pub fn choose<A>(request: &Request, attacks: Table<A>) -> Option<&'static A> {
    attacks.iter().find(|(path, _)| *path == request.path()).map(|(_, attack)| attack)
}

/// The number behind `prefix` in the path, if it is one of `numbers`.
pub fn number(request: &Request, prefix: &str, numbers: Range<u64>) -> Option<u64> {
    let number = request.path().strip_prefix(prefix)?.parse().ok()?;
    numbers.contains(&number).then_some(number)
}

/// The answer to a path that names no attack: the list of those that do. Made only when nothing else will be answered,
/// for there is one response window.
pub struct List(Response);

impl List {
    /// A list with nothing in it.
    #[expect(clippy::new_without_default, reason = "it takes the response window")]
    pub fn new() -> Self {
        Self(Response::text("").with_status(404))
    }

    /// With the paths of these attacks.
    #[must_use]
    pub fn with<A>(mut self, attacks: Table<A>) -> Self {
        for (path, _) in attacks {
            // A list that does not fit is not sent.
            let _ = writeln!(self.0, "{path}");
        }
        self
    }

    /// With these numbers behind `prefix`.
    #[must_use]
    pub fn with_numbers(mut self, prefix: &str, numbers: Range<u64>) -> Self {
        for number in numbers {
            // As above.
            let _ = writeln!(self.0, "{prefix}{number}");
        }
        self
    }

    /// As the response.
    pub fn respond(self) -> Response {
        self.0
    }
}

/// The answer of an attack that nothing has stopped.
pub fn survived(what: impl Display) -> Response {
    Response::text(format_args!("nothing stopped it: {what}\n"))
}
