//! A machine that runs: a QEMU process, its console, its memory and its end.

use std::io;
use std::net::{SocketAddrV4, TcpStream};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use mayfly_abi::ledger::Ledger;

use crate::monitor::Monitor;
use crate::trace::{Exits, Trace};
use crate::wire::Wire;
use crate::{CommandLine, Console, Ending, Error, Memory, threads};

/// How often a port that refuses is tried again: well under what a boot is measured by.
const RETRY: Duration = Duration::from_micros(200);
/// Pause between two looks at the ledger.
const PAUSE: Duration = Duration::from_millis(1);
/// Looks in a row at which QEMU had work: it has no core then. At rest it wakes for moments only.
const STARVED: u32 = 3;
/// How long QEMU's last words may take to arrive after its end.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A running machine. Dropping it ends QEMU and removes the memory file.
#[derive(Debug)]
pub struct Machine {
    child: Child,
    spawned: Instant,
    command: CommandLine,
    address: SocketAddrV4,
    console: Console,
    messages: Console,
    memory: Memory,
    monitor: Option<Monitor>,
    trace: Option<Trace>,
    /// Boxed: most machines have none.
    wire: Option<Box<Wire>>,
}

impl Machine {
    pub(crate) fn spawn(command: CommandLine, address: SocketAddrV4, memory: Memory) -> Result<Self, Error> {
        let mut qemu = command.to_command();
        qemu.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let spawned = Instant::now();
        let mut child = qemu.spawn().map_err(Error::io(format!("start {}", command.program().to_string_lossy())))?;
        let console = child.stdout.take().map(Console::read).unwrap_or_default();
        let messages = child.stderr.take().map(Console::read).unwrap_or_default();
        Ok(Self { child, spawned, command, address, console, messages, memory, monitor: None, trace: None, wire: None })
    }

    /// For a machine whose command line has this monitor.
    pub(crate) fn watch_with(&mut self, monitor: Monitor) {
        self.monitor = Some(monitor);
    }

    /// For a machine whose command line has this trace.
    pub(crate) fn count_with(&mut self, trace: Trace) {
        self.trace = Some(trace);
    }

    /// For a machine whose command line leads to this wire.
    pub(crate) fn attach(&mut self, wire: Wire) {
        self.wire = Some(Box::new(wire));
    }

    /// When QEMU was started.
    pub fn spawned(&self) -> Instant {
        self.spawned
    }

    /// QEMU's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What leads to the kernel's server: a port of 127.0.0.1, or the kernel's own address on a tap.
    pub fn address(&self) -> SocketAddrV4 {
        self.address
    }

    /// The TCP port of [`Machine::address`].
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// QEMU's command line.
    pub fn command(&self) -> &CommandLine {
        &self.command
    }

    /// What the guest prints.
    pub fn console(&self) -> &Console {
        &self.console
    }

    /// What QEMU itself has to say: warnings and errors.
    pub fn messages(&self) -> &Console {
        &self.messages
    }

    /// The guest's memory, readable while and after the machine runs.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The wire between QEMU and the host, if one was asked for.
    pub fn wire(&self) -> Option<&Wire> {
        self.wire.as_deref()
    }

    /// Takes the wire away, to see how it went. The machine is not reached any more.
    pub fn take_wire(&mut self) -> Option<Wire> {
        self.wire.take().map(|wire| *wire)
    }

    /// The ledger as it is now, or `None` before the guest's first instruction.
    pub fn ledger(&self) -> Option<Ledger> {
        self.memory.ledger()
    }

    /// Sets the stamps of the first request ([`Phase::is_of_request`](mayfly_abi::ledger::Phase::is_of_request)) back to 0,
    /// so that the kernel stamps the next request as if it were the first, at no cost to it.
    ///
    /// Only while the machine rests ([`Machine::settle`]): otherwise some stamps would be of one request and some of
    /// another. docs/ledger.md has the protocol.
    pub fn forget_request(&self) -> Result<(), Error> {
        self.memory.forget_request().map_err(Error::io("write to the guest's ledger"))
    }

    /// Blocks of guest code that QEMU's TCG has translated since it started. Only for a [monitored] machine.
    ///
    /// [monitored]: crate::Launch::monitored
    pub fn translated_blocks(&self) -> Result<u64, Error> {
        self.monitor.as_ref().ok_or(Error::NotMonitored)?.translated_blocks()
    }

