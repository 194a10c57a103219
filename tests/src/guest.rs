//! A booted machine with a limit on how long its test may take, and with its console printed if the test fails.

use std::cell::Cell;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};
use std::{fs, io};

use mayfly_abi::ledger::{Ledger, Phase};
use mayfly_qemu::{Ending, Launch, Machine};

use crate::{Connection, Request, Response, elsewhere};

/// How long a test may take from its machine's start, if it does not say otherwise.
pub const LIMIT: Duration = Duration::from_secs(60);
/// Pause between two looks at the ledger.
const PAUSE: Duration = Duration::from_millis(1);

thread_local! {
    /// The machine that [`Guest::lend`] lends, while nobody has it.
    static LENT: Cell<Option<Machine>> = const { Cell::new(None) };
}

/// A machine under test. All waiting for it ends when its time is up.
#[derive(Debug)]
pub struct Guest {
    /// None only once it was given back or lent.
    machine: Option<Machine>,
    is_lent: bool,
    deadline: Instant,
}

impl Guest {
    /// Boots an image on the usual machine and waits until it serves; or takes the machine that is lent.
    pub fn boot(image: &Path) -> Self {
        match LENT.take() {
            Some(machine) => {
                let mut guest = Self::of(machine);
                guest.is_lent = true;
                guest
            }
            None => Self::serving(Launch::new(image)),
        }
    }

    /// Has tests run on this machine, one after another, each of which would [boot](Guest::boot) one of its own.
    pub fn lend(mut self, tests: &[fn()]) {
        for test in tests {
            LENT.set(self.machine.take());
            test();
            self.machine = LENT.take();
            assert!(self.machine.is_some(), "a test has kept the machine");
        }
    }

    /// Starts a machine that checks every domain after its reset, and waits until it serves.
    pub fn serving(launch: Launch) -> Self {
        Self::measured(launch.kernel_argument("verify_reset=1"))
    }

    /// Starts a machine that does nothing but its work, and waits until it serves.
    pub fn measured(launch: Launch) -> Self {
        let mut guest = Self::start(launch);
        guest.expect_stamp(Phase::Listening);
        guest
    }

    /// Starts a machine that counts instructions.
    pub fn counting(image: &Path) -> Self {
        Self::counting_on(Launch::new(image))
    }

    /// The same on another machine than the usual.
    pub fn counting_on(launch: Launch) -> Self {
        Self::measured(launch.icount())
    }

    /// Starts a machine and waits for nothing.
    pub fn start(launch: Launch) -> Self {
        Self::of(elsewhere::moved(launch).start().unwrap_or_else(|error| panic!("{error}")))
    }

    fn of(machine: Machine) -> Self {
        Self { machine: Some(machine), is_lent: false, deadline: Instant::now() + LIMIT }
    }

    /// With another limit than [`LIMIT`], counted from now.
    #[must_use]
    pub fn within(mut self, limit: Duration) -> Self {
        self.deadline = Instant::now() + limit;
        self
    }

    /// When the test's time is up.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The machine itself.
    pub fn machine(&self) -> &Machine {
        self.machine.as_ref().expect("it is here until it is dropped")
    }

    fn machine_mut(&mut self) -> &mut Machine {
        self.machine.as_mut().expect("it is here until it is dropped")
    }

    /// A new connection to its server.
    #[track_caller]
    pub fn connect(&self) -> Connection {
        self.try_connect().unwrap_or_else(|error| panic!("{} does not accept: {error}", self.machine().address()))
    }

    /// The same, where it may fail.
    pub fn try_connect(&self) -> io::Result<Connection> {
        Connection::open(self.machine().address(), self.deadline)
    }

    /// A new connection as soon as QEMU accepts one, long before the machine does.
    #[track_caller]
    pub fn connect_early(&mut self) -> Connection {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let stream = self.machine_mut().connect(left).unwrap_or_else(|error| panic!("{error}"));
        Connection::on(stream, self.deadline).unwrap_or_else(|error| panic!("{error}"))
    }

    /// A new connection that has been answered once. For many: QEMU's queue of connections that the machine does not
    /// know yet is short, and what finds no place in it comes a second later.
    #[track_caller]
    pub fn connect_and_ask(&self) -> Connection {
        let mut connection = self.connect();
        assert_eq!(connection.ask(&Request::get("/hello")).status, 200);
        connection
    }

