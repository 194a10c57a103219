//! The server of the Linux peer, run on the host: it answers as Mayfly's hello does, however the requests come.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use mayfly_qemu::Accelerator;

use super::super::{Host, Process};
use super::*;

const REQUEST: &[u8] = b"GET /hello HTTP/1.1\r\nHost: mayfly\r\n\r\n";
const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\nContent-Length: 13\r\n\
                      Connection: keep-alive\r\n\r\nhello, world\n";

struct Server {
    process: Process,
    _folder: Unfinished,
}

impl Server {
    fn start() -> Self {
        let folder = Unfinished::folder(&std::env::temp_dir()).expect("a folder");
        build_server(&folder.path().join("server")).expect("it is C");
        let host = Host { accelerator: Accelerator::Tcg, memory_mib: 1, tsc_hz: 1 };
        let process =
            Process::start("{folder}/server", &["{port}".to_owned()], None, &host, folder.path()).expect("it runs");
        Self { process, _folder: folder }
    }

    fn connect(&self) -> TcpStream {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            if let Ok(stream) = TcpStream::connect(self.process.address()) {
                stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a limit");
                return stream;
            }
            assert!(Instant::now() < deadline, "{}", self.process.report());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

#[track_caller]
fn expect(stream: &mut TcpStream, answer: &str) {
    let mut received = vec![0; answer.len()];
    stream.read_exact(&mut received).expect("an answer");
    assert_eq!(String::from_utf8_lossy(&received), answer);
}

#[test]
fn requests_in_pieces_and_in_heaps_are_answered_in_order() {
    let server = Server::start();
    let mut stream = server.connect();
    for piece in REQUEST.chunks(7) {
        stream.write_all(piece).expect("it listens");
        thread::sleep(Duration::from_millis(2));
    }
    expect(&mut stream, ANSWER);
    let heap = [REQUEST, b"GET /other HTTP/1.1\r\n\r\n", REQUEST, &REQUEST[..9]].concat();
    stream.write_all(&heap).expect("it listens");
    expect(&mut stream, ANSWER);
    expect(&mut stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
    expect(&mut stream, ANSWER);
    stream.write_all(&REQUEST[9..]).expect("it listens");
    expect(&mut stream, ANSWER);
}

#[test]
fn a_client_that_sends_much_before_it_reads_loses_nothing() {
    const MANY: usize = 200_000;
    let server = Server::start();
    let mut stream = server.connect();
    let mut writer = stream.try_clone().expect("a second handle");
    thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..MANY / 100 {
                writer.write_all(&REQUEST.repeat(100)).expect("it listens");
            }
        });
        // Long enough for the answers to fill what lies between, so that the server has to wait.
        thread::sleep(Duration::from_millis(300));
        for _ in 0..MANY {
            expect(&mut stream, ANSWER);
        }
    });
}

#[test]
fn a_head_without_end_and_a_client_that_leaves_disturb_nobody() {
    let server = Server::start();
    let mut endless = server.connect();
    endless.write_all(&[b'x'; 2048]).expect("it listens");
    assert_eq!(endless.read(&mut [0]).expect("it is closed in order"), 0);
    let mut leaving = server.connect();
    leaving.write_all(&REQUEST.repeat(5000)).expect("it listens");
    drop(leaving);
    let mut stream = server.connect();
    stream.write_all(REQUEST).expect("it listens");
    expect(&mut stream, ANSWER);
}
