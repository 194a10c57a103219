//! What befalls one frame. It follows from the seed, the direction and the frame's number, and from nothing else.

use std::time::Duration;

use fastrand::Rng;

use super::Impairments;

/// Most frames that overtake one that is held back.
const OVERTAKEN_MAX: u64 = 3;

/// Which way a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// To the machine's card.
    ToMachine,
    /// From the machine's card to the peer.
    ToPeer,
}

/// What befalls a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fate {
    /// It never arrives. Nothing else matters then.
    pub(super) lost: bool,
    /// It arrives twice.
    pub(super) duplicated: bool,
    /// This many later frames overtake it.
    pub(super) overtaken_by: u64,
    /// Which bit behind the Ethernet header is flipped, modulo their number.
    pub(super) corrupted: Option<u64>,
    /// How many bytes behind the Ethernet header are left, modulo their number.
    pub(super) truncated: Option<u64>,
    /// How long it takes.
    pub(super) delay: Duration,
}

impl Fate {
    /// What befalls frame `number` in one direction.
    pub(super) fn of(impairments: &Impairments, direction: Direction, number: u64) -> Self {
        let stream = 2 * number + u64::from(direction == Direction::ToPeer);
        // The multiplier, 2^64 divided by the golden ratio, puts neighbours far from each other.
        let mixed = impairments.seed.rotate_left(32) ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut rng = Rng::with_seed(mixed);
        // Everything is always drawn, in this order: another rate changes no other choice.
        let mut befalls = |rate: f64| rng.f64() < rate;
        let lost = befalls(impairments.loss);
        let duplicated = befalls(impairments.duplicate);
        let reordered = befalls(impairments.reorder);
        let corrupted = befalls(impairments.corrupt);
        let truncated = befalls(impairments.truncate);
        let overtaken_by = rng.u64(1..=OVERTAKEN_MAX);
        let (bit, left) = (rng.u64(..), rng.u64(..));
        Self {
            lost,
            duplicated,
            overtaken_by: if reordered { overtaken_by } else { 0 },
            corrupted: corrupted.then_some(bit),
            truncated: truncated.then_some(left),
            delay: impairments.delay + impairments.jitter.mul_f64(rng.f64()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAMES: u64 = 200_000;

    fn bad() -> Impairments {
        let bad = "loss=1%,duplicate=2%,reorder=3%,corrupt=0.5%,truncate=0.1%,delay=5ms,jitter=2ms,seed=7";
        bad.parse().expect("valid")
    }

    fn fates(impairments: &Impairments, direction: Direction) -> Vec<Fate> {
        (0..FRAMES).map(|number| Fate::of(impairments, direction, number)).collect()
    }

    #[test]
    fn rates_hold_in_both_directions() {
        for direction in [Direction::ToMachine, Direction::ToPeer] {
            let fates = fates(&bad(), direction);
            let expect = |what: &str, rate: f64, befalls: fn(&Fate) -> bool| {
                let share = fates.iter().filter(|fate| befalls(fate)).count() as f64 / FRAMES as f64;
                // Four standard deviations.
                let slack = 4.0 * (rate * (1.0 - rate) / FRAMES as f64).sqrt();
                assert!((share - rate).abs() < slack, "{what}: {share} and not {rate}");
            };
            expect("loss", 0.01, |fate| fate.lost);
            expect("duplicate", 0.02, |fate| fate.duplicated);
            expect("reorder", 0.03, |fate| fate.overtaken_by > 0);
            expect("corrupt", 0.005, |fate| fate.corrupted.is_some());
            expect("truncate", 0.001, |fate| fate.truncated.is_some());
            expect("by three", 0.01, |fate| fate.overtaken_by == OVERTAKEN_MAX);
            expect("two losses at once", 0.0002, |fate| fate.lost && fate.duplicated);
            let (least, most) = (Duration::from_millis(5), Duration::from_millis(7));
            assert!(fates.iter().all(|fate| (least..=most).contains(&fate.delay)));
            expect("early", 0.5, |fate| fate.delay < Duration::from_millis(6));
        }
    }

    #[test]
    fn the_same_seed_chooses_the_same_and_another_seed_or_direction_does_not() {
        let chosen = fates(&bad(), Direction::ToPeer);
        assert_eq!(chosen, fates(&bad(), Direction::ToPeer));
        assert_ne!(chosen, fates(&bad(), Direction::ToMachine));
        assert_ne!(chosen, fates(&Impairments { seed: 8, ..bad() }, Direction::ToPeer));
        // A run that somebody wrote down stays what it was.
        let lost: Vec<_> = (0..FRAMES).filter(|number| chosen[*number as usize].lost).take(5).collect();
        assert_eq!(lost, [89, 101, 413, 703, 725]);
    }

    #[test]
    fn another_rate_changes_no_other_choice() {
        let chosen = fates(&bad(), Direction::ToPeer);
        let others = fates(&Impairments { loss: 0.0, reorder: 1.0, ..bad() }, Direction::ToPeer);
        for (one, other) in chosen.iter().zip(others) {
            assert_eq!(Fate { lost: false, overtaken_by: other.overtaken_by, ..*one }, other);
        }
    }

    #[test]
    fn a_wire_without_impairments_does_nothing() {
        let clean = fates(&Impairments::default(), Direction::ToMachine);
        let nothing = Fate {
            lost: false,
            duplicated: false,
            overtaken_by: 0,
            corrupted: None,
            truncated: None,
            delay: Duration::ZERO,
        };
        assert!(clean.iter().all(|fate| *fate == nothing));
    }
}
