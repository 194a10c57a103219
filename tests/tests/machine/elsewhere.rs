//! What is tested on the usual machine, on one that UEFI firmware boots and that has an Intel card. The `elsewhere` bench runs
//! all tests so.

use std::time::Duration;

use mayfly_tests::Guest;
use mayfly_tests::machines::Place;

use super::{framing, http, rejects};

#[test]
fn http_is_as_ever_on_a_pc_with_uefi_and_an_intel_card() {
    let guest = Guest::serving(Place::named("uefi-usb", "e1000e").launch()).within(Duration::from_secs(120));
    guest.lend(&[
        // First, for it looks at all of the console.
        rejects::requests_over_a_limit_get_the_limits_own_status,
        rejects::requests_just_within_the_limits_are_served,
        rejects::an_unknown_method_is_told_the_known_ones,
        rejects::an_unknown_route_gets_404_with_the_list_of_functions,
        http::a_connection_serves_many_requests,
        http::pipelined_requests_are_answered_in_their_order,
        http::pipelined_requests_to_functions_of_different_speed_are_answered_in_their_order,
        http::head_gets_the_head_alone,
        http::every_method_reaches_a_function,
        http::connection_close_is_kept_to,
        http::what_follows_a_request_to_close_is_not_answered,
        http::http_1_0_closes_unless_it_is_asked_not_to,
        http::a_client_that_has_said_all_still_gets_its_answer,
        http::a_request_may_arrive_byte_by_byte,
        http::empty_lines_before_a_request_are_skipped,
        http::a_target_may_be_a_whole_url,
        http::leave_to_send_a_body_is_given_when_it_is_asked_for,
        http::leave_to_send_too_long_a_body_is_refused_before_it_is_sent,
        http::a_body_that_came_with_its_head_needs_no_leave,
        framing::bodies_of_every_length_come_back_exactly,
        framing::chunked_bodies_of_every_length_come_back_exactly,
        framing::a_chunked_body_may_be_cut_anywhere_on_its_way,
        framing::a_request_right_behind_a_chunked_body_is_the_next_one,
        framing::a_body_just_as_long_as_the_limit_is_taken_and_one_byte_more_is_not,
    ]);
}
