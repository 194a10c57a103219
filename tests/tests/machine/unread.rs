//! Clients that never acknowledge what they are told: answers take no more memory than there is, and none for ever.

use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use mayfly_qemu::Launch;
use mayfly_tests::images;
use smoltcp::wire::{EthernetProtocol, TcpControl};

use crate::share::{Client, Clients, segment};

#[test]
fn answers_that_nobody_takes_leave_memory_for_others() {
    /// What an image of ten thousand functions leaves some 20 MiB of, and a heap of 3.
    const MEMORY: u32 = 64;
    /// Connections from so many addresses that none of them has its share.
    const CLIENTS: u16 = 1500;
    const ADDRESSES: u16 = 40;
    /// Requests that are answered before the first answer is taken, each with a list of a hundred functions: together more
    /// than all of the kernel's heap.
    const AHEAD: usize = 8;
    /// Longer than an answer takes.
    const HEARD: Duration = Duration::from_millis(2);
    /// After this, answers that nobody has taken are given up.
    const GIVEN_UP: Duration = Duration::from_secs(35);
    let client = |at: u16| -> Client { (Ipv4Addr::new(198, 18, 0, 1 + (at % ADDRESSES) as u8), 1024 + at) };
    let requests = b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n".repeat(AHEAD);
    let mut clients = Clients::boot(Launch::new(images::ten_thousand()).memory_mib(MEMORY));
    let open = |at| {
        let first = clients.connect(client(at));
        clients.say(client(at), &segment(TcpControl::None, 1, Some(first), b""));
        first
    };
    // All of them first: none is opened any more once the heap is full.
    let first: Vec<_> = (0..CLIENTS).map(open).collect();
    for (at, first) in (0..).zip(first) {
        clients.say(client(at), &segment(TcpControl::Psh, 1, Some(first), &requests));
        // Or frames would wait on the wire, and none would get through.
        (0..AHEAD * 4).all(|_| clients.wire.receive_within(HEARD, EthernetProtocol::Ipv4).is_some());
    }
    thread::sleep(GIVEN_UP);
    clients.connect_and_ask((Ipv4Addr::new(198, 18, 1, 1), 1024));
    assert_eq!(clients.wire.guest().machine().console().text(), "");
}

#[test]
fn a_body_that_keeps_coming_is_no_reason_to_keep_answers_that_nobody_takes() {
    const CLIENT: Client = (Ipv4Addr::new(198, 18, 0, 1), 1024);
    /// As fast as a client must be.
    const SECOND: &[u8] = &[b'x'; 1300];
    /// Longer than an answer is kept of which nothing is taken, and less than it takes to give up who never acknowledges.
    const SECONDS: u16 = 45;
    let asked = format!(
        "GET /hello HTTP/1.1\r\nHost: x\r\n\r\nPOST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        SECOND.len() * 800
    );
    let mut clients = Clients::boot(Launch::new(images::all()));
    let first = clients.connect(CLIENT);
    clients.say(CLIENT, &segment(TcpControl::Psh, 1, Some(first), asked.as_bytes()));
    let mut seq = 1 + asked.len() as i32;
    for at in 0..SECONDS {
        clients.say(CLIENT, &segment(TcpControl::Psh, seq, Some(first), SECOND));
        seq += SECOND.len() as i32;
        thread::sleep(Duration::from_secs(1));
        // Who asks hears what the machine says to the other, too.
        clients.connect_and_ask((Ipv4Addr::new(198, 18, 0, 2), 1024 + at));
    }
    assert!(clients.ended.contains(&CLIENT), "after {SECONDS} seconds it is still served");
}
