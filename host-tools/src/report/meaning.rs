//! What each number includes, in words.

use crate::results::Benchmark;
use crate::split::of_share;

/// What the series of this name includes; `None` if its name has to do.
pub(super) fn meaning(benchmark: Benchmark, name: &str) -> Option<&'static str> {
    match benchmark {
        Benchmark::Boot => boot(name),
        Benchmark::Load => load(name),
        Benchmark::Cold => cold(name),
        Benchmark::Warm => warm(name),
        Benchmark::Scale | Benchmark::Isolation => request(name),
        Benchmark::Density => density(name),
    }
}

/// Points of a boot, in milliseconds since QEMU was spawned, and its parts: docs/ledger.md.
fn boot(name: &str) -> Option<&'static str> {
    if of_share(name).is_some() {
        return Some("this part’s time over the time to the first byte, boot by boot");
    }
    Some(match name {
        "QEMU's start" => "QEMU’s process starts and makes the machine, until it lets the machine’s processor go",
        "firmware" => "the machine’s firmware, until the loader’s first instruction",
        "loader" => {
            "Mayfly’s loader, until the image’s page tables are in use. Where firmware boots a disk, the firmware reads the image \
             for it, and that is in it"
        }
        "kernel" => "from there until a connection would be accepted",
        "first request" => "from there until the first byte of the first answer: waiting for the client is in it",
        "power-on" => "QEMU lets the machine’s processor go: its time stamp counter was 0",
        "connected" => "the client, which waited until the machine listened, has connected",
        "port open" => "QEMU’s process has started and its network accepts a connection: no guest code has run yet",
        "request sent" => "the client has connected, once, and its request is with QEMU’s network",
        "entry" => "the machine’s firmware is through, and the loader’s first instruction runs",
        "paging" => "the loader has switched on long mode, with page tables that lie in the image",
        "traps" => "the kernel can catch faults",
        "memory" => "frames and heap can be had",
        "nic ready" => "the network card is set up",
        "listening" => "a connection would be accepted, and the address was announced",
        "first ARP" => "the first ARP packet has arrived",
        "first SYN" => "the client’s first TCP packet has arrived",
        "first bytes" => "the request’s first bytes are about to be read: this holds the TCP handshake",
        "request parsed" => "the request is whole and checked",
        "domain ready" => "the function’s address space can run",
        "function entered" => "the function’s first instruction is next",
        "function left" => "the function has answered",
        "response queued" => {
            "the guest has come round to noting that the response is with the card; the client may have it already"
        }
        "first byte" => {
            "the client has read the first byte of the response: everything from the spawn of QEMU until here"
        }
        "last byte" => "the client has read the whole response",
        "first response" => {
            "the client has read the whole first response: everything from the spawn of the system’s process until here"
        }
        "domain clean" => "the pages that the function wrote are as they were",
        "at rest" => "nothing is left to be done: what was made for the request is put away, and timers are set",
        "total" => "all phases together: of a boot until listening, of a request from waking to rest",
        "blocks translated" => {
            "blocks of code that QEMU translated, from rest to rest; a boot’s are without those of an empty guest"
        }
        "port exits" => "the guest’s accesses to I/O ports, each of which leaves its code for QEMU’s",
        "MMIO exits" => "the guest’s accesses to registers in memory, each of which leaves its code for QEMU’s",
        "pages touched" => "pages of memory that were read or written for the first time, the image’s with the boot’s",
        "floor" => {
            "from the spawn of QEMU to the first instruction of an empty guest on the same machine: no kernel can be \
             faster. Measured before each boot"
        }
        "sum of the parts" => {
            "spawn to entry by the host’s clock, entry to response by the guest’s, response to first byte by the \
             host’s: it must be the first byte’s time"
        }
        "uncertainty of guest times" => "how far the guest’s times may be off on the host’s clock",
        "runs whose parts add up" => "boots in which that sum is the first byte’s time within 2 %",
        "uncertainty of the guest's rate" => {
            "how far apart the bounds are between which the guest’s clock was seen to run at the host’s rate, from the boot \
             to a request after it"
        }
        "blocks of the firmware" => "blocks of code that QEMU translated until the first instruction of an empty guest",
        "blocks until the first response" => {
            "blocks of code that QEMU translated from there until the first response: under TCG most of a boot’s \
             time is that"
        }
        _ => return None,
    })
}

