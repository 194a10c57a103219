//! The machine's packets as Wireshark reads them: well-formed, with right checksums, none sent twice on a wire that loses
//! nothing, and no more of them than it takes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mayfly_qemu::Launch;
use mayfly_tests::{Guest, Request, elsewhere, images, tool};

/// The machine's address.
const MACHINE: &str = "10.0.2.15";
/// What must not be seen: anything that cannot be read, and from the machine anything but new bytes in their order.
const ODDITIES: &str = "_ws.malformed || ip.src == 10.0.2.15 && (ip.checksum.status == 0 || tcp.checksum.status == 0 || \
    tcp.analysis.retransmission || tcp.analysis.fast_retransmission || tcp.analysis.spurious_retransmission || \
    tcp.analysis.out_of_order || tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment || \
    tcp.analysis.duplicate_ack || tcp.analysis.zero_window || tcp.analysis.window_full || tcp.flags.reset == 1)";
/// Longer than a delayed acknowledgement waits.
const QUIET: Duration = Duration::from_millis(60);
/// A body as long as echo and sha256 take.
const LONG: usize = 1 << 20;
/// Bytes that a segment carries at most on QEMU's own network.
const SEGMENT: usize = 1460;

/// A TCP segment, by what counts here.
struct Segment {
    stream: usize,
    from_machine: bool,
    len: usize,
}

/// A machine whose card's frames go to a file too.
struct Captured {
    guest: Guest,
    file: PathBuf,
}

impl Captured {
    fn boot(name: &str) -> Self {
        let file = images::place(&format!("{name}.pcap"));
        let image = images::all();
        let mut machine = elsewhere::usual().clone();
        let dump = format!("filter-dump,id=dump,netdev=net,file={}", file.display());
        machine.arguments.extend(["-object".to_owned(), dump]);
        // Machines are static data; one more for each test is nothing.
        Self { guest: Guest::serving(Launch::new(image).machine(Box::leak(Box::new(machine)))), file }
    }

    /// Ends the machine and gives its segments, in order. None may be odd.
    fn finish(self) -> Vec<Segment> {
        self.guest.expect_hello();
        self.guest.settle(QUIET);
        drop(self.guest);
        let odd = tshark(&self.file, &["-Y", ODDITIES]);
        assert!(odd.is_empty(), "{}:\n{odd}", self.file.display());
        let fields = ["ip.src", "tcp.stream", "tcp.len"].map(|field| ["-e", field]).concat();
        let printed = tshark(&self.file, &[&["-Y", "tcp", "-T", "fields", "-E", "separator=,"], &fields[..]].concat());
        let segments = printed.lines().map(|line| {
            let fields: Vec<_> = line.split(',').collect();
            let [source, stream, len] = fields[..] else { panic!("three fields are needed in {line}") };
            let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("no number in {line}"));
            Segment { stream: number(stream), from_machine: source == MACHINE, len: number(len) }
        });
        let segments = segments.collect();
        // Kept if anything is odd, so that a person can look at it.
        fs::remove_file(&self.file).expect("it is there");
        segments
    }
}

/// What tshark prints of a file, every checksum looked at.
fn tshark(file: &Path, arguments: &[&str]) -> String {
    let file = file.to_str().expect("its name is ASCII");
    let checks = ["-n", "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-r", file];
    String::from_utf8_lossy(&tool::run("tshark", checks.iter().chain(arguments), b"").0).into_owned()
}

/// How many segments of a stream the machine sent and received: with bytes, and without.
#[derive(Debug)]
struct Count {
    sent: usize,
    sent_empty: usize,
    received: usize,
}

impl Count {
    fn of(segments: &[Segment], stream: usize) -> Self {
        let of_stream = || segments.iter().filter(move |segment| segment.stream == stream);
        let sent = |empty: bool| of_stream().filter(|one| one.from_machine && (one.len == 0) == empty).count();
        let received = of_stream().filter(|one| !one.from_machine && one.len > 0).count();
        Self { sent: sent(false), sent_empty: sent(true), received }
    }
}

#[test]
fn a_request_that_waits_for_the_last_answer_is_one_segment_each_way() {
    const REQUESTS: usize = 100;
    let captured = Captured::boot("keep-alive");
    let mut connection = captured.guest.connect();
    for _ in 0..REQUESTS {
        assert_eq!(connection.ask(&Request::get("/hello")).status, 200);
    }
    captured.guest.settle(QUIET);
    drop(connection);
    let count = Count::of(&captured.finish(), 0);
    println!("{REQUESTS} requests on one connection: {count:?}");
    assert_eq!((count.sent, count.received), (REQUESTS, REQUESTS));
    // To open and to close: the SYN's, and the end's.
    assert!(count.sent_empty <= 2, "{count:?}");
}

#[test]
fn a_connection_for_one_request_takes_three_segments_of_the_machines() {
    const CONNECTIONS: usize = 30;
    let captured = Captured::boot("connections");
    for at in 0..CONNECTIONS {
        let mut connection = captured.guest.connect();
        // Either side closes first.
        let close = Request::get("/hello").header("Connection", if at % 2 == 0 { "close" } else { "keep-alive" });
        assert_eq!(connection.ask(&close).status, 200);
        if at % 2 == 0 {
            connection.expect_end();
        }
        drop(connection);
        captured.guest.settle(QUIET);
    }
    let segments = captured.finish();
    let counts: Vec<_> = (0..CONNECTIONS).map(|stream| Count::of(&segments, stream)).collect();
    let worst = |first: usize| {
        let worst = counts.iter().skip(first).step_by(2).max_by_key(|count| count.sent + count.sent_empty);
        worst.expect("there are some")
    };
    let (ours, theirs) = (worst(0), worst(1));
    println!("closed by the machine: {ours:?}; by the client: {theirs:?}");
    // SYN and acknowledgement; the answer; an end and an acknowledgement of the client's.
    for count in [ours, theirs] {
        assert!(count.sent == 1 && count.sent + count.sent_empty <= 3, "{count:?}");
    }
}

#[test]
fn long_bodies_travel_in_full_segments_with_an_acknowledgement_for_two() {
    /// Segments that may be shorter or acknowledged alone, where a body or a burst ends.
    const FEW: usize = 40;
    let captured = Captured::boot("bodies");
    let mut connection = captured.guest.connect();
    assert_eq!(connection.ask(&Request::post("/sha256", vec![b'x'; LONG])).status, 200);
    drop(connection);
    let mut connection = captured.guest.connect();
    assert_eq!(connection.ask(&Request::post("/echo", vec![b'x'; LONG])).body.len(), LONG);
    drop(connection);
    let segments = captured.finish();
    let (upload, both) = (Count::of(&segments, 0), Count::of(&segments, 1));
    println!("upload: {upload:?}; upload and download: {both:?}");
    assert!(upload.sent == 1 && upload.sent_empty <= upload.received / 2 + FEW, "{upload:?}");
    assert!(both.sent <= LONG.div_ceil(SEGMENT) + FEW, "{both:?}");
    assert!(both.sent_empty <= both.received / 2 + FEW, "{both:?}");
}
