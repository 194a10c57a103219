//! Clients that never acknowledge what they are told: the kernel's own answers take no more memory than it has.

use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use mayfly_qemu::Launch;
use mayfly_tests::images;
use smoltcp::wire::TcpControl;

use crate::share::{Client, Clients, segment};

#[test]
fn answers_that_nobody_takes_leave_memory_for_others() {
    /// Almost as many connections as a machine of 16 MiB has, from so many addresses that none of them has its share.
    const CLIENTS: u16 = 840;
    const ADDRESSES: u16 = 20;
    /// Requests that are answered before the first answer is taken, each with a list of functions: together more than all
    /// of the kernel's heap.
    const AHEAD: usize = 8;
    /// After this, answers that nobody has taken are given up.
    const GIVEN_UP: Duration = Duration::from_secs(35);
    let client = |at: u16| -> Client { (Ipv4Addr::new(198, 18, 0, 1 + (at % ADDRESSES) as u8), 1024 + at) };
    let requests = b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n".repeat(AHEAD);
    let mut clients = Clients::boot(Launch::new(images::all()).memory_mib(16));
    let first: Vec<_> = (0..CLIENTS).map(|at| clients.connect(client(at))).collect();
    for (at, first) in (0..).zip(first) {
        clients.say(client(at), &segment(TcpControl::Psh, 1, Some(first), &requests));
    }
    thread::sleep(GIVEN_UP);
    clients.connect_and_ask((Ipv4Addr::new(198, 18, 1, 1), 1024));
    assert_eq!(clients.wire.guest().machine().console().text(), "");
}
