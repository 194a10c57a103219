//! The end of a machine that is no emulator's: off, or from the start, and the power button. (ACPI 6.4: 4.8.2, 4.8.3)

use super::console::say;
use super::{apic, cpu, platform, screen, traps};
use core::arch::asm;
use mayfly_abi::exit::Exit;
use mayfly_core::acpi::{self, Line, Power, sleep_types};
use mayfly_core::ending::Ending;
use x86_64::instructions::port::Port;
use x86_64::structures::DescriptorTablePointer;

/// In the control registers: the firmware has left the rest to us; the type of sleep, and to begin it.
const OURS: u16 = 1;
const TYPE: u16 = 7 << 10;
const SLEEP: u16 = 1 << 13;
/// In the status and enable registers of events: the power button.
const BUTTON: u16 = 1 << 8;
/// How long the firmware may take to leave the rest to us, in microseconds.
const PATIENCE: u32 = 300_000;
/// Where the keyboard's controller takes commands, and the one that resets the machine.
const KEYBOARD: u16 = 0x64;
const PULSE: u8 = 0xfe;

fn read(port: u16) -> u16 {
    // SAFETY: the firmware's tables say that it is a register which may be read.
    unsafe { Port::new(port).read() }
}

fn write(port: u16, value: u16) {
    // SAFETY: as above; it is written as ACPI says.
    unsafe { Port::new(port).write(value) };
}

/// Has the firmware leave power and its button to us. False if it does not.
fn take_over(power: &Power) -> bool {
    let is_ours = || power.control[0] != 0 && read(power.control[0]) & OURS != 0;
    if !is_ours() && power.command != 0 && power.enable != 0 {
        // SAFETY: the tables say that this asks the firmware.
        unsafe { Port::new(power.command).write(power.enable) };
        return (0..PATIENCE).any(|_| {
            cpu::pause_micros(1);
            is_ours()
        });
    }
    is_ours()
}

/// Where the power button's interrupt comes from.
fn line(power: &Power) -> Option<Line> {
    platform::line(u8::try_from(power.interrupt).ok()?)
}

/// Switches the machine off when its power button is pressed, from now on.
pub(super) fn watch_button() {
    let Some(power) = platform::get().power.as_ref().filter(|power| power.events != 0 && power.events_len >= 4) else {
        return;
    };
    let Some(line) = line(power) else { return };
    if take_over(power) && apic::route_line(&line, traps::POWER) {
        write(power.events, BUTTON);
        write(power.events + u16::from(power.events_len / 2), BUTTON);
    }
}

/// The interrupt of the power button has come.
#[cold]
#[inline(never)]
pub(super) fn interrupted() {
    let Some(power) = &platform::get().power else { return };
    if read(power.events) & BUTTON != 0 {
        say!("mayfly: the power button was pressed");
        write(power.events, BUTTON);
        return off();
    }
    // Somebody else's, who would go on interrupting.
    if let Some(line) = line(power) {
        apic::mask_line(&line);
    }
}

/// Switches the machine off, if its tables say how.
fn off() {
    let (Some(power), Some(memory)) = (&platform::get().power, platform::memory()) else { return };
    let code = match acpi::code(power.dsdt, b"DSDT", &memory) {
        Ok(code) => code,
        Err(complaint) => return say!("mayfly: {complaint}"),
    };
    let Some(types) = sleep_types(code).filter(|_| take_over(power)) else {
        return say!("mayfly: the firmware does not say how to switch off");
    };
    for (control, kind) in power.control.into_iter().zip(types).filter(|(control, _)| *control != 0) {
        let value = read(control) & !(TYPE | SLEEP) | u16::from(kind) << 10;
        write(control, value);
        write(control, value | SLEEP);
    }
    // It takes effect some time later.
    cpu::pause_micros(1_000_000);
}

/// Starts the machine anew: as its tables say, else by the keyboard's controller, else by a fault that nobody handles.
fn reset() -> ! {
    // SAFETY: each of them ends what runs here.
    unsafe {
        if let Some(reset) = platform::get().power.as_ref().and_then(|power| power.reset) {
            Port::new(reset.port).write(reset.value);
            cpu::pause_micros(100_000);
        }
        Port::new(KEYBOARD).write(PULSE);
        cpu::pause_micros(100_000);
        x86_64::instructions::tables::lidt(&DescriptorTablePointer { limit: 0, base: x86_64::VirtAddr::zero() });
        asm!("ud2", options(noreturn, nomem, nostack));
    }
}

/// The end of a machine without a port to end it by.
pub(super) fn end(why: Exit) {
    match Ending::of(why, platform::get().power.is_some(), screen::is_on()) {
        Ending::Stays => {}
        Ending::Off(micros) => {
            cpu::pause_micros(micros);
            off();
        }
        Ending::Reset(micros) => {
            cpu::pause_micros(micros);
            reset();
        }
    }
}
