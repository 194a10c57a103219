//! Machines whose firmware has left broken tables or broken PCI functions, by chance: each answers, or refuses with a
//! sentence.

use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use mayfly_abi::exit::Exit;
use mayfly_abi::ledger::Phase;
use mayfly_qemu::{Ending, Launch, MachineType};

use crate::firmware::{Flip, Tables, repair};
use crate::machines::altered;
use crate::{Guest, Request, images};

/// How long a machine may take to answer or to end.
const LIMIT: Duration = Duration::from_secs(30);
/// Pause between two looks at it.
const PAUSE: Duration = Duration::from_millis(5);

/// Bridges, and a card behind them.
const PORT: [&str; 2] = ["-device", "pcie-root-port,id=root"];
const BRIDGE: [&str; 4] = ["-device", "pcie-root-port,id=root", "-device", "pcie-pci-bridge,id=bridge,bus=root"];
/// Machines, their cards, and what else they have.
const SUBJECTS: [(&str, &str, &[&str]); 7] = [
    ("q35", "virtio-net-pci,romfile=", &[]),
    ("q35", "e1000e,romfile=", &[]),
    ("pc", "e1000,romfile=", &[]),
    ("q35", "e1000e,romfile=,bus=root", &PORT),
    ("pc", "virtio-net-pci,romfile=", &[]),
    ("q35", "e1000,romfile=", &[]),
    ("q35", "e1000,romfile=,bus=bridge,addr=1", &BRIDGE),
];

/// A machine to be broken.
#[derive(Debug)]
pub struct Subject {
    machine: &'static MachineType,
    tables: Tables,
    /// Its PCI functions: the card, and all.
    card: (u8, u8, u8),
    functions: Vec<(u8, u8, u8)>,
}

/// How a broken machine took it.
#[derive(Debug)]
pub struct Outcome {
    /// The machine, and what was broken.
    pub what: String,
    /// It answered, or else refused to run; or it did neither, which is wrong, and this.
    pub answered: Result<bool, String>,
    /// What it said.
    pub console: String,
}

impl Subject {
    /// Every machine that is broken, as its firmware leaves it.
    pub fn all() -> Vec<Self> {
        SUBJECTS.into_iter().map(|(name, nic, arguments)| Self::new(name, nic, arguments)).collect()
    }

    fn new(name: &str, nic: &str, arguments: &[&str]) -> Self {
        let machine = altered(name, nic, arguments);
        let guest = Guest::measured(Launch::new(images::hello()).machine(machine).monitored());
        let listing = guest.machine().monitor("info pci").unwrap_or_else(|error| panic!("{error}"));
        let functions = functions(&listing);
        let card =
            functions.iter().find(|(_, class)| class.contains("Ethernet controller")).expect("there is a card").0;
        Self { machine, tables: Tables::of(&guest), card, functions: functions.into_iter().map(|(at, _)| at).collect() }
    }

    /// Breaks one of the machines and boots it. With an even seed it is tables that are broken, with an odd one functions.
    pub fn try_out(subjects: &[Self], seed: u64) -> Outcome {
        let subject = &subjects[(seed / 2 % subjects.len() as u64) as usize];
        let mut rng = Rng::with_seed(seed);
        let (tables, flips) = if seed.is_multiple_of(2) {
            (damaged(&subject.tables, &mut rng), Vec::new())
        } else {
            (subject.tables.clone(), subject.flips(&mut rng))
        };
        let image = tables.install(&flips, images::hello(), "broken.elf");
        let mut guest = Guest::start(Launch::new(image).machine(subject.machine).untold_clock()).within(LIMIT);
        let mut what = format!("{} {}", subject.machine.name, subject.machine.nic);
        match flips[..] {
            [] => what += ", tables",
            _ => flips.iter().for_each(|flip| what += &format!(", {}", show(flip))),
        }
        Outcome { what, answered: answers(&mut guest), console: guest.machine().console().text() }
    }

    /// One to four flipped bits of the functions' configuration, where it matters most.
    fn flips(&self, rng: &mut Rng) -> Vec<Flip> {
        let flip = |rng: &mut Rng| {
            let function =
                if rng.bool() { self.card } else { rng.choice(&self.functions).copied().expect("there are some") };
            // The command; addresses, or a bridge's buses and windows; the interrupt; what capabilities there are; anything.
            let areas = [0x04..0x06, 0x10..0x34, 0x3c..0x40, 0x40..0x100, 0..0x100];
            let area = areas[rng.usize(..areas.len())].clone();
            // The first function's own registers say where memory is, which nobody could tell from a broken memory.
            let is_host_bridge = function == (0, 0, 0);
            let at = rng.u16(if is_host_bridge { 0..0x40 } else { area });
            Flip { function, offset: at as u8 & !3, bits: 1 << (u32::from(at % 4) * 8 + rng.u32(..8)) }
        };
        (0..rng.usize(1..=4)).map(|_| flip(rng)).collect()
    }
}

fn show(Flip { function: (bus, device, number), offset, bits }: &Flip) -> String {
    format!("{bus:02x}:{device:02x}.{number} {offset:#04x} ^ {bits:#010x}")
}

/// The functions in what QEMU's monitor says of PCI, each with its class and what else is said.
fn functions(listing: &str) -> Vec<((u8, u8, u8), &str)> {
    let number = |text: &str, name: &str| {
        let (_, behind) = text.split_once(name)?;
        behind.trim_start().split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    let pieces = listing.split("Bus ").filter_map(|piece| {
        Some(((number(piece, "")?, number(piece, "device ")?, number(piece, "function ")?), piece))
    });
    pieces.collect()
}

/// Tables with one to four flipped bits, where it matters most; half of them with right checksums.
fn damaged(tables: &Tables, rng: &mut Rng) -> Tables {
    let mut tables = tables.clone();
    let signatures = tables.signatures();
    for _ in 0..rng.usize(1..=4) {
        let is_pointer = rng.usize(..8) == 0;
        let bytes = if is_pointer {
            &mut tables.pointer
        } else {
            tables.table(rng.choice(&signatures).expect("there are some"))
        };
        // Signature and length; the header; its end and what follows, where pointers are; anywhere.
        let area = [8, 16, 64, bytes.len()][rng.usize(..4)].min(bytes.len());
        bytes[rng.usize(..area)] ^= 1 << rng.u32(..8);
        if rng.bool() {
            repair(bytes, if is_pointer { 8 } else { 9 });
        }
    }
    tables
}

/// Whether a machine answers, or else refuses to run; or what else it does.
fn answers(guest: &mut Guest) -> Result<bool, String> {
    loop {
        if let Some(ending) = guest.ending() {
            let is_refusal = ending == Ending::Kernel(Exit::Refused);
            let is_said = guest.machine().console().text().lines().any(|line| line.starts_with("mayfly: "));
            return if is_refusal && is_said { Ok(false) } else { Err(format!("it ended: {ending}")) };
        }
        if guest.ledger().is_some_and(|ledger| ledger.stamp(Phase::Listening) != 0) {
            let response = guest.try_connect().and_then(|mut connection| connection.try_ask(&Request::get("/hello")));
            return match response {
                Ok(response) if response.status == 200 => Ok(true),
                other => Err(format!("it listens and does not answer: {other:?}")),
            };
        }
        if Instant::now() > guest.deadline() {
            return Err("it neither answers nor refuses".to_owned());
        }
        thread::sleep(PAUSE);
    }
}
