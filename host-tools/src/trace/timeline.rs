//! From what was seen to spans on lanes: which step is drawn where, and from when to when.

use std::time::Duration;

use mayfly_abi::ledger::{Ledger, Phase};

use super::observe::Exchange;

/// Where spans are drawn: those of one lane follow each other or lie within each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lane {
    Qemu,
    Client,
    Boot,
    Network,
    Requests,
}

impl Lane {
    pub(super) const ALL: [Self; 5] = [Self::Qemu, Self::Client, Self::Boot, Self::Network, Self::Requests];

    /// Is it the guest's?
    pub(super) fn is_guest(self) -> bool {
        matches!(self, Self::Boot | Self::Network | Self::Requests)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Qemu => "QEMU and firmware",
            Self::Client => "client",
            Self::Boot => "boot",
            Self::Network => "network",
            Self::Requests => "requests",
        }
    }
}

/// Something that took time. Times since QEMU was started.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) lane: Lane,
    pub(super) name: String,
    pub(super) from: Duration,
    pub(super) to: Duration,
    /// What the guest's clock says of it.
    pub(super) guest: Option<Measured>,
}

/// What is known of a span of the guest's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Measured {
    /// How long it took in ticks of the TSC, which is exact.
    pub(super) ticks: u64,
    /// How far all of the exchange's spans may be off on the client's clock, in either direction but together.
    pub(super) uncertainty: Duration,
    /// How many instructions it took on the machine that counts. Waiting is none.
    pub(super) instructions: Option<u64>,
}

/// A step of the guest's: from one stamp to another.
struct Step {
    lane: Lane,
    name: &'static str,
    from: Phase,
    to: Phase,
}

const fn step(lane: Lane, name: &'static str, from: Phase, to: Phase) -> Step {
    Step { lane, name, from, to }
}

/// What holds the steps of the boot.
const BOOT: Step = step(Lane::Boot, "boot", Phase::Entry, Phase::Listening);
/// What holds the steps of a request.
const REQUEST: Step = step(Lane::Requests, "request", Phase::Bytes, Phase::Rest);

/// The steps of a boot.
const BOOTING: [Step; 7] = [
    step(Lane::Boot, "loader: long mode", Phase::Entry, Phase::Paging),
    step(Lane::Boot, "loader: hand-over; kernel: traps", Phase::Paging, Phase::Traps),
    step(Lane::Boot, "memory", Phase::Traps, Phase::Memory),
    step(Lane::Boot, "network card", Phase::Memory, Phase::Nic),
    step(Lane::Boot, "network and executor", Phase::Nic, Phase::Listening),
    step(Lane::Network, "waiting for a packet", Phase::Listening, Phase::Arp),
    step(Lane::Network, "waiting for a connection", Phase::Arp, Phase::Syn),
];

/// The steps of a request, the first one too. What lies before them depends on how its packets came: [`before_bytes`].
const ASKING: [Step; 7] = [
    step(Lane::Requests, "parse", Phase::Bytes, Phase::Request),
    step(Lane::Requests, "domain", Phase::Request, Phase::Domain),
    step(Lane::Requests, "schedule", Phase::Domain, Phase::Enter),
    step(Lane::Requests, "ring 3", Phase::Enter, Phase::Leave),
    step(Lane::Requests, "transmit", Phase::Leave, Phase::Response),
    step(Lane::Requests, "reset", Phase::Response, Phase::Clean),
    step(Lane::Requests, "rest", Phase::Clean, Phase::Rest),
];

/// From the first packet of the connection to the request's first bytes.
fn before_bytes(ledger: &Ledger) -> Vec<Step> {
    let (syn, wake, bytes) = (ledger.stamp(Phase::Syn), ledger.stamp(Phase::Wake), ledger.stamp(Phase::Bytes));
    // Otherwise connection and request came while the machine was awake.
    if (syn..=bytes).contains(&wake) {
        vec![
            step(Lane::Network, "TCP handshake", Phase::Syn, Phase::Wake),
            step(Lane::Network, "receive", Phase::Wake, Phase::Bytes),
        ]
    } else {
        vec![step(Lane::Network, "TCP handshake", Phase::Syn, Phase::Bytes)]
    }
}

