//! A PC of Bochs's: another processor, chipset, firmware and card than QEMU's, by other authors. It is slow, and its files are
//! those that docs/hardware.md tells people to use.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Connection, images};

/// Its description and its debugger's commands (Debian's Bochs has one, which waits for them), in the source.
const DESCRIPTION: &str = "tests/bochs/bochsrc";
const COMMANDS: &str = "tests/bochs/debugger";
/// What the description names: the network's, what is booted, what the kernel prints and what Bochs does.
const NETWORK: &str = "tests/bochs/slirp.conf";
const ISO: &str = "build/mayfly.iso";
const CONSOLE: &str = "build/bochs.txt";
const LOG: &str = "build/bochs.log";
/// The port of the host in the network's description.
const PORT: &str = ":8080-";
/// What Bochs says of itself, on the terminal that it is not given.
const MESSAGES: &str = "messages";
/// Pause between two looks at what was printed.
const PAUSE: Duration = Duration::from_millis(10);
/// Lines of each file that are printed when a test has failed.
const LAST: usize = 60;
/// How long a test may take: it is slow.
const LIMIT: Duration = Duration::from_secs(180);

/// A machine under test. Dropping it ends Bochs.
#[derive(Debug)]
pub struct Bochs {
    child: Child,
    address: SocketAddrV4,
    /// Where it runs: as much of the source's folder as its description names.
    folder: PathBuf,
    deadline: Instant,
}

impl Bochs {
    /// Boots an ISO on the machine of the description, changed by more lines of that kind.
    pub fn boot(iso: &Path, changes: &[&str]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let folder = images::place(&format!("bochs-{port}"));
        let _ = fs::remove_dir_all(&folder);
        for path in [NETWORK, ISO] {
            fs::create_dir_all(folder.join(path).parent().expect("it lies in a folder")).expect("there is room");
        }
        symlink(iso, folder.join(ISO)).expect("there is room");
        let network = fs::read_to_string(images::source_root().join(NETWORK)).expect("it is in the source");
        assert!(network.contains(PORT), "{NETWORK} names another port");
        fs::write(folder.join(NETWORK), network.replace(PORT, &format!(":{port}-"))).expect("there is room");
        let messages = File::create(folder.join(MESSAGES)).expect("there is room");
        drop(listener);
        let child = Command::new("bochs")
            .current_dir(&folder)
            // A terminal that every Debian knows: Bochs draws, and nobody looks.
            .env("TERM", "xterm")
            .arg("-f")
            .arg(images::source_root().join(DESCRIPTION))
            .arg("-rc")
            .arg(images::source_root().join(COMMANDS))
            .args(changes)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(messages)
            .spawn();
        let child = child.unwrap_or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                panic!("there is no program `bochs`; install it: apt install bochs bochs-term bochsbios vgabios")
            }
            _ => panic!("bochs cannot be run: {error}"),
        });
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        Self { child, address, folder, deadline: Instant::now() + LIMIT }
    }

    /// What the kernel has printed.
    pub fn console(&self) -> String {
        self.read(CONSOLE)
    }

    /// What Bochs has logged of what the machine did.
    pub fn log(&self) -> String {
        self.read(LOG)
    }

    fn read(&self, file: &str) -> String {
        fs::read(self.folder.join(file)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Waits until `line` was printed.
    #[track_caller]
    pub fn expect_line(&mut self, line: &str) {
        while !self.console().contains(line) {
            let ended = self.child.try_wait().expect("it is ours");
            assert!(ended.is_none(), "Bochs has ended, and the console does not say `{line}`");
            self.pause("a line on the console");
        }
    }

    /// A new connection to its server.
    #[track_caller]
    pub fn connect(&self) -> Connection {
        let connection = Connection::open(self.address, self.deadline);
        connection.unwrap_or_else(|error| panic!("{} does not accept: {error}", self.address))
    }

    /// The machine is as well as ever: a new connection gets the right answer.
    #[track_caller]
    pub fn expect_hello(&self) {
        self.connect().expect_hello();
    }

    /// Waits until the machine has switched itself off by its chipset's register of ACPI.
    #[track_caller]
    pub fn expect_off(&mut self) {
        while self.child.try_wait().expect("it is ours").is_none() {
            self.pause("the machine's end");
        }
        assert!(self.read(MESSAGES).contains("ACPI control: soft power off"), "Bochs ended otherwise");
    }

    /// One step of waiting for something.
    #[track_caller]
    fn pause(&self, what: &str) {
        assert!(Instant::now() < self.deadline, "waited in vain for this: {what}");
        thread::sleep(PAUSE);
    }
}

impl Drop for Bochs {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            for file in [CONSOLE, MESSAGES, LOG] {
                let text = self.read(file);
                let lines: Vec<_> = text.lines().collect();
                eprintln!("--- {file}\n{}", lines[lines.len().saturating_sub(LAST)..].join("\n"));
            }
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}
