//! No isolation: functions run in ring 0 and reach all of memory and every device. To measure what isolation costs.

use super::Isolation;
use crate::hw::console::say;
use crate::hw::cpu;

pub(super) struct None;

impl Isolation for None {
    fn prepare(&self) -> Result<(), &'static str> {
        say!("mayfly: UNSAFE: this image runs functions in ring 0, with no isolation at all; use it to measure only");
        cpu::let_ring_0_use_user_pages();
        Ok(())
    }

    fn in_ring_0(&self) -> bool {
        true
    }
}