/// Everything that was seen, as spans. `counted`: what a machine stamped that counts instructions, or nothing.
pub(super) fn spans(exchanges: &[Exchange], counted: &[Ledger], path: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    for (number, exchange) in exchanges.iter().enumerate() {
        let counted = counted.get(number);
        let mut guest = |step: &Step, name: String| spans.extend(of_guest(exchange, counted, step, name));
        if number == 0 {
            guest(&BOOT, BOOT.name.to_owned());
            BOOTING.iter().for_each(|step| guest(step, step.name.to_owned()));
        }
        guest(&REQUEST, format!("request {}", number + 1));
        before_bytes(&exchange.ledger).iter().chain(&ASKING).for_each(|step| guest(step, step.name.to_owned()));
        spans.extend(of_client(exchange, &format!("GET {path}, request {}", number + 1)));
    }
    spans.extend(exchanges.first().map(before_guest).into_iter().flatten());
    spans.sort_by(|one, other| (one.lane, one.from, other.to).cmp(&(other.lane, other.from, one.to)));
    spans
}

/// A step as a span, if its ends were stamped.
fn of_guest(exchange: &Exchange, counted: Option<&Ledger>, step: &Step, name: String) -> Option<Span> {
    let Exchange { ledger, clock, .. } = exchange;
    let ticks = |ledger: &Ledger| match (ledger.stamp(step.from), ledger.stamp(step.to)) {
        (0, _) | (_, 0) => None,
        (from, to) => to.checked_sub(from),
    };
    let measured = Measured {
        ticks: ticks(ledger)?,
        uncertainty: clock.uncertainty(),
        instructions: counted.filter(|_| step.lane != Lane::Network).and_then(ticks),
    };
    let at = |phase| clock.at(ledger.stamp(phase));
    Some(Span { lane: step.lane, name, from: at(step.from), to: at(step.to), guest: Some(measured) })
}

/// What the client saw of an exchange. An answer that came in one piece is not received for any time.
fn of_client(exchange: &Exchange, name: &str) -> impl Iterator<Item = Span> {
    let seen = &exchange.seen;
    [
        (name, seen.connecting, seen.last_byte),
        ("connect", seen.connecting, seen.connected),
        ("send", seen.connected, seen.sent),
        ("wait", seen.sent, seen.first_byte),
        ("receive", seen.first_byte, seen.last_byte),
    ]
    .map(|(name, from, to)| Span { lane: Lane::Client, name: name.to_owned(), from, to, guest: None })
    .into_iter()
    .filter(|span| span.from < span.to)
}

/// What passes before the guest's first instruction.
fn before_guest(boot: &Exchange) -> Vec<Span> {
    let entry = boot.clock.at(boot.ledger.stamp(Phase::Entry));
    let span = |name: &str, from, to| Span { lane: Lane::Qemu, name: name.to_owned(), from, to, guest: None };
    let open = boot.seen.connected;
    let mut spans = vec![span("until the guest's first instruction", Duration::ZERO, entry)];
    // On a busy host, the client can come to see it later than it was.
    if open < entry {
        spans.push(span("QEMU starts, until its port is open", Duration::ZERO, open));
        spans.push(span("machine and firmware", open, entry));
    }
    spans
}

#[cfg(test)]
mod tests {
    use mayfly_abi::wire::Wire;
    use mayfly_qemu::clock::{JoinedClock, Sighting};

    use super::*;
    use crate::bench::client::Seen;

    /// A ledger with these stamps.
    fn ledger(stamps: &[(Phase, u64)]) -> Ledger {
        let mut page = [0; Ledger::SIZE];
        stamps.iter().for_each(|(phase, stamp)| stamp.put(&mut page[phase.offset()..]));
        Ledger::get(&page)
    }

