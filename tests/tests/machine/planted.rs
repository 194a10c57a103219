//! Planted truths: what was put into a boot or a request is what is measured, there and nowhere else.

use std::time::Duration;

use mayfly_abi::ledger::{Ledger, Phase};
use mayfly_qemu::{Launch, tsc_hz};
use mayfly_tests::planted::{self, NOTHING, Plant};
use mayfly_tests::{Guest, Request};

/// 5 ms of a clock that ticks once for each instruction.
const DELAY: u64 = 5_000_000;
/// What else may change: which packet comes first is the host's choice.
const SLACK: u64 = DELAY / 100;
/// The same of the step to the entry, which is the firmware's: whenever it waits, its clock follows the host's.
const FIRST_SLACK: u64 = DELAY / 5;
/// Longer than it takes the client's acknowledgement to arrive.
const QUIET: Duration = Duration::from_millis(20);

/// Ticks from each stamp to the next: those of the boot, from power-on on, and then those of a second request.
type Steps = Vec<u64>;

/// Counts the instructions of a boot and of a second request with this plant. The client is there before the machine, which
/// so waits for nothing.
fn count(plant: Plant) -> Steps {
    let mut guest = Guest::start(Launch::new(planted::image(plant)).icount());
    let mut connection = guest.connect_early();
    let mut ask = |guest: &mut Guest| {
        assert_eq!(connection.ask(&Request::get("/hello")).status, 200);
        guest.expect_stamp(Phase::Rest);
        guest.settle(QUIET)
    };
    let boot = ask(&mut guest);
    guest.machine().forget_request().expect("its memory can be written");
    let request = ask(&mut guest);
    let steps = |ledger: Ledger, phases: &[Phase], mut last: u64| -> Steps {
        let step = |phase: &Phase| ledger.stamp(*phase) - std::mem::replace(&mut last, ledger.stamp(*phase));
        phases.iter().map(step).collect()
    };
    let [wake, others @ ..] = Phase::REQUEST;
    [steps(boot, &Phase::BOOT, 0), steps(request, &others, request.stamp(wake))].concat()
}

/// The least of each step: waiting for the host can only make one longer.
fn quietest(one: Steps, two: Steps) -> Steps {
    one.into_iter().zip(two).map(|(one, two)| one.min(two)).collect()
}

/// What a delay planted before `phase` must make of the usual steps.
fn with_delay(usual: &Steps, phase: Phase) -> Steps {
    let phases = Phase::BOOT.iter().chain(&Phase::REQUEST[1..]);
    usual.iter().zip(phases).map(|(step, other)| step + if *other == phase { DELAY } else { 0 }).collect()
}

#[test]
fn a_planted_delay_appears_in_its_phase_and_nowhere_else() {
    const BOOTS: usize = 10;
    let usual = (0..3).map(|_| count(NOTHING)).reduce(quietest).expect("there were boots");
    println!("{:<18}{usual:?}", "nothing planted");
    // The other two are times at which work begins and ends, and nothing can come between.
    for &phase in Phase::BOOT.iter().chain(&[Phase::Clean]) {
        let expected = with_delay(&usual, phase);
        let as_expected = |steps: &Steps| {
            let slack = [FIRST_SLACK].into_iter().chain(std::iter::repeat(SLACK));
            steps.iter().zip(&expected).zip(slack).all(|((is, wanted), slack)| is.abs_diff(*wanted) <= slack)
        };
        let mut steps = count(Plant { delay: Some((phase, DELAY)), ..NOTHING });
        for _ in 1..BOOTS {
            if as_expected(&steps) {
                break;
            }
            steps = quietest(steps, count(Plant { delay: Some((phase, DELAY)), ..NOTHING }));
        }
        println!("{:<18}{steps:?}", phase.name());
        assert!(as_expected(&steps), "{DELAY} ticks before `{}`: {steps:?} and not {expected:?}", phase.name());
    }
}

#[test]
fn the_benchmark_of_boots_finds_a_planted_delay() {
    let usual = planted::count(NOTHING);
    for phase in [Phase::Traps, Phase::Leave] {
        let counted = planted::count(Plant { delay: Some((phase, DELAY)), ..NOTHING });
        println!("{DELAY} ticks before `{}`: {counted:?}", phase.name());
        assert!(counted.keys().eq(usual.keys()) && counted.keys().any(|(_, step)| step == phase.name()), "{usual:?}");
        for ((part, step), count) in &counted {
            let planted = if step == phase.name() { DELAY } else { 0 };
            let usual = usual[&(part.clone(), step.clone())];
            assert!(count.abs_diff(usual + planted) <= SLACK, "{part}, {step}: {count} instructions, usually {usual}");
        }
    }
}

/// Held up for longer than any other step takes, however busy the host is.
#[test]
fn the_benchmark_of_boots_finds_a_qemu_that_starts_late() {
    if tsc_hz().is_none() {
        return;
    }
    let record = planted::measure(NOTHING, Duration::from_millis(500), 3).unwrap_or_else(|said| panic!("{said}"));
    let least = |name: &str| record.series(name).unwrap_or_else(|| panic!("there is no {name}")).summary.min;
    let (open, entry, response) = (least("port open"), least("entry"), least("response queued"));
    println!("held up for 500 ms: port open after {open:.1} ms, entry after {entry:.1}, response after {response:.1}");
    assert!(open >= 500.0 && entry - open < 500.0 && response - entry < 500.0, "{record:?}");
}

#[test]
fn a_guest_whose_clock_runs_at_another_rate_is_noticed() {
    if tsc_hz().is_none() {
        return;
    }
    let measure = |rate| planted::measure(Plant { rate, ..NOTHING }, Duration::ZERO, 2);
    let record = measure(1000).unwrap_or_else(|said| panic!("a clock that is right is refused: {said}"));
    let values = |name: &str| record.series(name).unwrap_or_else(|| panic!("there is no {name}")).values.clone();
    assert!(values("uncertainty of the guest's rate").iter().all(|spread| (0.0..0.1).contains(spread)), "{record:?}");
    assert!((0.0..=2.0).contains(&values("runs whose parts add up")[0]));
    for rate in [900, 970, 990, 1010, 1030, 1100] {
        let said = measure(rate).expect_err("it is wrong");
        println!("{rate} for 1000: {said}");
        assert!(said.contains("the guest's clock runs at") || said.contains("do not fit together"), "{rate}: {said}");
    }
}
