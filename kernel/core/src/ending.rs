//! The end of a machine that is no emulator's: what it does after its last words, and how long those can be read.

use mayfly_abi::exit::Exit;

/// How long last words can be read, in microseconds: on a serial port, and by a person who has to find a camera.
const ON_SERIAL_PORT: u32 = 5_000_000;
const ON_SCREEN: u32 = 60_000_000;

/// What the machine does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Nothing any more.
    Stays,
    /// It is switched off after so many microseconds.
    Off(u32),
    /// It starts anew after so many microseconds.
    Reset(u32),
}

impl Ending {
    /// Nothing without the firmware's tables, `has_tables`, which say how; nor where a person has to read on a screen what to do
    /// first.
    pub fn of(why: Exit, has_tables: bool, has_screen: bool) -> Self {
        let readable = if has_screen { ON_SCREEN } else { ON_SERIAL_PORT };
        match why {
            _ if !has_tables => Self::Stays,
            Exit::Refused if has_screen => Self::Stays,
            Exit::Refused => Self::Off(readable),
            Exit::Panic => Self::Reset(readable),
        }
    }
}