    /// An exchange whose guest counts microseconds and was switched on a millisecond after QEMU was started.
    fn exchange(stamps: &[(Phase, u64)]) -> Exchange {
        let us = Duration::from_micros;
        let sighting = Sighting { phase: Phase::Entry, ticks: 1000, after: us(1990), before: us(2010) };
        Exchange {
            seen: Seen {
                connecting: us(10),
                connected: us(900),
                sent: us(950),
                first_byte: us(5000),
                last_byte: us(5001),
            },
            ledger: ledger(stamps),
            clock: JoinedClock::new(&[sighting], 1_000_000).expect("one is enough"),
        }
    }

    const REQUEST: [(Phase, u64); 7] = [
        (Phase::Syn, 2000),
        (Phase::Bytes, 2100),
        (Phase::Request, 2200),
        (Phase::Domain, 2300),
        (Phase::Enter, 2310),
        (Phase::Leave, 2400),
        (Phase::Response, 2500),
    ];

    fn lane(spans: &[Span], lane: Lane) -> Vec<(&str, u128, u128)> {
        let here = spans.iter().filter(|span| span.lane == lane);
        here.map(|span| (span.name.as_str(), span.from.as_micros(), span.to.as_micros())).collect()
    }

    #[test]
    fn each_step_begins_at_one_stamp_and_ends_at_the_next() {
        let rest = [(Phase::Wake, 2050), (Phase::Clean, 2600), (Phase::Rest, 2700)];
        let spans = spans(&[exchange(&[REQUEST.as_slice(), &rest].concat())], &[], "/x");
        assert_eq!(lane(&spans, Lane::Network), [("TCP handshake", 3000, 3050), ("receive", 3050, 3100)]);
        assert_eq!(
            lane(&spans, Lane::Requests),
            [
                ("request 1", 3100, 3700),
                ("parse", 3100, 3200),
                ("domain", 3200, 3300),
                ("schedule", 3300, 3310),
                ("ring 3", 3310, 3400),
                ("transmit", 3400, 3500),
                ("reset", 3500, 3600),
                ("rest", 3600, 3700),
            ]
        );
        let whole = ("GET /x, request 1", 10, 5001);
        let client = [whole, ("connect", 10, 900), ("send", 900, 950), ("wait", 950, 5000), ("receive", 5000, 5001)];
        assert_eq!(lane(&spans, Lane::Client), client);
        assert!(lane(&spans, Lane::Boot).is_empty(), "its stamps are not there");
    }

    #[test]
    fn a_request_that_came_while_the_machine_was_awake_was_not_waited_for() {
        for wake in [0, 1500, 2350] {
            let spans = spans(&[exchange(&[REQUEST.as_slice(), &[(Phase::Wake, wake)]].concat())], &[], "/x");
            assert_eq!(lane(&spans, Lane::Network), [("TCP handshake", 3000, 3100)], "woken at {wake}");
        }
    }

    #[test]
    fn instructions_are_those_of_the_machine_that_counts_and_waiting_is_none() {
        let counted = ledger(&REQUEST.map(|(phase, at)| (phase, 10 * at)));
        let spans = spans(&[exchange(&REQUEST)], &[counted], "/x");
        let instructions = |name| spans.iter().find(|span| span.name == name)?.guest?.instructions;
        assert_eq!(
            (instructions("parse"), instructions("ring 3"), instructions("TCP handshake")),
            (Some(1000), Some(900), None)
        );
    }

    #[test]
    fn an_answer_in_one_piece_is_not_received_for_any_time() {
        let mut exchange = exchange(&REQUEST);
        exchange.seen.last_byte = exchange.seen.first_byte;
        assert_eq!(lane(&spans(&[exchange], &[], "/x"), Lane::Client).last(), Some(&("wait", 950, 5000)));
    }

    #[test]
    fn a_port_that_was_seen_late_is_not_drawn_after_the_guest() {
        let boot = |connected| {
            let mut exchange = exchange(&[(Phase::Entry, 1000)]);
            exchange.seen.connected = Duration::from_micros(connected);
            let spans = spans(&[exchange], &[], "/x");
            lane(&spans, Lane::Qemu).len()
        };
        assert_eq!((boot(900), boot(2100)), (3, 1));
    }
}
