//! Random bytes. A cipher, seeded by the CPU's generator when somebody first asks, seeds one more for each invocation
//! that wants random numbers. Without a generator, the boot's own timing has to do, and the console says so.

use super::console::say;
use super::cpu;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use spin::{Mutex, Once};

static BOOT: Once<Mutex<ChaCha12Rng>> = Once::new();

/// The random numbers of one invocation.
pub(crate) struct Generator(ChaCha12Rng);

impl Generator {
    /// Fills `out`.
    pub(crate) fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }
}

/// A generator of its own for an invocation: seeded by the boot's, mixed with what the CPU gives now. Neither the numbers
/// of another invocation nor a weakness of one of the two sources tells anything about it.
pub(crate) fn generator() -> Generator {
    let mut seed = [0; 32];
    BOOT.call_once(|| Mutex::new(ChaCha12Rng::from_seed(boot_seed()))).lock().fill_bytes(&mut seed);
    for part in seed.chunks_exact_mut(8) {
        for (byte, fresh) in part.iter_mut().zip(word().to_le_bytes()) {
            *byte ^= fresh;
        }
    }
    Generator(ChaCha12Rng::from_seed(seed))
}

fn boot_seed() -> [u8; 32] {
    if cpu::random().is_none() {
        say!("mayfly: this CPU has no random generator; random numbers of this boot can be guessed");
    }
    let mut seed = [0; 32];
    for part in seed.chunks_exact_mut(8) {
        part.copy_from_slice(&word().to_le_bytes());
    }
    seed
}

/// A word from the CPU's generator, or what the clock makes of one. Quick, for a seed.
#[inline(never)]
pub(crate) fn word() -> u64 {
    cpu::random().unwrap_or(0x9e37_79b9_7f4a_7c15) ^ cpu::ticks()
}
