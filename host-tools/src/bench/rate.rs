//! Whether the guest's clock runs as fast as is assumed, seen from outside.
//!
//! A boot is too short to tell: in 5 ms, a clock that is 1 % off strays by no more than a look takes. So the machine is asked
//! once more after a while, and again after a longer one until the two ends are far enough apart.

use std::time::Duration;

use anyhow::{Context, ensure};
use mayfly_abi::ledger::Phase;
use mayfly_qemu::Machine;
use mayfly_qemu::clock::{JoinedClock, Rate, Watch};

use super::{PATIENCE, client, measure};

/// Quiet before the first look; each further one waits twice as long.
const PAUSE: Duration = Duration::from_millis(20);
/// The longest.
const LONGEST: Duration = Duration::from_millis(640);
/// The bounds are close enough together: a clock that is 1 % off is well outside of them.
const CLOSE: f64 = 0.004;

/// Asks a machine that has booted for `path` until its rate is known, which must be `hz`: how far apart the bounds of the rate
/// are, as a share of it. `boot`: from what was seen of its boot.
pub(super) fn check(machine: &mut Machine, boot: &JoinedClock, hz: u64, path: &str) -> anyhow::Result<f64> {
    let (mut pause, mut doubted) = (PAUSE, false);
    loop {
        let rate = rate(machine, boot, hz, path, pause)?;
        match confirm(rate, hz) {
            Ok(()) if rate.spread() <= CLOSE || pause >= LONGEST => return Ok(rate.spread()),
            Ok(()) => doubted = false,
            // A host that was busy for a moment is not as far off after twice the time; a clock is.
            Err(error) if doubted || pause >= LONGEST => return Err(error),
            Err(_) => doubted = true,
        }
        pause *= 2;
    }
}

/// Refuses a guest whose clock was seen to run at another rate than `hz`.
pub(crate) fn confirm(rate: Rate, hz: u64) -> anyhow::Result<()> {
    ensure!(
        rate.allows(hz),
        "the guest's clock runs at {:.1} to {:.1} MHz and the host's at {:.1}: times of the guest would be wrong",
        rate.least / 1e6,
        rate.most / 1e6,
        hz as f64 / 1e6
    );
    Ok(())
}

/// The rate from the boot to a request that comes after a pause.
fn rate(machine: &mut Machine, boot: &JoinedClock, hz: u64, path: &str, pause: Duration) -> anyhow::Result<Rate> {
    machine.settle(0, pause, PATIENCE)?;
    machine.forget_request()?;
    let watch = Watch::request(machine);
    client::exchange(machine, path)?;
    measure::wait_for_stamp(machine, Phase::Response)?;
    let later = JoinedClock::new(&watch.finish(), hz).context(measure::CONTRADICTION)?;
    Ok(boot.rate_until(&later))
}
