//! What the machine shows on its screen once it serves, if it has one: who it is, where it is reached, what it does.

use crate::hw::screen::{self, Text};
use crate::net::PORT;
use core::fmt::Write;
use mayfly_core::command_line::CommandLine;
use mayfly_core::image::Image;

/// Functions that are named; a screen has some forty lines.
const NAMED: usize = 16;

/// Shows the summary.
pub(crate) fn show(image: &Image<'_>, line: &CommandLine) {
    if screen::is_on() {
        // The screen cannot fail.
        let _ = write(image, line);
    }
}

#[cold]
fn write(image: &Image<'_>, line: &CommandLine) -> core::fmt::Result {
    writeln!(Text, "Mayfly {}", env!("CARGO_PKG_VERSION"))?;
    match line.address {
        Some(address) => writeln!(Text, "address {}/{}, port {PORT}", address.ip, address.prefix)?,
        None => writeln!(Text, "asking for an address by DHCP; port {PORT}")?,
    }
    writeln!(Text, "functions, {} in all:", image.len())?;
    for function in (0..image.len().min(NAMED)).filter_map(|index| image.function(index)) {
        writeln!(Text, "  /{}", core::str::from_utf8(function.route()).unwrap_or("?"))?;
    }
    if image.len() > NAMED {
        writeln!(Text, "  and {} more", image.len() - NAMED)?;
    }
    writeln!(Text)
}
