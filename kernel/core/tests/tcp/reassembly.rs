//! What arrived early, against a list that has a place for every byte.

use mayfly_core::tcp::connection::WINDOW;
use mayfly_core::tcp::reassembly::Reassemblies;
use proptest::prelude::*;

/// The byte at a place of the stream.
fn byte(at: usize) -> u8 {
    (at * 31 + at / 251) as u8
}

proptest! {
    #[test]
    fn it_gives_back_the_bytes_of_the_stream_in_order(
        steps in prop::collection::vec((any::<bool>(), 0_u32..70_000, 1_usize..4000), 0..120),
        near in any::<bool>(),
    ) {
        let mut buffer = Reassemblies::new(1).take().expect("memory");
        // Which bytes behind the next one are known; with too many holes, some that came are not.
        let mut came = vec![false; WINDOW as usize];
        let mut at = 0;
        for (keep, start, len) in steps {
            if keep {
                let start = if near { start % 6000 } else { start };
                let data: Vec<u8> = (0..len).map(|more| byte(at + start as usize + more)).collect();
                buffer.keep(start, &data);
                if let Some(places) = came.get_mut(start as usize..start as usize + len) {
                    places.fill(true);
                }
            } else {
                // Bytes come in order, some of them perhaps for the second time.
                let len = len.min(2000);
                at += len;
                came.drain(..len);
                came.resize(WINDOW as usize, false);
                let kept = buffer.advance(len as u32);
                prop_assert!(kept || buffer.next().is_empty());
            }
            loop {
                let next = buffer.next();
                let len = next.len();
                prop_assert!(next.iter().zip(at..).all(|(got, at)| *got == byte(at)), "wrong bytes at {}", at);
                prop_assert!(came[..len].iter().all(|came| *came), "bytes that never came");
                if near && came[0] {
                    prop_assert!(len > 0, "bytes that came are lost");
                }
                if len == 0 {
                    break;
                }
                at += len;
                came.drain(..len);
                came.resize(WINDOW as usize, false);
                buffer.advance(len as u32);
            }
        }
    }
}

#[test]
fn holes_are_bounded_and_more_of_them_cost_nothing() {
    let mut buffer = Reassemblies::new(1).take().expect("memory");
    (1..=100).for_each(|at| buffer.keep(at * 10, &[at as u8; 5]));
    buffer.keep(0, &[0; 10]);
    assert_eq!(buffer.next().len(), 15);
    assert!(buffer.advance(160), "the sixteenth run is still there");
    assert!(!buffer.advance(5), "and the seventeenth is not");
}

#[test]
fn buffers_are_bounded_and_come_back_empty() {
    let mut buffers = Reassemblies::new(2);
    let mut first = buffers.take().expect("one");
    let _second = buffers.take().expect("two");
    assert!(buffers.take().is_none());
    first.keep(0, b"secret");
    buffers.give_back(first);
    assert!(buffers.take().expect("the first").next().is_empty());
}
