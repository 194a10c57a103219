//! An address space for each domain: the CPU forgets all translations when it goes to another.

use super::Isolation;

pub(super) struct Tables;

impl Isolation for Tables {
    fn prepare(&self) -> Result<(), &'static str> {
        Ok(())
    }
}
