//! Bytes that arrived before others that come first: kept, within bounds, until the hole before them is filled.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::connection::{Received, WINDOW};

/// Bytes of a buffer: all that a peer may send ahead.
const LEN: usize = WINDOW as usize + 1;
/// Runs of bytes between which holes can be.
const RUNS: usize = 16;

/// A run of bytes, as places behind the next byte of the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Run {
    start: u32,
    end: u32,
}

/// What arrived early on one connection.
#[derive(Clone, Debug)]
pub struct Reassembly {
    /// The stream's bytes at their places, round and round.
    bytes: Box<[u8]>,
    /// Where in `bytes` the stream's next byte belongs.
    base: usize,
    /// In order, apart from each other.
    runs: [Run; RUNS],
    count: usize,
}

impl Reassembly {
    fn new() -> Option<Self> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(LEN).ok()?;
        bytes.resize(LEN, 0);
        Some(Self { bytes: bytes.into_boxed_slice(), base: 0, runs: [Run::default(); RUNS], count: 0 })
    }

    /// Keeps `data`, which begins `start` bytes behind the stream's next byte. With too many holes, or beyond all windows,
    /// it is as good as lost.
    pub fn keep(&mut self, start: u32, data: &[u8]) {
        let Some(end) = start.checked_add(data.len() as u32).filter(|end| *end <= WINDOW) else { return };
        // Those that the new run touches become one with it.
        let runs = &self.runs[..self.count];
        let first = runs.iter().take_while(|run| run.end < start).count();
        let behind = first + runs[first..].iter().take_while(|run| run.start <= end).count();
        let mut new = Run { start, end };
        if first < behind {
            new.start = start.min(runs[first].start);
            new.end = end.max(runs[behind - 1].end);
        } else if self.count == RUNS {
            return;
        }
        if first == behind {
            self.runs.copy_within(first..self.count, first + 1);
        } else {
            self.runs.copy_within(behind..self.count, first + 1);
        }
        self.count = self.count + 1 - (behind - first);
        self.runs[first] = new;

        let at = (self.base + start as usize) % LEN;
        let (now, later) = data.split_at(data.len().min(LEN - at));
        self.bytes[at..at + now.len()].copy_from_slice(now);
        self.bytes[..later.len()].copy_from_slice(later);
    }

    /// Bytes that come next in the stream, as far as they lie in one piece.
    pub fn next(&self) -> &[u8] {
        match self.runs[..self.count].first() {
            Some(Run { start: 0, end }) => &self.bytes[self.base..(self.base + *end as usize).min(LEN)],
            _ => &[],
        }
    }

    /// The stream has gone on by `len` bytes, from here or from elsewhere. False once nothing is kept any more.
    pub fn advance(&mut self, len: u32) -> bool {
        self.base = (self.base + len as usize) % LEN;
        let mut kept = 0;
        for at in 0..self.count {
            let Run { start, end } = self.runs[at];
            if end > len {
                self.runs[kept] = Run { start: start.saturating_sub(len), end: end - len };
                kept += 1;
            }
        }
        self.count = kept;
        kept > 0
    }
}

/// The buffers of all connections: a bounded number, made when they are first needed.
#[derive(Debug)]
pub struct Reassemblies {
    #[expect(clippy::vec_box, reason = "as connections have it: most of them have none")]
    idle: Vec<Box<Reassembly>>,
    left: usize,
}

impl Reassemblies {
    /// At most so many buffers.
    pub const fn new(most: usize) -> Self {
        Self { idle: Vec::new(), left: most }
    }

    /// Brings a segment's bytes into order with those in the connection's buffer, if it has one: gives what comes next in
    /// the stream to `take`, which says how many bytes it has taken, and keeps what comes later.
    pub fn sort(
        &mut self,
        early: &mut Option<Box<Reassembly>>,
        received: &Received<'_>,
        mut take: impl FnMut(&[u8]) -> u32,
    ) {
        if let Some((behind, data)) = received.later {
            if early.is_none() {
                *early = self.take();
            }
            if let Some(early) = early {
                early.keep(behind, data);
            }
        }
        if received.data.is_empty() {
            return;
        }
        let mut taken = take(received.data);
        let Some(mut buffer) = early.take() else { return };
        while buffer.advance(taken) {
            taken = if buffer.next().is_empty() { 0 } else { take(buffer.next()) };
            if taken == 0 {
                *early = Some(buffer);
                return;
            }
        }
        self.give_back(buffer);
    }

    /// A buffer that holds nothing. `None`: all are in use, and what comes early is as good as lost.
    pub fn take(&mut self) -> Option<Box<Reassembly>> {
        if let Some(idle) = self.idle.pop() {
            return Some(idle);
        }
        let left = self.left.checked_sub(1)?;
        let buffer = Reassembly::new()?;
        self.left = left;
        Some(Box::new(buffer))
    }

    /// Takes one back.
    pub fn give_back(&mut self, mut buffer: Box<Reassembly>) {
        buffer.count = 0;
        self.idle.push(buffer);
    }
}
