//! Handshakes: from a SYN to a connection. A flood of SYNs costs nothing but answers.
//!
//! A few dozen handshakes are remembered, each in the one place that its peer's address leads to. Where a place is
//! taken, the answer holds all that must be known in its own sequence number, as a cookie (RFC 4987, 3.6): nothing is kept,
//! and a peer that is really there brings it back. Nobody's SYN is ever refused or forgotten for another's.

use alloc::vec;
use alloc::vec::Vec;
use core::hash::Hasher;

use siphasher::sip::SipHasher24;

use crate::at_once::at_once;

use super::connection::{Opening, WINDOW};
use super::segment::{Flags, Header, Remote, Segment};
use super::seq::Seq;

/// Handshakes that are remembered.
const PLACES: usize = 64;
/// How long each of them is, in nanoseconds: a peer repeats its SYN after one second and after three.
const PATIENCE: u64 = 4_000_000_000;
/// How long a cookie can be brought back: for this long at least, and for twice as long at most.
const PERIOD: u64 = 32_000_000_000;
/// Segment sizes that a cookie can hold; a peer's is rounded down to one.
const SIZES: [u16; 8] = [64, 536, 1024, 1220, 1360, 1400, 1440, 1460];
/// How far behind a connection's last place the next one between the same ends begins, at least.
const REUSE: u32 = 1 << 16;
/// What the sizes and scales of peers that name none are (RFC 9293, 3.7.1; RFC 7323, 2.2).
const SIZE: u16 = 536;
/// Largest scale of a window (RFC 7323, 2.3).
const SCALE_MOST: u8 = 14;
/// In a cookie: no scale.
const NO_SCALE: u32 = 15;
/// Bits of a cookie that hold size, scale and period; the rest is the proof.
const SIZE_SHIFT: u32 = 5;
const SCALE_SHIFT: u32 = 1;
const DATA_BITS: u32 = 8;

/// A handshake of which the first half is over.
#[derive(Clone, Copy, Debug)]
struct Half {
    remote: Remote,
    /// The peer's first sequence number, and ours.
    theirs: Seq,
    ours: Seq,
    mss: u16,
    scale: Option<u8>,
    /// When it began.
    since: u64,
    /// The answer was sent more than once, so that nobody knows which one was heard.
    again: bool,
}

/// What a segment from a stranger is.
#[derive(Clone, Copy, Debug)]
pub enum Ending {
    /// It ends a handshake.
    Open(Opening),
    /// It may well come from the peer of a handshake that is not remembered, but its first bytes do not: those end it.
    Early,
    /// It ends nothing.
    Unknown,
}

/// All handshakes.
#[derive(Debug)]
pub struct Handshakes {
    /// None until the first SYN.
    places: Vec<Option<Half>>,
    keys: [u64; 2],
    /// Until when cookies can come back.
    cookies_until: u64,
}

impl Handshakes {
    /// None yet. The keys are secret.
    pub const fn new(keys: [u64; 2]) -> Self {
        Self { places: Vec::new(), keys, cookies_until: 0 }
    }

    /// Answers a SYN. Nothing is sent to the peer but the answer until [`Handshakes::finish`] knows that it is there.
    ///
    /// `used` is the last place of the connection that gives way to this one: ours begins behind it (RFC 9293, 3.6.1), so
    /// that nothing late of the old one fits into the new one. The clock alone is slower than a fast stream. A cookie has no
    /// room for this.
    pub fn answer(&mut self, syn: &Segment<'_>, used: Option<Seq>, now: u64) -> Header {
        let (size, scale) = syn.offers();
        let scale = scale.map(|scale| scale.min(SCALE_MOST));
        let mss = size.unwrap_or(SIZE);
        let hash = self.hash(syn.remote, [0; 2]);
        if self.places.is_empty() {
            self.places = vec![None; PLACES];
        }
        let ours = match &mut self.places[hash as usize % PLACES] {
            Some(half) if half.remote == syn.remote && half.theirs == syn.seq => {
                // What it offers now counts: some peers repeat a SYN without options, and then scale no windows.
                (half.mss, half.scale, half.again) = (mss, scale, true);
                half.ours
            }
            Some(half) if now.saturating_sub(half.since) < PATIENCE => {
                self.cookies_until = now + 2 * PERIOD;
                self.cookie(syn.remote, syn.seq, mss, scale, now)
            }
            place => {
                // A clock that ticks every 4 µs, and a secret place to start from (RFC 6528, 3).
                let clock = Seq(((now >> 12) as u32).wrapping_add((hash >> 32) as u32));
                let ours = used.map_or(clock, |used| clock.max(used.plus(REUSE)));
                let since = now;
                *place = Some(Half { remote: syn.remote, theirs: syn.seq, ours, mss, scale, since, again: false });
                ours
            }
        };
        Header {
            hardware: syn.hardware,
            remote: syn.remote,
            port: syn.port,
            seq: ours,
            ack: syn.seq.plus(1),
            flags: Flags::SYN.with(Flags::ACK, true),
            window: u16::MAX,
            scale: scale.is_some(),
        }
    }

