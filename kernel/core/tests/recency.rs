//! The order of last use, against a list that is searched from end to end.

use mayfly_core::recency::{Link, Recency};
use proptest::prelude::*;

proptest! {
    #[test]
    fn the_oldest_is_the_one_that_a_plain_list_has_first(
        steps in prop::collection::vec((0_usize..8, any::<bool>()), 0..200)
    ) {
        let (mut recency, mut links) = (Recency::default(), [Link::OUT; 8]);
        let mut plain = Vec::new();
        for (place, touch) in steps {
            plain.retain(|other| *other != place);
            if touch {
                plain.push(place);
                recency.touch(&mut links, place);
            } else {
                recency.remove(&mut links, place);
            }
            prop_assert_eq!(recency.oldest(), plain.first().copied());
        }
        // Emptied from its old end, it gives all of them in order.
        let mut order = Vec::new();
        while let Some(place) = recency.oldest() {
            recency.remove(&mut links, place);
            order.push(place);
        }
        prop_assert_eq!(order, plain);
        prop_assert_eq!(links, [Link::OUT; 8]);
    }
}