/// What passes the time until this point of a boot.
pub(super) fn doing(name: &str) -> Option<&'static str> {
    Some(match name {
        "port open" => "starting QEMU until its port opens",
        "request sent" => "connecting to QEMU’s port",
        "power-on" => "making the machine",
        "connected" => "the client’s connection",
        "entry" => "the firmware",
        "paging" => "the loader",
        "traps" => "preparing for faults",
        "memory" => "finding memory",
        "nic ready" => "setting up the network card",
        "listening" => "announcing the address",
        "first ARP" => "waiting for the first packet",
        "first SYN" => "waiting for the connection",
        "first bytes" => "the TCP handshake",
        "request parsed" => "reading the request",
        "domain ready" => "making the function’s address space",
        "function entered" => "entering the function",
        "function left" => "the function itself",
        "response queued" => "noting that the response is sent",
        "first byte" => "the response’s way to the client",
        "last byte" => "the rest of the response",
        _ => return None,
    })
}

/// docs/peers.md.
fn load(name: &str) -> Option<&'static str> {
    Some(match name {
        "requests" => {
            "answers within a turn, each compared with the first byte for byte, a second; a value for each turn. \
             Connections are opened before"
        }
        "latency" => "from sending a request to the last byte of its answer, seen by the client; all turns together",
        "mayfly over this" => "Mayfly’s requests a second over this system’s, turn by turn; the median",
        "errors" => "requests with a wrong answer or none",
        "CPU of the system per request" => {
            "how long the threads of the system’s process, all of QEMU’s, ran for a request"
        }
        "share of a core that the client took" => "near 1, the figures are the client’s and not the system’s",
        _ => return None,
    })
}

/// One request on a keep-alive connection.
fn request(name: &str) -> Option<&'static str> {
    Some(match name {
        "request" => {
            "from sending a request on an open connection to the last byte of its answer, seen by the client: QEMU’s \
             network is in it"
        }
        "instructions" => {
            "guest instructions of a request, from waking to sleeping: network, function and cleaning; the fewest of \
             some"
        }
        "instructions of the domain" => DOMAIN,
        _ => return None,
    })
}

/// What is counted of a function's domain.
const DOMAIN: &str = "the part of a request’s instructions that takes, enters, leaves and resets the function’s address \
                      space, and the function itself; no network";

fn cold(name: &str) -> Option<&'static str> {
    Some(match name {
        "first request" => {
            "from sending a request on an open connection to the last byte of its answer, of a function that was never \
             used: its page tables and its stack are made for it. The machine has served other functions before"
        }
        "second request" => {
            "the same for the same function once more. In between, another one was asked, so that in both cases the \
             request’s head is read anew"
        }
        "instructions, first request" | "instructions, second request" => {
            "guest instructions from waking to sleeping, the network’s among them; the fewest of some functions"
        }
        "instructions of the domain, first request" | "instructions of the domain, second request" => DOMAIN,
        _ => return None,
    })
}

fn warm(name: &str) -> Option<&'static str> {
    Some(match name {
        "without a function" => {
            "from sending a request on an open connection to the last byte of an answer that the kernel gives itself: \
             404, with a list of the functions there are"
        }
        "with an empty function" => {
            "the same for a function that answers 200 at once, without a body, and writes to no memory: entering and \
             leaving its address space is in it"
        }
        "added" => {
            "the difference of the two, of requests that follow one another: negative if the kernel’s own answer took \
             longer"
        }
        "instructions without a function" | "instructions with an empty function" => {
            "guest instructions from waking to sleeping: network, function and cleaning; the fewest of some"
        }
        "added instructions" => "the difference of the two; what answers without a function takes instructions too",
        "instructions of the domain" => DOMAIN,
        _ => return None,
    })
}

fn density(name: &str) -> Option<&'static str> {
    Some(match name {
        "resident functions" => {
            "functions whose memory is kept between requests, at once, before the first is dropped for another"
        }
        "a resident function" => "the page frames that one holds; its code lies in the image and is not among them",
        "all memory over resident functions" => {
            "the machine’s whole memory, kernel and image included, for each of them"
        }
        "memory beside kernel and image" => "the page frames in use when no more fitted",
        "memory in use" => "page frames in use, without the image, after so many functions were asked once",
        "image" => "the file that was booted, which is in memory as it is",
        "first request with room" => {
            "from sending a request on an open connection to the last byte of its answer, of a function that was never \
             used, while there is memory for it"
        }
        "first request for which another is dropped" => {
            "the same when memory is full: the function that was not used for longest goes for it"
        }
        "instructions of the domain, first request"
        | "instructions of the domain, first request with room"
        | "instructions of the domain, first request for which another is dropped" => DOMAIN,
        _ => return None,
    })
}
