//! A wire that loses, repeats, delays, damages and cuts, the same way for the same seed.

use std::collections::BTreeMap;

use crate::talk::MS;

/// Random numbers (SplitMix64).
#[derive(Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }
}

/// One direction of a wire.
pub(crate) struct Wire {
    random: Random,
    /// How often each thing happens, in percent.
    lose: u64,
    repeat: u64,
    overtake: u64,
    damage: u64,
    cut: u64,
    latency: u64,
    /// Frames on their way, by their time of arrival.
    frames: BTreeMap<(u64, u64), Vec<u8>>,
    count: u64,
}

impl Wire {
    /// A wire of a kind that the seed decides. Every fourth is perfect.
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let bad = random.below(4) > 0;
        let mut chance = |most: u64| if bad { random.below(most) } else { 0 };
        let [lose, repeat, overtake, damage, cut] = [12, 8, 20, 6, 4].map(&mut chance);
        let latency = [MS / 20, MS, 30 * MS, 300 * MS][random.below(4) as usize];
        Self { random, lose, repeat, overtake, damage, cut, latency, frames: BTreeMap::new(), count: 0 }
    }

    /// A frame that always arrives, at once.
    pub(crate) fn put_safely(&mut self, frame: Vec<u8>, now: u64) {
        self.count += 1;
        self.frames.insert((now, self.count), frame);
    }

    pub(crate) fn put(&mut self, frame: &[u8], now: u64) {
        let random = &mut self.random;
        for _ in 0..1 + u64::from(random.percent(self.repeat)) {
            if random.percent(self.lose) {
                continue;
            }
            let mut frame = frame.to_vec();
            if random.percent(self.damage) {
                let at = random.below(frame.len() as u64) as usize;
                frame[at] ^= 1 << random.below(8);
            }
            if random.percent(self.cut) {
                frame.truncate(random.below(frame.len() as u64) as usize);
            }
            let late = if random.percent(self.overtake) { random.below(3 * self.latency) } else { 0 };
            self.count += 1;
            self.frames.insert((now + self.latency + late, self.count), frame);
        }
    }

    /// A frame that has arrived.
    pub(crate) fn take(&mut self, now: u64) -> Option<Vec<u8>> {
        let first = self.frames.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// When the next one arrives.
    pub(crate) fn next(&self) -> u64 {
        self.frames.first_key_value().map_or(u64::MAX, |((at, _), _)| *at)
    }
}
