//! What a machine does after its last words.

use mayfly_abi::exit::Exit::{Panic, Refused};
use mayfly_core::ending::Ending::{self, Off, Reset, Stays};

const SECOND: u32 = 1_000_000;

#[test]
fn what_cannot_be_used_is_switched_off_unless_a_person_reads_why() {
    assert_eq!(Ending::of(Refused, true, false), Off(5 * SECOND));
    assert_eq!(Ending::of(Refused, true, true), Stays);
}

#[test]
fn after_a_panic_it_starts_anew_when_a_person_had_time_to_take_a_picture() {
    assert_eq!(Ending::of(Panic, true, false), Reset(5 * SECOND));
    assert_eq!(Ending::of(Panic, true, true), Reset(60 * SECOND));
}

#[test]
fn without_the_firmwares_tables_it_stays() {
    for why in [Panic, Refused] {
        assert_eq!([false, true].map(|screen| Ending::of(why, false, screen)), [Stays; 2]);
    }
}
