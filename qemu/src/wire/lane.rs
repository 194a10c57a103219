//! One direction of a wire: frames go in, and come out when and as their fate says. Time is passed in.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::fate::{Direction, Fate};
use super::{Impairments, LaneCounters};

/// Bytes of an Ethernet header. They are left alone: on a real wire, the frame check sequence guards them.
const HEADER: usize = 14;
/// How long a frame waits for others to overtake it.
const HELD_MAX: Duration = Duration::from_millis(2);

/// One direction.
#[derive(Debug)]
pub(super) struct Lane {
    impairments: Impairments,
    direction: Direction,
    counters: LaneCounters,
    /// The earliest first, and those of the same time in the order in which they came.
    under_way: BinaryHeap<Reverse<UnderWay>>,
    held: Vec<Held>,
    /// Counts what was ever put under way.
    order: u64,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct UnderWay {
    arrives: Duration,
    order: u64,
    frame: Vec<u8>,
}

/// A frame that others shall overtake.
#[derive(Debug)]
struct Held {
    frame: Vec<u8>,
    copies: u32,
    delay: Duration,
    /// Until this many frames have come in,
    behind: u64,
    /// or this time.
    until: Duration,
}

impl Lane {
    pub(super) fn new(impairments: Impairments, direction: Direction) -> Self {
        Self {
            impairments,
            direction,
            counters: LaneCounters::default(),
            under_way: BinaryHeap::new(),
            held: Vec::new(),
            order: 0,
        }
    }

    /// What has befallen its frames so far.
    pub(super) fn counters(&self) -> LaneCounters {
        self.counters
    }

    /// Takes a frame at one end.
    pub(super) fn put(&mut self, mut frame: Vec<u8>, now: Duration) {
        let fate = Fate::of(&self.impairments, self.direction, self.counters.frames);
        self.counters.frames += 1;
        if fate.lost {
            self.counters.lost += 1;
        } else {
            if let Some(bit) = fate.corrupted {
                self.counters.corrupted += u64::from(corrupt(&mut frame, bit));
            }
            if let Some(left) = fate.truncated {
                self.counters.truncated += u64::from(truncate(&mut frame, left));
            }
            let copies = if fate.duplicated { 2 } else { 1 };
            self.counters.duplicated += u64::from(fate.duplicated);
            if fate.overtaken_by > 0 {
                self.counters.reordered += 1;
                let behind = self.counters.frames + fate.overtaken_by;
                self.held.push(Held { frame, copies, delay: fate.delay, behind, until: now + HELD_MAX });
            } else {
                self.send(frame, copies, now + fate.delay);
            }
        }
        self.let_go(now);
    }

    /// The next frame that arrives at the other end by now.
    pub(super) fn take(&mut self, now: Duration) -> Option<Vec<u8>> {
        self.let_go(now);
        if self.under_way.peek()?.0.arrives > now {
            return None;
        }
        let Reverse(UnderWay { frame, .. }) = self.under_way.pop()?;
        self.counters.delivered += 1;
        Some(frame)
    }

    /// When there is something to take, if nothing is put in before.
    pub(super) fn next(&self) -> Option<Duration> {
        let arrives = self.under_way.peek().map(|next| next.0.arrives);
        arrives.into_iter().chain(self.held.iter().map(|held| held.until + held.delay)).min()
    }

    /// Puts held frames under way that have been overtaken, or have waited long enough.
    fn let_go(&mut self, now: Duration) {
        let due = |held: &Held| held.behind <= self.counters.frames || held.until <= now;
        if self.held.iter().any(due) {
            let (due, held) = std::mem::take(&mut self.held).into_iter().partition(due);
            self.held = held;
            for Held { frame, copies, delay, until, .. } in due {
                self.send(frame, copies, until.min(now) + delay);
            }
        }
    }

    fn send(&mut self, frame: Vec<u8>, copies: u32, arrives: Duration) {
        for _ in 1..copies {
            self.under_way.push(Reverse(UnderWay { arrives, order: self.order, frame: frame.clone() }));
            self.order += 1;
        }
        self.under_way.push(Reverse(UnderWay { arrives, order: self.order, frame }));
        self.order += 1;
    }
}

/// Flips one bit behind the header, if there is anything behind it.
fn corrupt(frame: &mut [u8], bit: u64) -> bool {
    let Some(payload) = frame.get_mut(HEADER..).filter(|payload| !payload.is_empty()) else { return false };
    let bit = (bit % (8 * payload.len() as u64)) as usize;
    payload[bit / 8] ^= 1 << (bit % 8);
    true
}

/// Cuts off at least one byte behind the header, if there is one.
fn truncate(frame: &mut Vec<u8>, left: u64) -> bool {
    let Some(payload) = frame.len().checked_sub(HEADER).filter(|payload| *payload > 0) else { return false };
    frame.truncate(HEADER + (left % payload as u64) as usize);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1);
    const FRAMES: u8 = 200;

