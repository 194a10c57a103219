//! QEMU's end of the wire: a stream of frames, each with its length before it (QEMU's `-netdev stream`).

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};

use mio::net::UnixStream;

/// Bytes that are read at once.
const CHUNK: usize = 256 << 10;
/// Bytes that may wait for QEMU to take them. When there are as many, the peer and whoever injects frames have to wait:
/// nothing is lost that was not meant to be.
const ROOM: usize = 256 << 10;
/// Bytes of a length.
const LENGTH: usize = 4;

/// The stream to QEMU.
#[derive(Debug)]
pub(super) struct Link {
    stream: UnixStream,
    /// There may be more to read.
    readable: bool,
    /// What was read: whole frames are taken out, and the beginning of one may be left.
    received: Vec<u8>,
    /// What is yet to be written.
    waiting: VecDeque<u8>,
}

impl Link {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self { stream, readable: true, received: Vec::new(), waiting: VecDeque::new() }
    }

    /// The stream, to be told when something happens to it.
    pub(super) fn stream(&mut self) -> &mut UnixStream {
        &mut self.stream
    }

    /// There is something to read.
    pub(super) fn wake(&mut self) {
        self.readable = true;
    }

    /// Whether there is something to read that nobody will tell about again.
    pub(super) fn is_readable(&self) -> bool {
        self.readable
    }

    /// Bytes that can be sent now without anything piling up.
    pub(super) fn room(&self) -> usize {
        ROOM.saturating_sub(self.waiting.len())
    }

    /// Reads once and gives each frame to `take`. False when QEMU has gone.
    pub(super) fn receive(&mut self, mut take: impl FnMut(Vec<u8>)) -> io::Result<bool> {
        if !self.readable {
            return Ok(true);
        }
        let old = self.received.len();
        self.received.resize(old + CHUNK, 0);
        let read = self.stream.read(&mut self.received[old..]);
        self.received.truncate(old + read.as_ref().map_or(0, |len| *len));
        match read {
            Ok(0) => return Ok(false),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.readable = false,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(false),
            Err(error) => return Err(error),
        }
        let mut taken = 0;
        while let Some(frame) = first_frame(&self.received[taken..]) {
            taken += LENGTH + frame.len();
            take(frame.to_vec());
        }
        self.received.drain(..taken);
        Ok(true)
    }

    /// Sends a frame. It leaves with the next [`Link::flush`].
    pub(super) fn send(&mut self, frame: &[u8]) {
        self.waiting.extend((frame.len() as u32).to_be_bytes());
        self.waiting.extend(frame);
    }

    /// Writes as much as QEMU takes. False when QEMU has gone.
    pub(super) fn flush(&mut self) -> io::Result<bool> {
        while !self.waiting.is_empty() {
            match self.stream.write(self.waiting.as_slices().0) {
                Ok(len) => drop(self.waiting.drain(..len)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

/// The frame at the start of a stream, if all of it is there.
fn first_frame(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH>()?;
    rest.get(..u32::from_be_bytes(*length) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream as StdStream;

    fn pair() -> (Link, StdStream) {
        let (ours, theirs) = StdStream::pair().expect("a pair of sockets");
        ours.set_nonblocking(true).expect("it can be");
        (Link::new(UnixStream::from_std(ours)), theirs)
    }

    fn receive(link: &mut Link) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        link.wake();
        assert!(link.receive(|frame| frames.push(frame)).expect("nothing fails"));
        frames
    }

    #[test]
    fn frames_are_taken_whole_however_they_arrive() {
        let (mut link, mut qemu) = pair();
        let stream = [&[0, 0, 0, 3][..], b"abc", &[0, 0, 0, 0], &[0, 0, 0, 2], b"de"].concat();
        let mut frames = Vec::new();
        for byte in &stream {
            qemu.write_all(&[*byte]).expect("it is taken");
            frames.extend(receive(&mut link));
        }
        assert_eq!(frames, [&b"abc"[..], b"", b"de"]);
        qemu.write_all(&stream).expect("it is taken");
        assert_eq!(receive(&mut link), frames);
    }

    #[test]
    fn what_qemu_does_not_take_waits_and_takes_up_room() {
        let (mut link, mut qemu) = pair();
        let mut sent = 0;
        while link.room() > 0 {
            link.send(&[7; 1000]);
            assert!(link.flush().expect("nothing fails"));
            sent += 1;
        }
        let mut buffer = vec![0; sent * 1004];
        // The rest is flushed as there is room for it.
        let mut got = 0;
        while got < buffer.len() {
            got += qemu.read(&mut buffer[got..]).expect("there is more");
            assert!(link.flush().expect("nothing fails"));
        }
        assert_eq!(link.room(), ROOM);
        assert!(buffer.chunks(1004).all(|frame| frame[..4] == [0, 0, 3, 232] && frame[4..] == [7; 1000]));
    }

    #[test]
    fn the_end_of_qemu_is_noticed() {
        let (mut link, qemu) = pair();
        drop(qemu);
        assert!(!link.receive(|_| ()).expect("it is no error"));
        link.send(b"abc");
        assert!(!link.flush().expect("it is no error"));
    }
}
