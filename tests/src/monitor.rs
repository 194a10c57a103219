//! QEMU's monitor for people: what the CPU's registers hold, how addresses are mapped, what is on the screen.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::{fs, process, thread};

use mayfly_qemu::{Launch, MachineType};

use crate::{Guest, images};

/// A connection to it.
#[derive(Debug)]
pub struct Monitor(UnixStream);

impl Monitor {
    /// Gives `machine` a monitor and has `start` start it.
    pub fn boot(mut machine: MachineType, launch: Launch, start: impl FnOnce(Launch) -> Guest) -> (Guest, Self) {
        let path = images::place(&format!("monitor-{}", process::id()));
        let option = machine.arguments.iter().position(|argument| argument == "-monitor").expect("it has one");
        machine.arguments[option + 1] = format!("unix:{},server=on,wait=off", path.display());
        let guest = start(launch.machine(Box::leak(Box::new(machine))));
        let monitor = Self::open(&guest, &path);
        (guest, monitor)
    }

    fn open(guest: &Guest, path: &Path) -> Self {
        let stream = loop {
            match UnixStream::connect(path) {
                Ok(stream) => break stream,
                Err(error) => assert!(std::time::Instant::now() < guest.deadline(), "QEMU does not listen: {error}"),
            }
            thread::yield_now();
        };
        fs::remove_file(path).expect("QEMU has made it");
        let mut monitor = Self(stream);
        monitor.read();
        monitor
    }

    /// What the monitor answers.
    pub fn ask(&mut self, command: &str) -> String {
        self.0.write_all(format!("{command}\n").as_bytes()).expect("the monitor reads");
        self.read()
    }

    /// Up to the next prompt.
    fn read(&mut self) -> String {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\n(qemu) ") {
            let mut piece = [0; 4096];
            let len = self.0.read(&mut piece).expect("the monitor answers");
            assert!(len > 0, "the monitor ended");
            bytes.extend_from_slice(&piece[..len]);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