    /// The response to one request on a connection of its own.
    #[track_caller]
    pub fn ask(&self, request: &Request) -> Response {
        self.connect().ask(request)
    }

    /// The machine is as well as ever: a new connection gets the right answer.
    #[track_caller]
    pub fn expect_hello(&self) {
        self.connect().expect_hello();
    }

    /// It answers, a function that breaks gets its client 502, and it answers again. For images with the function `fault`.
    #[track_caller]
    pub fn expect_service(&self) {
        self.expect_hello();
        let broken = self.ask(&Request::get("/fault/null"));
        assert_eq!(broken.status, 502, "{broken:?}");
        self.expect_hello();
    }

    /// The ledger as it is now, or `None` before the machine's first instruction.
    pub fn ledger(&self) -> Option<Ledger> {
        self.machine().ledger()
    }

    /// Processor time that QEMU has taken so far, with all its threads.
    pub fn processor_time(&self) -> Duration {
        /// Clock ticks a second in /proc, the same on every Linux on x86-64.
        const HZ: u64 = 100;
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.machine().pid())).expect("QEMU runs");
        // The name before `)` may hold spaces; utime and stime are fields 14 and 15, and the state behind it is 3.
        let (_, fields) = stat.rsplit_once(") ").expect("a line as in proc(5)");
        let ticks = fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number"));
        Duration::from_millis(ticks.sum::<u64>() * 1000 / HZ)
    }

    /// Memory that QEMU holds for itself, the machine's not counted, in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.machine().pid())).expect("QEMU runs");
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("lines as in proc(5)");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// Waits until the machine has reached `phase`, and gives the ledger of then.
    #[track_caller]
    pub fn expect_stamp(&mut self, phase: Phase) -> Ledger {
        loop {
            if let Some(ledger) = self.ledger().filter(|ledger| ledger.stamp(phase) != 0) {
                return ledger;
            }
            self.machine_mut().check().unwrap_or_else(|error| panic!("{error}"));
            self.pause("a stamp");
        }
    }

    /// Waits until `line` was printed on the console.
    #[track_caller]
    pub fn expect_line(&self, line: &str) {
        let left = self.deadline.saturating_duration_since(Instant::now());
        assert!(self.machine().console().wait_for(line, left), "the console does not say `{line}`");
    }

    /// Waits for the machine's end.
    #[track_caller]
    pub fn expect_ending(&mut self) -> Ending {
        let left = self.deadline.saturating_duration_since(Instant::now());
        self.machine_mut().wait_for_exit(left).unwrap_or_else(|error| panic!("{error}"))
    }

    /// How the machine ended, if it has.
    pub fn ending(&mut self) -> Option<Ending> {
        self.machine_mut().wait_for_exit(Duration::ZERO).ok()
    }

    /// Waits until the machine has been idle for `quiet`, and gives the ledger of then.
    #[track_caller]
    pub fn settle(&self, quiet: Duration) -> Ledger {
        self.settle_with(0, quiet)
    }

    /// The same once it has worked: it has gone idle since `before`.
    #[track_caller]
    pub fn settle_after(&self, before: &Ledger, quiet: Duration) -> Ledger {
        self.settle_with(before.idles + 1, quiet)
    }

    /// Waits for at most `limit` until the machine knows no connection any more, and gives the ledger of then.
    #[track_caller]
    pub fn settle_alone(&self, quiet: Duration, limit: Duration) -> Ledger {
        let deadline = Instant::now() + limit;
        loop {
            let ledger = self.settle(quiet);
            if ledger.connections == 0 {
                return ledger;
            }
            assert!(Instant::now() < deadline, "{} connections are still known", ledger.connections);
        }
    }

    #[track_caller]
    fn settle_with(&self, idles: u64, quiet: Duration) -> Ledger {
        let left = self.deadline.saturating_duration_since(Instant::now());
        self.machine().settle(idles, quiet, left).unwrap_or_else(|error| panic!("{error}"))
    }

    /// One step of waiting for something.
    #[track_caller]
    fn pause(&self, what: &str) {
        assert!(Instant::now() < self.deadline, "waited in vain for this: {what}");
        thread::sleep(PAUSE);
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if thread::panicking() {
            self.machine.iter().for_each(|machine| eprintln!("{}", machine.report()));
        } else if self.is_lent {
            LENT.set(self.machine.take());
        }
    }
}
