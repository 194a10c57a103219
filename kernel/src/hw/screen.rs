//! The screen as a console, for machines on which nobody reads a serial port: what is printed, and a summary of the boot.
//!
//! Pixels are slow to write and slower to read, so nothing scrolls: behind the last line it goes on at the first, and an empty
//! line shows where. Nothing is drawn before something is printed.

use super::memory;
use bootloader_api::BootInfo;
use bootloader_api::info::{FrameBuffer, FrameBufferInfo, Optional};
use core::fmt::{self, Write};
use font8x8::legacy::BASIC_LEGACY as FONT;
use spin::Mutex;

/// Pixels of the screen to one of the font, each way: to be read on a photo.
const SCALE: usize = 2;
/// Size of a character in pixels.
const WIDTH: usize = 8 * SCALE;
const HEIGHT: usize = 8 * SCALE;

struct Screen {
    pixels: &'static mut [u8],
    info: FrameBufferInfo,
    column: usize,
    line: usize,
    /// The firmware's picture is gone.
    cleared: bool,
}

static SCREEN: Mutex<Option<Screen>> = Mutex::new(None);

/// Takes the screen over if the loader has found one.
pub(crate) fn init(boot: &mut BootInfo, memory: &memory::Memory) {
    if let Some(buffer) = core::mem::replace(&mut boot.framebuffer, Optional::None).into_option() {
        take_over(buffer, memory);
    }
}

#[cold]
fn take_over(buffer: FrameBuffer, memory: &memory::Memory) {
    let info = buffer.info();
    let fits = info.stride * info.bytes_per_pixel * info.height <= info.byte_len && info.width <= info.stride;
    if fits && info.width >= WIDTH && info.height >= 2 * HEIGHT && memory.shows(&buffer) {
        let pixels = buffer.into_buffer();
        *SCREEN.lock() = Some(Screen { pixels, info, column: 0, line: 0, cleared: false });
    }
}

/// Whether there is one. A panic while something is drawn may ask.
pub(crate) fn is_on() -> bool {
    SCREEN.try_lock().is_none_or(|screen| screen.is_some())
}

/// Prints text, if there is a screen. A panic within this is printed elsewhere only.
pub(crate) fn print(bytes: &[u8]) {
    if let Some(mut screen) = SCREEN.try_lock()
        && let Some(screen) = &mut *screen
    {
        bytes.iter().for_each(|byte| screen.put(*byte));
    }
}

/// Begins again at the top of an empty screen: for what has to be seen as one.
pub(crate) fn clear() {
    if let Some(mut screen) = SCREEN.try_lock()
        && let Some(screen) = &mut *screen
    {
        (screen.column, screen.line, screen.cleared) = (0, 0, false);
    }
}

impl Screen {
    fn put(&mut self, byte: u8) {
        if !self.cleared {
            self.pixels.fill(0);
            self.cleared = true;
        }
        match byte {
            b'\n' => return self.next_line(),
            // The rest of a character that the font does not have anyway.
            0x80..=0xbf => return,
            _ => {}
        }
        if self.column == self.info.width / WIDTH {
            self.next_line();
        }
        self.draw(if (b' '..=b'~').contains(&byte) { byte } else { b'?' });
        self.column += 1;
    }

    fn next_line(&mut self) {
        let lines = self.info.height / HEIGHT;
        (self.column, self.line) = (0, (self.line + 1) % lines);
        // This one, to be written, and the one behind it, which shows where the newest ends.
        for line in [self.line, (self.line + 1) % lines] {
            let len = HEIGHT * self.info.stride * self.info.bytes_per_pixel;
            self.pixels[line * len..][..len].fill(0);
        }
    }

    fn draw(&mut self, byte: u8) {
        // A byte for each row, its lowest bit on the left.
        let rows = &FONT[usize::from(byte)];
        for y in 0..HEIGHT {
            for x in 0..WIDTH {
                let lit = rows[y / SCALE] >> (x / SCALE) & 1 != 0;
                let pixel = (self.line * HEIGHT + y) * self.info.stride + self.column * WIDTH + x;
                let len = self.info.bytes_per_pixel;
                // White and black are the same in every order of colours.
                self.pixels[pixel * len..][..len].fill(if lit { 0xff } else { 0 });
            }
        }
    }
}

/// The screen alone as a [`fmt::Write`].
pub(crate) struct Text;

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        print(text.as_bytes());
        Ok(())
    }
}
