//! One host connection, carried to the machine by a TCP of its own: smoltcp's, with an interface for each connection, so
//! that none costs another anything.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown};
use std::time::Duration;

use mio::net::TcpStream;
use smoltcp::iface::{Config, Interface, PollResult, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpCidr, Ipv4Cidr};
use socket2::SockRef;

/// Bytes of a socket's buffers: what may be on its way to and from the machine.
const BUFFER: usize = 64 << 10;
/// Bytes of the longest IP packet in an Ethernet frame.
const MTU: usize = 1500;
/// An acknowledgement that is held back is sent sooner than this; what comes later is the end of TIME-WAIT.
const ACK_SOON: Duration = Duration::from_secs(1);

/// It is not asked again before this: smoltcp says "now" for some things that it then does not do.
const TICK: Duration = Duration::from_micros(200);

/// A host connection and its TCP to the machine.
pub(super) struct Flow {
    host: Host,
    interface: Interface,
    sockets: SocketSet<'static>,
    handle: SocketHandle,
    /// IP packets from the machine, to be taken in with the next step.
    arrived: VecDeque<Vec<u8>>,
    /// The machine has sent its last byte.
    machine_finished: bool,
}

/// The host's side.
struct Host {
    stream: TcpStream,
    readable: bool,
    writable: bool,
    /// The client has sent its last byte.
    finished: bool,
    /// The client was told that nothing more comes.
    told: bool,
    /// The client has gone in the middle of something.
    broken: bool,
}

/// What a flow wants after a step.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Another step at this time, or when something arrives.
    At(Option<Duration>),
    /// Another step as soon as packets can be sent again.
    Room,
    /// Nothing: it has ended.
    End,
}

impl Flow {
    /// Starts to connect to the machine.
    pub(super) fn connect(
        host: TcpStream,
        from: (Ipv4Addr, u16),
        to: (Ipv4Addr, u16),
        seed: u64,
        now: Duration,
    ) -> Self {
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = seed;
        let mut interface =
            Interface::new(config, &mut Packets { arrived: None, sent: &mut Vec::new(), room: 0 }, at(now));
        interface.update_ip_addrs(|addresses| {
            // One address always fits.
            let _ = addresses.push(IpCidr::Ipv4(Ipv4Cidr::new(from.0, 24)));
        });
        let buffer = || SocketBuffer::new(vec![0; BUFFER]);
        let mut socket = Socket::new(buffer(), buffer());
        // The client decides itself what it sends in one piece.
        socket.set_nagle_enabled(false);
        let connecting = socket.connect(interface.context(), to, from.1);
        connecting.expect("neither port is 0, and the socket is new");
        let mut sockets = SocketSet::new(Vec::new());
        let handle = sockets.add(socket);
        Self {
            host: Host { stream: host, readable: true, writable: true, finished: false, told: false, broken: false },
            interface,
            sockets,
            handle,
            arrived: VecDeque::new(),
            machine_finished: false,
        }
    }

    /// The host's socket, to be told when something happens to it.
    pub(super) fn stream(&mut self) -> &mut TcpStream {
        &mut self.host.stream
    }

    /// Something happened to the host's socket.
    pub(super) fn wake(&mut self, readable: bool, writable: bool) {
        self.host.readable |= readable;
        self.host.writable |= writable;
    }

    /// An IP packet for it arrived.
    pub(super) fn arrive(&mut self, packet: &[u8]) {
        self.arrived.push_back(packet.to_vec());
    }

