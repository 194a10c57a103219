//! Planted truths: what was put into a boot is what is measured, there and nowhere else.

use std::array;

use mayfly_abi::ledger::{PHASES, Phase};
use mayfly_qemu::Launch;
use mayfly_tests::planted::{self, NOTHING, Plant};
use mayfly_tests::{Guest, Request};

/// Ticks from each phase's stamp to the next, from power-on to the first response.
type Steps = [u64; PHASES];

/// Counts the instructions of a boot with this plant. The client is there before the guest, so that it waits for nothing.
fn count(plant: Plant) -> Steps {
    let mut guest = Guest::start(Launch::new(planted::image(plant)).icount());
    assert_eq!(guest.connect_early().ask(&Request::get("/hello")).status, 200);
    let stamps = guest.expect_stamp(Phase::Response).stamps;
    array::from_fn(|at| stamps[at] - at.checked_sub(1).map_or(0, |before| stamps[before]))
}

/// The least of each step: waiting for the host can only make one longer.
fn quietest(one: Steps, two: Steps) -> Steps {
    array::from_fn(|at| one[at].min(two[at]))
}

#[test]
fn a_planted_delay_appears_in_its_phase_and_nowhere_else() {
    /// 5 ms of a clock that ticks once for each instruction.
    const DELAY: u64 = 5_000_000;
    /// What else may change: which packet comes first is the host's choice.
    const SLACK: u64 = DELAY / 100;
    const BOOTS: usize = 10;
    let usual = (0..3).map(|_| count(NOTHING)).reduce(quietest).expect("there were boots");
    for &phase in Phase::ALL {
        let mut expected = usual;
        expected[phase as usize] += DELAY;
        let as_expected = |steps: &Steps| steps.iter().zip(&expected).all(|(step, wanted)| step.abs_diff(*wanted) <= SLACK);
        let mut steps = [u64::MAX; PHASES];
        for _ in 0..BOOTS {
            steps = quietest(steps, count(Plant { delay: Some((phase, DELAY)), ..NOTHING }));
            if as_expected(&steps) {
                break;
            }
        }
        println!("{:<18}{steps:?}", phase.name());
        assert!(as_expected(&steps), "{DELAY} ticks before `{}`: {steps:?} and not {expected:?}", phase.name());
    }
}
