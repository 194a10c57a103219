//! Timers: which connection is due next, every step of constant cost (Varghese and Lauck, 1987).
//!
//! A timer only ever says that something may be due. It is moved when its time comes nearer; when it goes further away, as it
//! does with every segment, the timer stays where it is, is found too early, and is set anew.

use alloc::vec::Vec;

use super::connection::NEVER;

/// Nanoseconds of a slot of the first level, as a power of two: about a millisecond.
const TICK_SHIFT: u32 = 20;
/// Slots of a level, as a power of two. Each slot of a level is as long as all of the level before.
const SLOT_SHIFT: u32 = 6;
const SLOTS: usize = 1 << SLOT_SHIFT;
/// Four levels are more than four hours.
const LEVELS: usize = 4;
/// Furthest away that a timer is set, half of all levels, so that no slot means two times. One that is meant for later is
/// found too early.
const FURTHEST: u64 = 1 << (SLOT_SHIFT * LEVELS as u32 - 1);
const NONE: u16 = u16::MAX;
/// Time of a timer that is not set.
const UNSET: u64 = u64::MAX;

/// A timer in its slot.
#[derive(Clone, Copy, Debug)]
struct Timer {
    /// In ticks.
    at: u64,
    next: u16,
    previous: u16,
    /// Level and slot.
    place: u16,
}

/// The timers of numbered things.
#[derive(Debug)]
pub struct Wheel {
    /// Ticks up to which everything was found.
    now: u64,
    /// Nothing is due before this, in ticks.
    quiet_until: u64,
    heads: [[u16; SLOTS]; LEVELS],
    /// Slots in use.
    used: [u64; LEVELS],
    timers: Vec<Timer>,
}

impl Default for Wheel {
    /// For things whose numbers are as small as can be.
    fn default() -> Self {
        Self { now: 0, quiet_until: UNSET, heads: [[NONE; SLOTS]; LEVELS], used: [0; LEVELS], timers: Vec::new() }
    }
}

impl Wheel {
    /// Has `number` found at `at` (nanoseconds), or earlier.
    pub fn set(&mut self, number: u16, at: u64) {
        // Rounded up: a timer that is found too early costs, one that is late by a millisecond does not.
        let at = (at >> TICK_SHIFT) + 1;
        while self.timers.len() <= usize::from(number) {
            self.timers.push(Timer { at: UNSET, next: NONE, previous: NONE, place: 0 });
        }
        if self.timers[usize::from(number)].at > at && at < UNSET >> TICK_SHIFT {
            self.unset(number);
            self.quiet_until = self.quiet_until.min(at);
            self.link(number, at.min(self.now + FURTHEST));
        }
    }

    /// Forgets `number`.
    pub fn unset(&mut self, number: u16) {
        let timer = self.timers.get(usize::from(number)).filter(|timer| timer.at != UNSET);
        let Some(&Timer { next, previous, place, .. }) = timer else { return };
        let (level, slot) = (usize::from(place) / SLOTS, usize::from(place) % SLOTS);
        match previous {
            NONE => self.heads[level][slot] = next,
            previous => self.timers[usize::from(previous)].next = next,
        }
        if next != NONE {
            self.timers[usize::from(next)].previous = previous;
        }
        if self.heads[level][slot] == NONE {
            self.used[level] &= !(1 << slot);
        }
        self.timers[usize::from(number)].at = UNSET;
    }

    /// One that is due at `now` (nanoseconds). It is not set any more.
    pub fn due(&mut self, now: u64) -> Option<u16> {
        let now = now >> TICK_SHIFT;
        while let Some((level, slot, start)) = self.first().filter(|(.., start)| *start <= now) {
            self.now = self.now.max(start);
            let number = self.heads[level][slot];
            let at = self.timers[usize::from(number)].at;
            self.unset(number);
            if level == 0 || at <= now {
                return Some(number);
            }
            // Its slot has begun: now it can be told more exactly.
            self.link(number, at);
        }
        self.now = self.now.max(now);
        self.quiet_until = self.first().map_or(UNSET, |(.., start)| start);
        None
    }

    /// When one may be due next, in nanoseconds; [`NEVER`] if none is set.
    pub fn next(&self) -> u64 {
        if self.quiet_until == UNSET { NEVER } else { self.quiet_until << TICK_SHIFT }
    }

    /// The slot in use that begins first: its level, its place there, and when it begins, in ticks.
    fn first(&self) -> Option<(usize, usize, u64)> {
        let mut first: Option<(usize, usize, u64)> = None;
        for level in 0..LEVELS {
            if self.used[level] == 0 {
                continue;
            }
            let shift = SLOT_SHIFT * level as u32;
            let current = self.now >> shift;
            let ahead = self.used[level].rotate_right((current % SLOTS as u64) as u32).trailing_zeros();
            let slot = current + u64::from(ahead);
            let start = (slot << shift).max(self.now);
            if first.is_none_or(|(.., other)| start < other) {
                first = Some((level, (slot % SLOTS as u64) as usize, start));
            }
        }
        first
    }

    /// Puts a timer into the slot that its time lies in, as seen from now.
    fn link(&mut self, number: u16, at: u64) {
        let at = at.max(self.now);
        let differs = (at ^ self.now) >> SLOT_SHIFT;
        // The lowest level on which its slot is not the present one.
        let level = ((u64::BITS - differs.leading_zeros()).div_ceil(SLOT_SHIFT) as usize).min(LEVELS - 1);
        let slot = (at >> (SLOT_SHIFT * level as u32)) as usize % SLOTS;
        let next = core::mem::replace(&mut self.heads[level][slot], number);
        if next != NONE {
            self.timers[usize::from(next)].previous = number;
        }
        self.used[level] |= 1 << slot;
        self.timers[usize::from(number)] = Timer { at, next, previous: NONE, place: (level * SLOTS + slot) as u16 };
    }
}
