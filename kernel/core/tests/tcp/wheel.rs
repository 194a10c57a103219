//! The timer wheel, against a map of deadlines.

use std::collections::BTreeMap;

use mayfly_core::tcp::connection::NEVER;
use mayfly_core::tcp::wheel::Wheel;
use proptest::prelude::*;

/// A slot of the first level, in nanoseconds.
const TICK: u64 = 1 << 20;
const HOUR: u64 = 3_600_000_000_000;

#[derive(Clone, Debug)]
enum Step {
    Set {
        number: u16,
        after: u64,
    },
    Unset {
        number: u16,
    },
    Pass {
        time: u64,
    },
    /// Until the wheel says that something may be due.
    Sleep,
}

/// Times of every size, many of them at the edge of a slot of some level.
fn times() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..100 * TICK,
        (0_u32..27, 0_u64..3, 0..2 * TICK).prop_map(|(power, slots, more)| (slots << power) * TICK + more),
        0..3 * HOUR,
        0..100 * HOUR,
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u16..40, times()).prop_map(|(number, after)| Step::Set { number, after }),
        1 => (0_u16..40).prop_map(|number| Step::Unset { number }),
        2 => times().prop_map(|time| Step::Pass { time }),
        2 => Just(Step::Sleep),
    ]
}

/// The wheel as a server uses it: what is found too early is set anew.
#[derive(Default)]
struct Timers {
    wheel: Wheel,
    deadlines: BTreeMap<u16, u64>,
    now: u64,
}

impl Timers {
    fn due(&mut self) {
        let mut found = 0;
        while let Some(number) = self.wheel.due(self.now) {
            let at = self.deadlines.get(&number).copied().expect("a timer that is not set is never found");
            if at <= self.now {
                self.deadlines.remove(&number);
            } else {
                self.wheel.set(number, at);
            }
            found += 1;
            assert!(found < 10_000, "it never ends");
        }
        let late = self.deadlines.iter().find(|(_, at)| **at + TICK < self.now);
        assert_eq!(late, None, "now is {}", self.now);
        let first = self.deadlines.values().min();
        assert!(self.wheel.next() <= first.map_or(NEVER, |at| at + TICK), "it would sleep for too long");
        assert!(self.wheel.next() > self.now, "it would not sleep");
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Set { number, after } => {
                self.deadlines.insert(number, self.now + after);
                self.wheel.set(number, self.now + after);
            }
            Step::Unset { number } => {
                self.deadlines.remove(&number);
                self.wheel.unset(number);
            }
            Step::Pass { time } => {
                self.now += time;
                self.due();
            }
            Step::Sleep => {
                self.now = self.now.max(self.wheel.next().min(self.now + 1000 * HOUR));
                self.due();
            }
        }
    }
}

proptest! {
    #[test]
    fn nothing_is_late_by_more_than_a_tick_and_nothing_is_lost(steps in prop::collection::vec(steps(), 0..200)) {
        let mut timers = Timers::default();
        steps.iter().for_each(|step| timers.step(step));
        let mut sleeps = 0;
        while !timers.deadlines.is_empty() {
            timers.step(&Step::Sleep);
            sleeps += 1;
            prop_assert!(sleeps < 100_000);
        }
        prop_assert_eq!(timers.wheel.due(timers.now + 1000 * HOUR), None);
    }
}

#[test]
fn sixty_thousand_timers_are_found_in_time() {
    let mut timers = Timers::default();
    for number in 0..60_000_u16 {
        timers.step(&Step::Set { number, after: u64::from(number) * 7 * TICK / 3 });
    }
    while !timers.deadlines.is_empty() {
        timers.step(&Step::Pass { time: 97 * TICK });
    }
}

#[test]
fn one_that_is_never_due_is_not_set() {
    let mut wheel = Wheel::default();
    wheel.set(3, NEVER);
    assert_eq!((wheel.next(), wheel.due(NEVER - 1)), (NEVER, None));
}
