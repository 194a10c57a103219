//! Random bytes: a cipher seeded by the CPU's generator when somebody first asks. Without one, the boot's own timing
//! has to do, and the console says so.

use super::console::say;
use super::cpu;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use spin::{Mutex, Once};

static GENERATOR: Once<Mutex<ChaCha12Rng>> = Once::new();

/// Fills `out`.
pub(crate) fn fill(out: &mut [u8]) {
    GENERATOR.call_once(|| Mutex::new(seeded())).lock().fill_bytes(out);
}

fn seeded() -> ChaCha12Rng {
    if cpu::random().is_none() {
        say!("mayfly: this CPU has no random generator; random numbers of this boot can be guessed");
    }
    let mut seed = [0; 32];
    for part in seed.chunks_exact_mut(8) {
        part.copy_from_slice(&word().to_le_bytes());
    }
    ChaCha12Rng::from_seed(seed)
}

/// A word from the CPU's generator, or what the clock makes of one. Quick, for a seed.
pub(crate) fn word() -> u64 {
    cpu::random().unwrap_or(0x9e37_79b9_7f4a_7c15) ^ cpu::ticks()
}
