//! Whatever ran before, an invocation finds its domain as new; the bench `fresh` makes many more of these.

use mayfly_tests::{Guest, images, invoke_at_random};

#[test]
fn functions_invoked_at_random_answer_as_on_a_new_machine() {
    let guest = Guest::boot(images::all());
    let (made, attacks) = invoke_at_random(&guest, 1000);
    assert!(attacks > 0 && attacks < made);
    guest.expect_hello();
}
