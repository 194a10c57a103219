//! What a person sees who has nothing but a screen.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use font8x8::legacy::BASIC_LEGACY as FONT;
use mayfly_qemu::{Launch, MachineType};
use mayfly_tests::{Guest, Monitor, images};

/// Pixels of a character, each way: two to one of the font.
const SIZE: usize = 16;

/// A screen as the monitor writes it: P6, width, height and largest value, then three bytes a pixel.
struct Screen {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Screen {
    fn look(monitor: &mut Monitor) -> Option<Self> {
        let path = images::place("screen.ppm");
        let _ = fs::remove_file(&path);
        monitor.ask(&format!("screendump {}", path.display()));
        let bytes = fs::read(&path).ok()?;
        let mut words = bytes.splitn(4, |byte| byte.is_ascii_whitespace());
        let mut number = || std::str::from_utf8(words.next()?).ok()?.parse::<usize>().ok();
        let (_, width, height) = (number(), number()?, number()?);
        // The largest value, 255, and a line's end are left before the pixels.
        let pixels = words.next()?.strip_prefix(b"255\n")?.to_vec();
        (pixels.len() == width * height * 3).then_some(Self { width, height, pixels })
    }

    fn is_lit(&self, x: usize, y: usize) -> bool {
        self.pixels[(y * self.width + x) * 3] > 127
    }

    /// The character in a cell, by comparing with the font's pictures; a question mark if it is none of them.
    fn character(&self, column: usize, line: usize) -> char {
        let same = |code: &u8| {
            let lit = |x: usize, y: usize| FONT[usize::from(*code)][y / 2] >> (x / 2) & 1 == 1;
            (0..SIZE).all(|y| (0..SIZE).all(|x| lit(x, y) == self.is_lit(column * SIZE + x, line * SIZE + y)))
        };
        (b' '..=b'~').find(same).map_or('?', char::from)
    }

    fn text(&self) -> String {
        let line = |line| (0..self.width / SIZE).map(|column| self.character(column, line)).collect::<String>();
        (0..self.height / SIZE).map(|at| line(at).trim_end().to_owned() + "\n").collect()
    }
}

/// A PC that boots from a stick and has a screen, and no console: what the launch says of the network goes.
fn boot(launch: Launch) -> (Guest, Monitor) {
    let mut machine = MachineType::named("uefi-usb").expect("it is there").clone();
    machine.arguments.extend(["-device", "VGA"].map(str::to_owned));
    Monitor::boot(machine, launch.memory_mib(256).like_a_board(), Guest::start)
}

/// Looks at the screen until it is as wanted.
#[track_caller]
fn expect(guest: &Guest, monitor: &mut Monitor, is_wanted: impl Fn(&str) -> bool) {
    let mut seen = String::new();
    while !is_wanted(&seen) {
        assert!(Instant::now() < guest.deadline(), "the screen shows\n{seen}");
        thread::sleep(Duration::from_millis(200));
        seen = Screen::look(monitor).map(|screen| screen.text()).unwrap_or_default();
    }
    println!("{seen}");
}

#[test]
fn what_went_wrong_is_read_from_the_screen_of_a_machine_without_a_console() {
    let (guest, mut monitor) = boot(Launch::new(images::disk()).without_network());
    expect(&guest, &mut monitor, |seen| seen.starts_with("mayfly: there is no network card that is driven: "));
}

#[test]
fn who_serves_what_and_where_is_read_from_the_screen_and_a_panic_takes_its_place() {
    let (guest, mut monitor) = boot(Launch::new(images::disk()).dhcp());
    let routes: Vec<_> = images::routes().iter().map(|route| format!("  /{route}\n")).collect();
    let summary = format!(
        "Mayfly {}\nasking for an address by DHCP; port 8080\nfunctions, {} in all:\n{}\nmayfly: address 10.0.2.15/24 by DHCP\n",
        env!("CARGO_PKG_VERSION"),
        routes.len(),
        routes.concat()
    );
    expect(&guest, &mut monitor, |seen| seen.contains(&summary));
    guest.expect_hello();
    // An interrupt that comes to the kernel itself and that it does not know.
    monitor.ask("nmi");
    let is_wanted = |seen: &str| {
        // Where a line is too long for the screen is of no matter.
        let words = seen.replace([' ', '\n'], "");
        seen.starts_with("mayfly: kernel panic: panicked at ")
            && ["trap2(error0x0)", "lastdomain:invocation1rip"].iter().all(|part| words.contains(part))
    };
    expect(&guest, &mut monitor, is_wanted);
}
