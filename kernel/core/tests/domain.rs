//! A domain's memory: what a page that is missing turns out to be, how far the heap grows, and what may be pointed to.

mod bundle;

use bundle::{bundle, contents};
use mayfly_abi::PAGE;
use mayfly_abi::call::{Code, Reason};
use mayfly_abi::domain::{
    HEAP_BASE, PROGRAM_BASE, REQUEST_BASE, RESPONSE_BASE, RESPONSE_BODY, STACK_BASE, STACK_TOP, USER_END,
};
use mayfly_core::claim::{Access, Claimed};
use mayfly_core::domain::{Missing, Space};
use mayfly_core::fault::{Fault, Kind};
use mayfly_core::image::Image;
use mayfly_core::outcome::Outcome;

/// The sample function: text, constants, and three pages of data of which the first has 0x20 bytes in the bundle. It may
/// have 16 pages.
fn with_space(test: impl FnOnce(&mut Space<'_>)) {
    let bytes = bundle(&["hello"]);
    let image = Image::open(&bytes).expect("a sound bundle");
    let plan = image.find(b"hello").expect("it is there").check().expect("it is sound");
    test(&mut Space::new(plan, 0));
}

const DATA: u64 = PROGRAM_BASE + 2 * PAGE;

#[test]
fn a_missing_page_is_what_the_plan_says() {
    with_space(|space| {
        let private = |page, origin| Some(Missing::Private { page, origin });
        let first = (contents(1) + 2 * PAGE) as usize;
        assert_eq!(space.missing(DATA + 0x123), private(DATA, first..first + 0x20));
        assert_eq!(space.missing(DATA + PAGE), private(DATA + PAGE, 0..0), "bytes beyond the file are zeros");
        assert_eq!(space.missing(STACK_BASE), private(STACK_BASE, 0..0));
        assert_eq!(space.missing(STACK_TOP - 1), private(STACK_TOP - PAGE, 0..0));
        assert_eq!(space.missing(RESPONSE_BASE), Some(Missing::Response { index: 0 }));
        assert_eq!(space.missing(RESPONSE_BASE + 3 * PAGE + 7), Some(Missing::Response { index: 3 }));
    });
}

#[test]
fn everything_else_is_missing_for_good() {
    with_space(|space| {
        let response_end = RESPONSE_BASE + RESPONSE_BODY + (1 << 20);
        for address in [
            0,
            STACK_BASE - 1,
            STACK_TOP,
            PROGRAM_BASE,
            PROGRAM_BASE + PAGE,
            DATA + 3 * PAGE,
            REQUEST_BASE,
            response_end,
            HEAP_BASE,
            USER_END,
            u64::MAX,
        ] {
            assert_eq!(space.missing(address), None, "{address:#x}");
        }
        assert!(space.missing(response_end - 1).is_some());
    });
}

#[test]
fn the_heap_grows_to_the_memory_limit_and_starts_anew_with_each_invocation() {
    with_space(|space| {
        assert_eq!(space.grow(3), Ok(HEAP_BASE));
        assert_eq!(space.grow(0), Ok(HEAP_BASE + 3 * PAGE));
        assert_eq!(space.grow(10), Ok(HEAP_BASE + 3 * PAGE));
        assert_eq!(space.grow(1), Err(Code::OutOfMemory), "three pages of data and thirteen of heap are all there is");
        assert!(space.missing(HEAP_BASE + 13 * PAGE - 1).is_some());
        assert_eq!(space.missing(HEAP_BASE + 13 * PAGE), None);
        space.start(0);
        assert_eq!(space.missing(HEAP_BASE), None, "what the last invocation had is gone");
        assert_eq!(space.grow(u32::MAX), Err(Code::OutOfMemory));
        assert_eq!(space.grow(13), Ok(HEAP_BASE));
    });
}

#[test]
fn a_function_may_point_to_its_own_memory_only() {
    with_space(|space| {
        space.start(100);
        space.grow(1).expect("there is room");
        let granted = |address, len, access| Claimed { address, len }.check(&space.regions(), access).is_ok();
        for (address, len) in [(STACK_BASE, 1), (DATA, 3 * PAGE), (HEAP_BASE, PAGE), (RESPONSE_BASE, RESPONSE_BODY)] {
            assert!(granted(address, len, Access::Read) && granted(address, len, Access::Write), "{address:#x}");
        }
        for (address, len) in [(PROGRAM_BASE, 0x800), (PROGRAM_BASE + PAGE, PAGE), (REQUEST_BASE, 100)] {
            assert!(granted(address, len, Access::Read) && !granted(address, len, Access::Write), "{address:#x}");
        }
        for (address, len) in [
            (0, 1),
            (STACK_BASE - 1, 2),
            (STACK_TOP - 1, 2),
            (REQUEST_BASE, 101),
            (HEAP_BASE, PAGE + 1),
            (DATA, 3 * PAGE + 1),
            (USER_END, 1),
        ] {
            assert!(!granted(address, len, Access::Read), "{address:#x}");
        }
    });
}

#[test]
fn a_function_that_gives_up_says_whether_memory_was_the_reason() {
    assert_eq!(Outcome::of_failure(Reason::OutOfMemory, 7), Outcome::OutOfMemory);
    assert_eq!(Outcome::of_failure(Reason::Panic, 7), Outcome::Killed(Fault::new(Kind::Panic, 7)));
}