    fn lane(impairments: &str) -> Lane {
        Lane::new(impairments.parse().expect("valid"), Direction::ToMachine)
    }

    fn frame(number: u8) -> Vec<u8> {
        vec![number; 100]
    }

    /// What arrives by `now`, and the lane's counters.
    fn take_all(lane: &mut Lane, now: Duration) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| lane.take(now)).collect()
    }

    /// Puts frames 0 to [`FRAMES`] in, and gives those that arrive in the end.
    fn through(lane: &mut Lane) -> Vec<Vec<u8>> {
        (0..FRAMES).for_each(|number| lane.put(frame(number), NOW));
        take_all(lane, NOW + Duration::from_secs(1))
    }

    #[test]
    fn a_clean_lane_gives_every_frame_once_at_once_and_in_order() {
        let mut lane = lane("seed=1");
        (0..FRAMES).for_each(|number| lane.put(frame(number), NOW));
        let arrived = take_all(&mut lane, NOW);
        assert_eq!(arrived, (0..FRAMES).map(frame).collect::<Vec<_>>());
        assert_eq!(lane.next(), None);
        let all = u64::from(FRAMES);
        assert_eq!(lane.counters(), LaneCounters { frames: all, delivered: all, ..LaneCounters::default() });
    }

    #[test]
    fn counters_say_what_befell_the_frames() {
        let mut lane = lane("loss=20%,duplicate=20%,seed=1");
        let arrived = through(&mut lane);
        let LaneCounters { frames, delivered, lost, duplicated, .. } = lane.counters();
        assert!(lost > 10 && duplicated > 10, "{}", lane.counters());
        assert_eq!((frames, delivered), (u64::from(FRAMES), arrived.len() as u64));
        assert_eq!(delivered, frames - lost + duplicated);
        let mut distinct = arrived.clone();
        distinct.dedup();
        assert_eq!(distinct.len() as u64, frames - lost);
        assert!(distinct.is_sorted());
    }

    #[test]
    fn a_reordered_frame_is_overtaken_by_one_to_three_and_none_is_lost() {
        let mut lane = lane("reorder=10%,seed=1");
        let arrived = through(&mut lane);
        let reordered = lane.counters().reordered;
        assert!(reordered > 5);
        for (place, frame) in arrived.iter().enumerate() {
            let late = place as i64 - i64::from(frame[0]);
            assert!((-3..=3).contains(&late), "frame {} came as number {place}", frame[0]);
        }
        let descents = arrived.windows(2).filter(|pair| pair[0] > pair[1]).count();
        assert!((1..=reordered).contains(&(descents as u64)), "{descents} descents, {reordered} reordered");
        let mut sorted = arrived;
        sorted.sort();
        assert_eq!(sorted, (0..FRAMES).map(frame).collect::<Vec<_>>());
    }

    #[test]
    fn a_reordered_frame_that_nothing_follows_arrives_all_the_same() {
        let mut lane = lane("reorder=100%,delay=5ms");
        lane.put(frame(1), NOW);
        let arrives = NOW + HELD_MAX + Duration::from_millis(5);
        assert_eq!(lane.next(), Some(arrives));
        assert_eq!(take_all(&mut lane, arrives - Duration::from_nanos(1)), [[]; 0]);
        assert_eq!(take_all(&mut lane, arrives), [frame(1)]);
    }

    #[test]
    fn a_frame_takes_its_delay_and_no_more_than_the_jitter_on_top() {
        let mut lane = lane("delay=5ms,jitter=2ms");
        lane.put(frame(1), NOW);
        let (least, most) = (Duration::from_millis(5), Duration::from_millis(7));
        assert!((NOW + least..=NOW + most).contains(&lane.next().expect("one is under way")));
        assert_eq!(take_all(&mut lane, NOW + least - Duration::from_nanos(1)), [[]; 0]);
        assert_eq!(take_all(&mut lane, NOW + most), [frame(1)]);
    }

    #[test]
    fn corruption_flips_one_bit_behind_the_header() {
        let mut lane = lane("corrupt=100%");
        for (number, arrived) in (0..).zip(through(&mut lane)) {
            let flipped: u32 = arrived.iter().zip(frame(number)).map(|(one, other)| (one ^ other).count_ones()).sum();
            assert_eq!((arrived.len(), flipped), (100, 1));
            assert_eq!(arrived[..HEADER], frame(number)[..HEADER]);
        }
        assert_eq!(lane.counters().corrupted, u64::from(FRAMES));
    }

    #[test]
    fn truncation_leaves_the_header_and_not_everything_behind_it() {
        let mut lane = lane("truncate=100%");
        for (number, arrived) in (0..).zip(through(&mut lane)) {
            assert!((HEADER..100).contains(&arrived.len()));
            assert_eq!(arrived, frame(number)[..arrived.len()]);
        }
        lane.put(vec![0; HEADER], NOW);
        assert_eq!(lane.counters().truncated, u64::from(FRAMES), "nothing can be cut off a bare header");
    }
}
