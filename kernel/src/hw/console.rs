//! Where the kernel prints: QEMU's debug console if there is one, the first serial port and the screen otherwise.

use super::screen;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering};
use mayfly_abi::exit::CONSOLE_PORT;
use x86_64::instructions::port::Port;

/// Data register of the first serial port; its line status register is 5 further.
const SERIAL: u16 = 0x3f8;
/// What sets it up, by register: no interrupts; 115,200 baud, behind the bit that shows the divisor; 8 bits, no parity, one
/// stop bit; FIFOs on and empty; ready to send. (16550D: 8.1 to 8.6)
const SET_UP: [(u16, u8); 7] = [(1, 0), (3, 0x80), (0, 1), (1, 0), (3, 3), (2, 7), (4, 3)];
/// Transmit holding register empty.
const SERIAL_READY: u8 = 1 << 5;
/// Reads of a serial port that is slow to take a byte before the byte is dropped.
const SERIAL_PATIENCE: u32 = 100_000;

/// Prints bytes as they are. Never on the timed path: each byte costs a thousand instructions' time.
pub(crate) fn print(bytes: &[u8]) {
    let mut debug = Port::<u8>::new(CONSOLE_PORT);
    // SAFETY: reading the port has no effect; the debug console answers with its own number.
    let has_debug = unsafe { debug.read() } == CONSOLE_PORT as u8;
    for &byte in bytes {
        if has_debug {
            // SAFETY: the debug console takes bytes.
            unsafe { debug.write(byte) };
        } else {
            print_serial(byte);
        }
    }
    if !has_debug {
        screen::print(bytes);
    }
}

/// A few writes and a wait are all that is wanted of the port: a driver that also receives, probes and reports would be larger.
fn print_serial(byte: u8) {
    static READY: AtomicBool = AtomicBool::new(false);
    if !READY.swap(true, Ordering::Relaxed) {
        for (register, value) in SET_UP {
            // SAFETY: where there is no serial port, the writes do nothing.
            unsafe { Port::new(SERIAL + register).write(value) };
        }
    }
    let mut data = Port::<u8>::new(SERIAL);
    let mut status = Port::<u8>::new(SERIAL + 5);
    for _ in 0..SERIAL_PATIENCE {
        // SAFETY: reading the line status only reports it. Without a port all bits read as one.
        if unsafe { status.read() } & SERIAL_READY != 0 {
            // SAFETY: the transmitter takes a byte.
            unsafe { data.write(byte) };
            return;
        }
    }
}

/// The console as a [`fmt::Write`].
pub(crate) struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        print(text.as_bytes());
        Ok(())
    }
}

/// Prints one line.
macro_rules! say {
    ($($argument:tt)*) => {{
        use core::fmt::Write as _;
        // The console cannot fail.
        let _ = writeln!($crate::hw::console::Console, $($argument)*);
    }};
}
pub(crate) use say;
