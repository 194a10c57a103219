//! What holds domains apart, chosen by the image. docs/isolation.md walks through it.
//!
//! Every backend gives a domain its own page tables, since all programs are linked at the same address; they differ in what
//! the CPU does when it goes from one to the other, and in what the program could reach if it wanted to.

mod none;
mod pcid;
mod tables;

use super::cpu;
use mayfly_abi::image;

/// A way to hold domains apart. One core; a physical address of a top page table stands for an address space.
pub(crate) trait Isolation: Sync {
    /// Sets the CPU up. A sentence if it cannot do this.
    fn prepare(&self) -> Result<(), &'static str>;

    /// Makes an address space the one in use; it is not. Unless said otherwise, the CPU forgets all translations.
    ///
    /// # Safety
    /// The table maps the kernel as every table does, and lives for as long as it is in use.
    unsafe fn activate(&self, root: u64) {
        // SAFETY: the caller vouches for the table, and with one number for all no translations are kept.
        unsafe { cpu::use_page_table(root, 0) };
    }

    /// Pages were taken from an address space that is not in use, or that is about to go: translations must not outlive that.
    /// What [`Isolation::activate`] forgets needs nothing more.
    fn outdate(&self, _root: u64) {}

    /// Whether functions run in ring 0.
    fn in_ring_0(&self) -> bool {
        false
    }
}

/// The backend that an image asks for. A new one is a file, and a line here.
pub(crate) fn choose(wanted: image::Isolation) -> Result<&'static dyn Isolation, &'static str> {
    let chosen: &'static dyn Isolation = match wanted {
        image::Isolation::Tables => &tables::Tables,
        image::Isolation::TablesPcid => &pcid::TABLES_PCID,
        image::Isolation::None => &none::None,
    };
    chosen.prepare().map(|()| chosen)
}