    /// Accesses of the guest to devices since QEMU started. Only for a [traced] machine.
    ///
    /// [traced]: crate::Launch::traced
    pub fn exits(&self) -> Result<Exits, Error> {
        let trace = self.trace.as_ref().ok_or(Error::NotTraced)?;
        trace.exits().map_err(Error::io("count what QEMU has traced"))
    }

    /// Pages of the guest's memory that were touched since QEMU started, by the guest or by QEMU, which puts the image there.
    pub fn touched_pages(&self) -> Result<u64, Error> {
        self.memory.touched_pages().map_err(Error::io("look at the guest's memory file"))
    }

    /// What QEMU answers to a command of its monitor, with `\\r\\n` between lines. Only for a [monitored] machine.
    ///
    /// [monitored]: crate::Launch::monitored
    pub fn monitor(&self, command: &str) -> Result<String, Error> {
        self.monitor.as_ref().ok_or(Error::NotMonitored)?.ask(command)
    }

    /// Waits until the guest has gone idle `idles` times in all and done nothing for `quiet`, and gives the ledger of then.
    ///
    /// A QEMU that has work but no core, as on a busy host, is not quiet. Without a number to wait for, the guest may not have
    /// begun with what is on its way.
    pub fn settle(&self, idles: u64, quiet: Duration, timeout: Duration) -> Result<Ledger, Error> {
        let deadline = Instant::now() + timeout;
        let mut last = self.ledger();
        let mut since = Instant::now();
        let mut runnable = 0;
        while Instant::now() < deadline {
            thread::sleep(PAUSE);
            let now = self.ledger();
            runnable = if threads::any_runnable(self.pid()) { runnable + 1 } else { 0 };
            // What changed without an idle time in between belongs to work that is still going on.
            if now != last || runnable >= STARVED {
                (last, since) = (now, Instant::now());
            } else if let Some(ledger) = now.filter(|ledger| ledger.idles >= idles && since.elapsed() >= quiet) {
                return Ok(ledger);
            }
        }
        Err(self.timed_out("the guest's coming to rest", timeout))
    }

    /// Opens a TCP connection to the kernel's server, trying until QEMU's side of it accepts.
    ///
    /// That is long before the kernel does; what is sent meanwhile waits in QEMU.
    pub fn connect(&mut self, timeout: Duration) -> Result<TcpStream, Error> {
        let deadline = Instant::now() + timeout;
        loop {
            match TcpStream::connect(self.address) {
                Ok(connection) => return Ok(connection),
                Err(error) if error.kind() != io::ErrorKind::ConnectionRefused => {
                    return Err(Error::io("connect to the machine")(error));
                }
                Err(_) => self.check()?,
            }
            if Instant::now() > deadline {
                return Err(self.timed_out("opening QEMU's port", timeout));
            }
            thread::sleep(RETRY);
        }
    }

    /// An error if QEMU has ended.
    pub fn check(&mut self) -> Result<(), Error> {
        match self.child.try_wait().map_err(Error::io("ask for QEMU's state"))? {
            None => Ok(()),
            Some(status) => Err(self.ended(status.into())),
        }
    }

    /// Waits for QEMU's end: how it ended, or an error if it has not in time.
    pub fn wait_for_exit(&mut self, timeout: Duration) -> Result<Ending, Error> {
        if !self.console.wait_closed(timeout) {
            return Err(self.timed_out("the end of QEMU", timeout));
        }
        Ok(self.child.wait().map_err(Error::io("wait for QEMU"))?.into())
    }

    /// Ends QEMU now.
    pub fn stop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Console, QEMU's own messages and the command line: what one needs to see when something went wrong.
    pub fn report(&self) -> String {
        let mut report = String::new();
        let counters = self.wire.as_ref().map(|wire| wire.counters().to_string());
        for (title, text) in [
            ("console", self.console.text()),
            ("QEMU's messages", self.messages.text()),
            ("wire", counters.unwrap_or_default()),
            ("command", self.command.to_string()),
        ] {
            if !text.is_empty() {
                report.push_str(&format!("--- {title}\n{}\n", text.trim_end()));
            }
        }
        report
    }

    /// The error for a machine that should still run.
    pub fn ended(&self, ending: Ending) -> Error {
        self.console.wait_closed(LAST_WORDS);
        self.messages.wait_closed(LAST_WORDS);
        if self.messages.text().contains("Could not set up host forwarding rule") {
            return Error::PortInUse { port: self.port() };
        }
        Error::Ended { ending, report: self.report() }
    }

    fn timed_out(&self, what: &'static str, timeout: Duration) -> Error {
        Error::TimedOut { what, seconds: timeout.as_secs(), report: self.report() }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.stop();
    }
}
