//! What is going on, on standard error: a spinner where a person watches, a line per step where nobody does.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A step that is going on; dropping it ends it.
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Starts the step `what`, such as "building the kernel".
    pub(super) fn start(what: &str) -> Self {
        if !stderr().is_terminal() {
            eprintln!("{what}");
            return Self { bar: ProgressBar::hidden() };
        }
        Self::brief(what)
    }

    /// Starts a step that is usually over before anybody wonders: a person who watches sees it, a log does not.
    pub(super) fn brief(what: &str) -> Self {
        let bar = ProgressBar::new_spinner().with_prefix(what.to_owned());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} ({elapsed}) {wide_msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar }
    }

    /// Says which part of the step is going on.
    pub(super) fn detail(&self, text: String) {
        self.bar.set_message(text);
    }

    /// Prints a line that stays, such as a compiler's warning.
    pub(super) fn print(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
