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
    let mut seed = [0; 32];
    let mut weak = false;
    for word in seed.chunks_exact_mut(8) {
        let value = cpu::random().unwrap_or_else(|| {
            weak = true;
            cpu::ticks().wrapping_mul(0x9e37_79b9_7f4a_7c15)
        });
        word.copy_from_slice(&(value ^ cpu::ticks()).to_le_bytes());
    }
    if weak {
        say!("mayfly: this CPU has no random generator; random numbers of this boot can be guessed");
    }
    ChaCha12Rng::from_seed(seed)
}
