//! `mayfly run` as a program of its own.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Connection, LIMIT, Request, elsewhere, images};

/// `mayfly run` with a machine, as a person starts it. Dropping it is Ctrl-C.
#[derive(Debug)]
pub struct Run {
    child: Child,
    lines: Receiver<String>,
    port: u16,
    deadline: Instant,
}

impl Run {
    /// Starts it with these arguments on any free port, on the [usual](elsewhere::usual) machine unless they name one, and waits until it says that it serves.
    pub fn start(arguments: &[&str]) -> Self {
        let mut command = images::mayfly();
        command.args(["run", "--port", "0"]).args(arguments);
        if !arguments.contains(&"--machine") {
            command.args(elsewhere::words());
        }
        let mut child = command.stdout(Stdio::piped()).spawn().expect("cargo runs");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let (send, lines) = channel();
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        let mut run = Self { child, lines, port: 0, deadline: Instant::now() + LIMIT };
        let said = run.until("Ctrl-C ends it.");
        let address = said.lines().find_map(|line| line.strip_prefix("http://127.0.0.1:")).expect("an address");
        run.port = address.split('/').next().expect("a port").parse().expect("a number");
        run
    }

    /// What it prints up to a line that starts so.
    #[track_caller]
    pub fn until(&self, start: &str) -> String {
        let mut said = String::new();
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else { panic!("waited in vain for `{start}` after\n{said}") };
            said.push_str(&line);
            said.push('\n');
            if line.starts_with(start) {
                return said;
            }
        }
    }

    /// A request to this path is answered with this status.
    #[track_caller]
    pub fn expect_status(&self, path: &str, status: u16) {
        // QEMU's port is open a moment after its process is there.
        let mut connection = loop {
            match Connection::open(self.address(), self.deadline) {
                Ok(connection) => break connection,
                Err(error) => assert!(Instant::now() < self.deadline, "{error}"),
            }
            thread::sleep(Duration::from_millis(1));
        };
        assert_eq!(connection.ask(&Request::get(path)).status, status, "{path}");
    }

    fn address(&self) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, self.port)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // As Ctrl-C does, so that it ends its QEMU.
        let told = Command::new("kill").arg("-INT").arg(self.child.id().to_string()).status();
        let ended = told.and_then(|_| self.child.wait());
        assert!(thread::panicking() || ended.is_ok_and(|status| status.success()));
    }
}