    /// The connection that a segment from a stranger opens, if it ends a handshake.
    pub fn finish(&mut self, segment: &Segment<'_>, now: u64) -> Ending {
        let Segment { hardware, remote, .. } = *segment;
        let ours = Seq(segment.ack.0.wrapping_sub(1));
        let theirs = Seq(segment.seq.0.wrapping_sub(1));
        // The first bytes may have been overtaken by later ones: any place in the window will do.
        let is_this = |half: &Half| {
            at_once((half.remote == remote) & (half.ours == ours) & (theirs.since(half.theirs) <= WINDOW))
        };
        let place = self.hash(remote, [0; 2]) as usize % PLACES;
        if let Some(half) = self.places.get_mut(place).and_then(|place| place.take_if(|half| is_this(half))) {
            let Half { theirs, mss, scale, since, again, .. } = half;
            // With data, it is the second that the peer has said: the first was lost, some time ago.
            let rtt = (!again && segment.is_empty()).then(|| now.saturating_sub(since));
            let (receive, send, shift) = (theirs.plus(1), segment.ack, scale.unwrap_or(0));
            return Ending::Open(Opening { hardware, remote, receive, send, mss, shift, rtt });
        }
        if now >= self.cookies_until {
            return Ending::Unknown;
        }
        let data = ours.0 & ((1 << DATA_BITS) - 1);
        let size = SIZES[(data >> SIZE_SHIFT) as usize];
        let scale = Some((data >> SCALE_SHIFT & NO_SCALE) as u8).filter(|scale| u32::from(*scale) != NO_SCALE);
        // Made in this period or in the one before, as the last bit says.
        let back = ((now / PERIOD) ^ u64::from(data)) & 1;
        let Some(period) = (now / PERIOD).checked_sub(back) else { return Ending::Unknown };
        let shift = scale.unwrap_or(0);
        let ahead = self.cookie(remote, theirs, size, scale, period * PERIOD).since(ours) >> DATA_BITS;
        match ahead {
            0 if shift <= SCALE_MOST => {
                let (receive, send) = (segment.seq, segment.ack);
                Ending::Open(Opening { hardware, remote, receive, send, mss: size, shift, rtt: None })
            }
            1..WINDOW => Ending::Early,
            _ => Ending::Unknown,
        }
    }

    /// A sequence number that holds what must be known of a handshake, and the proof that it is ours. The peer's is added
    /// to the proof: so it shows how far behind it a segment begins.
    fn cookie(&self, remote: Remote, theirs: Seq, mss: u16, scale: Option<u8>, now: u64) -> Seq {
        let size = SIZES.iter().rposition(|size| *size <= mss).unwrap_or(0) as u32;
        let scale = scale.map_or(NO_SCALE, u32::from);
        let period = now / PERIOD;
        let data = size << SIZE_SHIFT | scale << SCALE_SHIFT | (period & 1) as u32;
        let proof = (self.hash(remote, [u64::from(data), period + 1]) as u32).wrapping_add(theirs.0);
        Seq(proof << DATA_BITS | data)
    }

    fn hash(&self, remote: Remote, more: [u64; 2]) -> u64 {
        let mut hasher = SipHasher24::new_with_keys(self.keys[0], self.keys[1]);
        hasher.write_u64(u64::from(remote.address.to_bits()) << 16 | u64::from(remote.port));
        more.iter().for_each(|word| hasher.write_u64(*word));
        hasher.finish()
    }
}