    /// Takes in what has arrived, moves bytes both ways, and sends IP packets, at most `room` bytes of them.
    pub(super) fn step(&mut self, now: Duration, room: usize, sent: &mut Vec<Vec<u8>>) -> Next {
        let mut packets = Packets { arrived: None, sent, room };
        while let Some(packet) = self.arrived.pop_front() {
            packets.arrived = Some(packet);
            self.interface.poll_ingress_single(at(now), &mut packets, &mut self.sockets);
        }
        let socket = self.sockets.get_mut::<Socket>(self.handle);
        self.machine_finished |=
            matches!(socket.state(), State::CloseWait | State::LastAck | State::Closing | State::TimeWait);
        self.host.exchange(socket, self.machine_finished);
        while packets.room > 0 {
            if self.interface.poll_egress(at(now), &mut packets, &mut self.sockets) == PollResult::None {
                break;
            }
        }
        let held_up = packets.room == 0;
        let next =
            self.interface.poll_at(at(now), &self.sockets).map(|at| Duration::from_micros(at.total_micros() as u64));
        let soon = next.is_some_and(|next| next < now + ACK_SOON);
        let socket = self.sockets.get::<Socket>(self.handle);
        let delivered = self.host.broken || socket.recv_queue() == 0;
        match socket.state() {
            _ if soon && held_up => Next::Room,
            State::Closed if delivered => {
                if !(self.machine_finished && self.host.finished) {
                    // The client is to see that this was no orderly end. If it cannot be told, it has gone.
                    let _ = SockRef::from(&self.host.stream).set_linger(Some(Duration::ZERO));
                }
                Next::End
            }
            // Whoever waits here for late segments keeps nothing but the port: the station answers them without it.
            State::TimeWait if delivered && !soon => Next::End,
            _ => Next::At(next.map(|next| next.max(now + TICK))),
        }
    }
}

impl Host {
    /// Moves bytes from the client to the socket and from the socket to the client, as many as there are and fit.
    fn exchange(&mut self, socket: &mut Socket, machine_finished: bool) {
        while self.readable && socket.can_send() {
            let read = socket.send(|buffer| match retry(|| self.stream.read(buffer)) {
                Ok(len) => (len, Ok(len)),
                Err(error) => (0, Err(error)),
            });
            match read {
                Ok(Ok(0)) => {
                    self.finished = true;
                    self.readable = false;
                    socket.close();
                }
                Ok(Ok(_)) => {}
                Ok(Err(error)) => self.fail(error, socket, |host| host.readable = false),
                Err(_) => return,
            }
        }
        while self.writable && socket.can_recv() {
            let written = socket.recv(|bytes| match retry(|| self.stream.write(bytes)) {
                Ok(len) => (len, Ok(())),
                Err(error) => (0, Err(error)),
            });
            match written {
                Ok(Ok(())) => {}
                Ok(Err(error)) => self.fail(error, socket, |host| host.writable = false),
                Err(_) => return,
            }
        }
        if machine_finished && socket.recv_queue() == 0 && !self.told {
            self.told = true;
            // It fails only if the client has gone.
            let _ = self.stream.shutdown(Shutdown::Write);
        }
    }

    /// Waits if that helps, and resets the connection to the machine if the client has gone.
    fn fail(&mut self, error: io::Error, socket: &mut Socket, wait: impl FnOnce(&mut Self)) {
        if error.kind() != ErrorKind::WouldBlock {
            self.broken = true;
            (self.readable, self.writable) = (false, false);
            socket.abort();
        }
        wait(self);
    }
}

/// Does it again for as long as signals interrupt it.
fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

fn at(time: Duration) -> Instant {
    Instant::from_micros(time.as_micros() as i64)
}

/// What an interface thinks is its network card.
struct Packets<'a> {
    arrived: Option<Vec<u8>>,
    sent: &'a mut Vec<Vec<u8>>,
    /// Bytes that may still be sent.
    room: usize,
}

struct Arrived(Vec<u8>);

struct Sent<'a>(&'a mut Vec<Vec<u8>>, &'a mut usize);

impl Device for Packets<'_> {
    type RxToken<'a>
        = Arrived
    where
        Self: 'a;
    type TxToken<'a>
        = Sent<'a>
    where
        Self: 'a;

    fn receive(&mut self, _: Instant) -> Option<(Arrived, Sent<'_>)> {
        Some((Arrived(self.arrived.take()?), Sent(self.sent, &mut self.room)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Sent<'_>> {
        (self.room > 0).then_some(Sent(self.sent, &mut self.room))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = MTU;
        capabilities
    }
}

impl RxToken for Arrived {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, handle: F) -> R {
        handle(&self.0)
    }
}

impl TxToken for Sent<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, fill: F) -> R {
        let mut packet = vec![0; len];
        let result = fill(&mut packet);
        *self.1 = self.1.saturating_sub(len);
        self.0.push(packet);
        result
    }
}
