//! How much code a boot makes QEMU's TCG translate: most of a boot's time under TCG is that.

use mayfly_abi::ledger::Phase;
use mayfly_qemu::Launch;

use super::{client, measure};

/// Boots that are counted.
const BOOTS: usize = 5;

/// Blocks of code that were translated, as QEMU's `info jit` counts them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Translation {
    /// Until the first instruction of an empty guest.
    pub(super) firmware: u64,
    /// From there until the first response.
    pub(super) kernel: u64,
}

/// Counts in boots of their own, because the monitor is not on the machine that is timed: of an empty guest, and of Mayfly.
///
/// The monitor is asked when the first byte is here, and the guest goes on meanwhile: the fewest of a few boots are those of
/// a guest that had gone on least.
pub(super) fn count(empty: Launch, launch: Launch, path: &str) -> anyhow::Result<Translation> {
    let mut machine = empty.monitored().start()?;
    measure::wait_for_stamp(&mut machine, Phase::Entry)?;
    let firmware = machine.translated_blocks()?;
    let mut fewest = u64::MAX;
    for _ in 0..BOOTS {
        let mut machine = launch.clone().monitored().start()?;
        client::exchange(&mut machine, path)?;
        fewest = fewest.min(machine.translated_blocks()?);
    }
    Ok(Translation { firmware, kernel: fewest.saturating_sub(firmware) })
}
